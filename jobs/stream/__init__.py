"""Live state and the feed as server-sent events, for what reads HTTP and no websockets.

messages     the notation
watching     jobs: what the websockets say
following    the feed of outward events
"""

from jobs.live.callers import Caller
from jobs.stream.following import follow
from jobs.stream.messages import MEDIA_TYPE, Limits
from jobs.stream.watching import Watching

__all__ = ["MEDIA_TYPE", "Caller", "Limits", "Watching", "follow"]
