"""Chaos: a site under load whose processes and connections are killed at random, and the invariants afterwards."""
