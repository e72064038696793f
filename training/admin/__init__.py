"""The lists of training. Workers own what they show, so that they only read."""

from training.admin import images, sessions

__all__ = ["images", "sessions"]
