"""Operations on training sessions; each is one idempotent transaction."""

from training.sessions.create import add_images, create_session
from training.sessions.progress_updates import update_clustering, update_faces
from training.sessions.restart import restart
from training.sessions.types import Created, ImagesAdded, NewImage

__all__ = [
    "Created",
    "ImagesAdded",
    "NewImage",
    "add_images",
    "create_session",
    "restart",
    "update_clustering",
    "update_faces",
]
