"""The models of the kernel: Job 1──n Phase 1──n Item, with their events, deliveries, workers and accounts."""

from jobs.models.activity import Activity
from jobs.models.attempts import Attempt
from jobs.models.bulk import BulkAct, BulkTarget
from jobs.models.events import Event, EventCounter, InboxMessage
from jobs.models.growing_counts import GrowingCount
from jobs.models.heartbeats import ProcessHeartbeat
from jobs.models.incidents import Incident, IncidentEntry, IncidentJob
from jobs.models.items import Item
from jobs.models.jobs import Job
from jobs.models.memberships import Membership
from jobs.models.notifications import Channel, Notification, NotificationRule
from jobs.models.outbox import Delivery, Endpoint
from jobs.models.phases import Phase, Tally
from jobs.models.project_limits import ProjectLimit
from jobs.models.row_failures import RowFailure
from jobs.models.saved_views import SavedView
from jobs.models.tickets import Ticket
from jobs.models.tokens import TokenUse
from jobs.models.wall_links import WallLink
from jobs.models.workers import Quarantine, Worker, WorkerTally

__all__ = [
    "Activity",
    "Attempt",
    "BulkAct",
    "BulkTarget",
    "Channel",
    "Delivery",
    "Endpoint",
    "Event",
    "EventCounter",
    "GrowingCount",
    "InboxMessage",
    "Incident",
    "IncidentEntry",
    "IncidentJob",
    "Item",
    "Job",
    "Membership",
    "Notification",
    "NotificationRule",
    "Phase",
    "ProcessHeartbeat",
    "ProjectLimit",
    "Quarantine",
    "RowFailure",
    "SavedView",
    "Tally",
    "Ticket",
    "TokenUse",
    "WallLink",
    "Worker",
    "WorkerTally",
]
