"""The live channel: how changes of jobs reach browsers.

topics     what a socket watches, and which jobs that is
frames     a job's state, encoded once for all sockets
mailbox    what one browser has yet to get and to acknowledge
hub        one per process: hints and looks in, frames out to mailboxes
messages   what browsers send
callers    who listens, asked again while it goes on
tickets    how what has no session cookie opens a socket
admission  who may watch what
session    one open socket
"""

from jobs.live.hub import hub, open_sockets
from jobs.live.session import Session, SocketLimits

__all__ = ["Session", "SocketLimits", "hub", "open_sockets"]
