"""The rows of the kernel: Job 1──n Phase 1──n Item, and what is kept about them."""

from jobs.models.events import Event, EventCounter, InboxMessage
from jobs.models.items import Item
from jobs.models.jobs import Job
from jobs.models.people import Membership, Worker
from jobs.models.phases import Phase, Tally

__all__ = ["Event", "EventCounter", "InboxMessage", "Item", "Job", "Membership", "Phase", "Tally", "Worker"]
