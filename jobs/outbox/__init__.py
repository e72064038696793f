"""Outward events on their way out: at least once, and in order per job at each endpoint.

    routing     writes a delivery per event and endpoint, in the transaction of the event
    claiming    what is due at an endpoint, and who works for it
    lanes       one endpoint's deliveries, sent wave by wave
    dispatch    all lanes side by side, which take turns; `deliver` runs every lane once
    webhooks    signed HTTP requests         broker   messages with publisher confirms
    marking     what became of them: sent, to be tried again, dead

A delivery is marked as sent only after the endpoint has taken it. A deliverer that dies before the mark leaves
it waiting, so it is sent again with the same event_id.
"""

from jobs.outbox.delivery_run import BATCH, Lane, try_out
from jobs.outbox.dispatch import Dispatcher, deliver
from jobs.outbox.messages import Outcome

__all__ = ["BATCH", "Dispatcher", "Lane", "Outcome", "deliver", "try_out"]
