"""What REST has in common: errors as problem+json, a strict parser of JSON, bearer tokens. Named in the settings only."""
