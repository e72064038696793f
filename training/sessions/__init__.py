"""The verbs of training: each is one transaction, and repeating it is harmless."""

from training.sessions.create import add_images, create_session
from training.sessions.progress_updates import tell_clustering, tell_faces
from training.sessions.restart import restart
from training.sessions.types import Created, ImagesAdded, NewImage

__all__ = [
    "Created",
    "ImagesAdded",
    "NewImage",
    "add_images",
    "create_session",
    "restart",
    "tell_clustering",
    "tell_faces",
]
