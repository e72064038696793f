"""The terms of the product, for the glossary page and for the check of `docs/glossary.md`."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "Work": {
        "job": "One run of a pipeline.",
        "phase": "One counted part of a job, done by one kind of worker.",
        "item": "One unit of a phase: an image, a frame, a page range.",
        "chunk": "An item of an OCR document: a range of pages.",
        "kind, pipeline": "The type of a job: generic, vision, ocr or training. It decides which phases a job gets.",
        "project": "A label that groups jobs for one audience. An account can be limited to projects.",
        "run": "One pass of a phase. A restart begins the next run.",
        "worker": "A program that claims items, does the work and reports the outcome.",
        "operator": "A person who watches jobs and acts on them.",
        "lead": "An operator who may also end and restart jobs, replay events and manage endpoints and tokens.",
    },
    "Status": {
        "pending": "Waiting to start, or items waiting for a worker.",
        "running, processing": "Work has started; items that a worker holds.",
        "paused": "Workers get no new items until an operator resumes the job.",
        "completed": "The threshold of every phase is met.",
        "partial": "Completed with done + skipped below expected.",
        "failed": "The job cannot go on. Retry the failed items or restart a phase.",
        "cancelled": "Ended by an operator. Later reports are refused.",
        "stuck": "The job will not finish without help. It is silent, stalled or unannounced.",
        "silent": "No report and no heartbeat for a while (10 minutes for a job by default).",
        "stalled": "Heartbeats arrive, but no item has been settled for a while (30 minutes by default).",
        "unannounced": "No total has been announced, and no new items have arrived for a while.",
        "alive, gone": "A worker that has sent a heartbeat lately, or has not sent one for a long time.",
        "failing": "Every recent outcome of a worker or phase is a failure.",
        "late": "An event that has waited for delivery for ten minutes.",
    },
    "Counts": {
        "expected": "The number of items that a phase will have. It is unknown until it is announced.",
        "done, failed, skipped": "Items that succeeded, failed, or need no work. Skipped items count as done.",
        "settled": "Items with an outcome: done + failed + skipped.",
        "threshold": "The percent of expected items that must be done or skipped for a phase to complete.",
        "out of reach": "So many items have failed that the phase cannot meet its threshold without a retry.",
        "rate, ETA": "Items settled per minute in the last five minutes, and the time left at this rate.",
    },
    "Protocol": {
        "announce": "State the expected number of items of a phase.",
        "claim": "Take items for work, under a lease.",
        "lease": "The time for which a claimed item belongs to its worker. Reports and heartbeats renew it.",
        "attempt": "The number of a claim. Reports of an older attempt are refused.",
        "report": "Send the outcome of an item.",
        "outcome": "The result of a report: applied, duplicate, stale, closed or invalid.",
        "heartbeat": "A message that a worker is alive. It renews leases.",
        "watermark": "The deadline after which a phase finishes with the items that it has.",
        "gate": "A gated phase opens when every earlier phase has completed.",
        "revision": "The number of changes of a job.",
        "error signature": "An error text without its numbers, paths and ids. It groups similar failures.",
    },
    "Acts": {
        "retry": "Set failed items to pending.",
        "release": "Take items from their workers and set them to pending.",
        "skip": "Count items as done without work.",
        "pause, resume": "Stop and allow claims.",
        "restart": "Begin a new run of a phase and of the gated phases after it.",
        "force-complete": "Complete a job or phase with the items that it has. A reason is required.",
        "fail, cancel": "End a job as failed, or end it for good.",
        "bulk act": "One act on many jobs. The watchdog carries it out job by job.",
        "confirmation": "The page that shows the effect of an act before it is carried out.",
        "diagnosis": "The reasons why a job has not finished, and the effect of each remedy.",
    },
    "Events": {
        "event": "An entry in the timeline of a job.",
        "outward event": "An event that is sent to subscribers.",
        "inbound event": "An event that a producer sends to this site.",
        "contract": "The JSON Schema of an event type.",
        "endpoint": "The receiver of outward events: a webhook or RabbitMQ.",
        "delivery": "One event to one endpoint. It is waiting, sent or dead.",
        "dead": "A delivery that was given up after its last try. Replay it when the endpoint works again.",
        "replay": "Send an event again, with the same event_id.",
        "dead letter": "An inbound event that was refused, with the reason.",
        "outbox, inbox": "The parts of this site that send outward events and receive inbound ones.",
        "feed": "Outward events over GET /api/v1/events.",
    },
    "Client and processes": {
        "journal": "The file in which the client keeps outcomes until the site confirms them.",
        "dead file": "The file in which the client keeps outcomes that the site has refused permanently.",
        "watchdog": "The process that acts on deadlines: expired leases, watermarks, stuck jobs.",
        "deliverer": "The process that sends deliveries.",
        "tracker": "The calls of an older SQLite image tracker, served by this site.",
        "badge": "An image of a job's progress behind a signed link.",
        "ticket": "A short-lived secret that opens one websocket.",
    },
}


def terms() -> list[tuple[str, str]]:
    """Return every term with its meaning, in the order of the page."""
    return [pair for group in GROUPS.values() for pair in group.items()]
