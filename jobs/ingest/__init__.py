"""The lean path: calls that workers make all day, answered in front of Django's request cycle.

Django's cycle and Django REST Framework cost several times what the call itself costs. So the ASGI application routes,
authorises and decodes these calls on the event loop, lets the writer of the process (`jobs.tracking.writer`) make
them, and encodes each answer once. Every call that it cannot decide is passed to its view: a session
instead of a token, an unknown token, an unusual header or body, and every refusal. So each refusal has one author.
"""

from jobs.ingest.application import LeanPath
from jobs.ingest.replies import Reply

__all__ = ["LeanPath", "Reply"]
