"""A real OpenID provider for tests: the npm package oidc-provider, in a process of its own."""
