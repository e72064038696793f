"""What REST has in common: errors as problem+json, strict JSON, bearer tokens. Named in the settings only."""
