"""Checks of a deployment: each finding says what is wrong and what to do."""
