"""The verbs of training: each is one transaction, and repeating it is harmless."""

from training.sessions.creating import add_images, create_session
from training.sessions.inputs import Created, ImagesAdded, NewImage
from training.sessions.restarting import restart
from training.sessions.telling import tell_clustering, tell_faces

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
