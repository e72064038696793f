"""Template tags of the document page."""
