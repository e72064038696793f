"""Live state and the event feed as server-sent events, for clients without websockets.

protocol     the format of server-sent events, and the limits of a stream
job_stream   jobs: the same messages as on the websockets
event_feed   the feed of outward events
"""

from jobs.live.sse.event_feed import follow
from jobs.live.sse.job_stream import JobUpdates
from jobs.live.sse.protocol import MEDIA_TYPE, StreamLimits

__all__ = ["MEDIA_TYPE", "JobUpdates", "StreamLimits", "follow"]
