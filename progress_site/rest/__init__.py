"""Parts of Django REST Framework that the settings name: errors as problem+json, strict JSON, bearer tokens."""
