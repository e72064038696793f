"""Template tags of the session page."""
