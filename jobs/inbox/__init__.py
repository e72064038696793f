"""Inbound events, over REST or from the broker.

`ingest_event` applies an event in one transaction and stores its id with the effect. `store_dead_letter` keeps a
refused event as a dead letter; `replay` applies a dead letter again. The handlers of each type belong to the
pipelines (`Kind.inbound`).
"""

from jobs.inbox.dead_letters import replay, store_dead_letter
from jobs.inbox.ingest import Ingested, ingest_event

__all__ = ["Ingested", "ingest_event", "replay", "store_dead_letter"]
