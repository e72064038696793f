"""Template tags of the pages of training."""
