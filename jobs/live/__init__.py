"""Live channel: changes of jobs on their way to browsers.

broadcast        hints between threads and processes: these jobs have changed
hub              one per process: loads each change once and hands it to every subscription
topics           the jobs that a topic covers at the moment
subscription     a listener's topic and send queue
send_queue       messages that wait to be sent or to be acknowledged
job_messages     a job's state, encoded once for all listeners
client_messages  messages that browsers send
server_messages  types of the messages that browsers get
principals       the account behind a listener, loaded again while it listens
tickets          websockets without a session cookie
authorization    the topic that a request may watch
connections      the open sockets and streams: one recheck for all, and a limit for each account
background       steps that continue after every failure
session          one open socket
socket           the ASGI application of the websockets
sse/             the same as server-sent events
"""

from jobs.live.connections import open_connections
from jobs.live.hub import hub
from jobs.live.session import Session, SocketLimits

__all__ = ["Session", "SocketLimits", "hub", "open_connections"]
