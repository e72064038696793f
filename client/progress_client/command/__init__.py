"""The `progress` command: operator acts from a shell."""
