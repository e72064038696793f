"""Events that come in, by REST or from the broker: the same handlers, into the verbs of workers.

`take` applies one, all or nothing, and remembers its id in the transaction of its effect. `bury` keeps one that
was refused as a dead letter, `replay` takes it again.
"""

from jobs.inbox.dead_letters import replay, store_dead_letter
from jobs.inbox.ingest import Ingested, ingest_event

__all__ = ["Ingested", "ingest_event", "replay", "store_dead_letter"]
