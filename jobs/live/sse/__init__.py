"""Live state and the feed as server-sent events, for what reads HTTP and no websockets.

messages     the notation
watching     jobs: what the websockets say
following    the feed of outward events
"""

from jobs.live.principals import Principal
from jobs.live.sse.event_feed import follow
from jobs.live.sse.job_stream import JobUpdates
from jobs.live.sse.protocol import MEDIA_TYPE, StreamLimits

__all__ = ["MEDIA_TYPE", "JobUpdates", "Principal", "StreamLimits", "follow"]
