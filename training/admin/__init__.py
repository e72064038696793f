"""Read-only admin lists of training; workers own the data."""

from training.admin import images, sessions

__all__ = ["images", "sessions"]
