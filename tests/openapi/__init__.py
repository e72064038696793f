"""The OpenAPI document in the hands of linters and generators of clients."""
