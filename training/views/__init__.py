"""The page of a training session, inside the admin."""

from training.views.bars import drawn_bar
from training.views.session import session_page

__all__ = ["drawn_bar", "session_page"]
