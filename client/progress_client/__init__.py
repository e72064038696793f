"""Python client for Progress Site: claim items, process them and report each result exactly once.

with Client("http://127.0.0.1:8000", token=secret) as client:
    job = client.job("batch_001", items=paths)
    for item in job.claim(batch=16):
        with item:
            item.result = process(item.key)
"""

from progress_client.aio import AsyncClient, AsyncJob
from progress_client.client import Client
from progress_client.errors import (
    CertificateError,
    Fail,
    LeaseLost,
    NotFound,
    NotPermitted,
    ProgressError,
    Refused,
    Skip,
    Unavailable,
    WrongState,
)
from progress_client.item_log import ItemLogHandler
from progress_client.items import Item
from progress_client.job import Job
from progress_client.tracker import ProgressTracker
from progress_client.tracker_formats import Status
from progress_client.transport import RELEASE

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "CertificateError",
    "Client",
    "Fail",
    "Item",
    "ItemLogHandler",
    "Job",
    "LeaseLost",
    "NotFound",
    "NotPermitted",
    "ProgressError",
    "ProgressTracker",
    "Refused",
    "Skip",
    "Status",
    "Unavailable",
    "WrongState",
]
__version__ = RELEASE
