"""A job driven by the generated Python client: create, claim, report, read, and delete with a body."""

from __future__ import annotations

import json
import sys

from progress_api import AuthenticatedClient
from progress_api.api.acts import delete_job
from progress_api.api.jobs import create_job, get_job
from progress_api.api.work import claim_items, report_items
from progress_api.models import (
    ClaimInput,
    DeleteInput,
    ItemInput,
    ItemInputPayload,
    ItemStatus,
    JobInput,
    ReportInput,
    ResultInput,
)


def drive(url: str, token: str, name: str) -> dict[str, object]:
    """Drive one job; return what a reader of the answers sees."""
    client = AuthenticatedClient(base_url=url, token=token)
    payload = ItemInputPayload.from_dict({"bytes": 3})
    items = [ItemInput(key="a.jpg", payload=payload), ItemInput(key="b.jpg")]
    job = create_job.sync(client=client, body=JobInput(name=name, items=items))
    claimed = claim_items.sync(job.id, "items", client=client, body=ClaimInput(worker="py"))
    results = [ResultInput(key=item.key, attempt=item.attempt, status=ItemStatus.COMPLETED) for item in claimed.items]
    reported = report_items.sync(job.id, "items", client=client, body=ReportInput(worker="py", results=results))
    read = get_job.sync(job.id, client=client)
    missing = get_job.sync(987654321, client=client)
    removed = delete_job.sync(job.id, client=client, body=DeleteInput(reason="The example is over.", undelivered=True))
    return {
        "finished": read.status,
        "payload": claimed.items[0].payload.to_dict(),
        "outcomes": [result.outcome for result in reported.results],
        "problem": missing.code,
        "removed": removed.changed,
    }


sys.stdout.write(json.dumps(drive(*sys.argv[1:])))
