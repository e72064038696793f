"""Events that come in, by REST or from the broker: the same handlers, into the verbs of workers.

`take` applies one, all or nothing, and remembers its id in the transaction of its effect. `bury` keeps one that
was refused as a dead letter, `replay` takes it again.
"""

from jobs.inbox.dead_letters import bury, replay
from jobs.inbox.ingest import Taken, take

__all__ = ["Taken", "bury", "replay", "take"]
