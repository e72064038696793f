"""The training session page of the console."""

from training.views.bars import drawn_bar
from training.views.session import session_page

__all__ = ["drawn_bar", "session_page"]
