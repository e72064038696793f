"""Generated requests: everything that the OpenAPI document allows, and much that it does not."""
