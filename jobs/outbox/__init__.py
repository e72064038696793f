"""Delivery of outward events: at least once, and in order per job at each endpoint.

    routing           writes a delivery per event and endpoint, in the transaction of the event
    endpoint_leases   endpoints without a deliverer, and their due deliveries
    delivery_run      the deliveries of one endpoint, sent in waves
    dispatch          all endpoints in parallel, taking turns; `deliver` runs each of them once
    webhooks          signed HTTP requests
    broker            messages with publisher confirms
    results           outcomes of deliveries: sent, waiting for a retry, dead

A delivery is marked as sent only after the endpoint has accepted it. If a deliverer dies before that, the delivery
stays waiting and is sent again with the same event_id.
"""

from jobs.outbox.delivery_run import BATCH, Lane, declare_exchange, try_out
from jobs.outbox.dispatch import Dispatcher, deliver
from jobs.outbox.messages import Outcome

__all__ = ["BATCH", "Dispatcher", "Lane", "Outcome", "declare_exchange", "deliver", "try_out"]
