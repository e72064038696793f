"""Request bodies, and the limits of every field.

Types are not converted ("10" is not an integer) and unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from jobs.api.size_limits import check_blob, check_checksum, check_links
from jobs.rules.errors import BadInput
from jobs.rules.field_types import (
    AnyCode,
    Blob,
    Code,
    Ids,
    Name,
    Number,
    Percentage,
    Project,
    Seconds,
    Sentence,
    Version,
    WorkerLabel,
    WorkerName,
)
from jobs.rules.limits import EVENT_TYPE_LENGTH, MOST_CLAIMED, MOST_ITEMS, MOST_PHASES, MOST_RESULTS
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import JobOptions, NewItem, Result

JOB_ARGUMENTS = ("name", "kind", "project", "metadata", "threshold", "phases", "asset_types", "items", "reopen")


class Input(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """Base of every body: no conversion of types, no unknown fields."""


# --- jobs ----------------------------------------------------------------------------------------


class PhaseInput(PhaseSpec, forbid_unknown_fields=True, frozen=True):
    """One phase of a new job; omitted fields come from the preset of the job, its kind or the settings."""


class ItemInput(NewItem, forbid_unknown_fields=True, frozen=True, gc=False):
    """One item; its key is unique within the phase."""


class JobInput(JobOptions, kw_only=True, frozen=True):
    """A new job. The same name again answers the existing job with its new items added.

    A list that comes later than the job gives its total like one that comes with it. With `reopen` new items of a
    finished phase begin a new run that waits for them, and later gated phases begin a new run too.
    """

    name: Name
    kind: Code = "generic"
    project: Project = ""
    metadata: Blob = {}
    threshold: Percentage | None = None
    phases: Annotated[list[PhaseInput], Meta(max_length=MOST_PHASES)] = []
    asset_types: Annotated[list[AnyCode], Meta(max_length=MOST_PHASES)] = []
    items: Annotated[list[ItemInput], Meta(max_length=MOST_ITEMS)] | None = None
    reopen: bool = False

    def check(self) -> None:
        """Check the limits that types cannot express: encoded sizes, phases named once."""
        check_blob(self.metadata, field="metadata")
        check_items(self.items or [])
        seen: set[str] = set()
        for place, phase in enumerate(self.phases):
            if phase.code in seen:
                raise BadInput(
                    {f"phases[{place}].code": f"An earlier phase has the code {phase.code!r}. Choose another code."}
                )
            seen.add(phase.code)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `create_job`."""
        return {**{name: getattr(self, name) for name in JOB_ARGUMENTS}, **self.options()}


class HeartbeatInput(Input, frozen=True):
    """A heartbeat; it renews the leases of `items`, or of all that this worker holds in the job.

    Another `message` or `progress` (percent of the item in work) than the last one of this worker is progress of the
    job: without any for long it is stalled.
    """

    worker: WorkerName
    items: Ids | None = None
    message: Sentence = ""
    progress: Percentage | None = None
    version: Version = ""


# --- phases and items ----------------------------------------------------------------------------


class AnnounceInput(Input, frozen=True):
    """The number of items to expect, as `expected` or under the name in a pipeline's own events."""

    event_id: UUID | None = None
    expected: Number | None = None
    total_images: Number | None = None
    total_keyframes: Number | None = None
    total_frames: Number | None = None

    def total(self) -> int:
        """Return the announced number, from whichever field has it."""
        names = ("expected", "total_images", "total_keyframes", "total_frames")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        if not given:
            raise BadInput({"expected": "This field is required."})
        if len(set(given.values())) > 1:
            raise BadInput(dict.fromkeys(given, "Send the same number in each of these fields, or only one of them."))
        return int(next(iter(given.values())))


class ItemsInput(Input, frozen=True):
    """Items to add to a phase; existing keys are left alone."""

    items: Annotated[list[ItemInput], Meta(max_length=MOST_ITEMS)]
    reopen: bool = False

    def check(self) -> None:
        """Check the encoded sizes."""
        check_items(self.items)


class ClaimInput(Input, frozen=True):
    """The number of items to claim, and the length of the lease without a heartbeat."""

    worker: WorkerName
    limit: Annotated[int, Meta(ge=1, le=MOST_CLAIMED)] = 100
    lease_seconds: Seconds | None = None
    version: Version = ""


class ClaimAnyInput(ClaimInput, kw_only=True, frozen=True):
    """A claim of the oldest items of any job that has this phase."""

    phase: Code
    kind: AnyCode = ""


class ResultInput(Result, forbid_unknown_fields=True, frozen=True, gc=False):
    """The outcome of one item. Without `attempt` a report for an earlier lease is accepted too.

    With `retry` false a failure is final; `retry_after` are the seconds until its automatic retry. Of a `log` the last
    16 KiB are kept. Attempts that did not end in success, and those with a log or links, are kept in the history.
    """


class ReportInput(Input, frozen=True):
    """Outcomes of items of one phase."""

    results: Annotated[list[ResultInput], Meta(max_length=MOST_RESULTS)]
    worker: WorkerLabel = ""
    version: Version = ""

    def check(self) -> None:
        """Check the encoded sizes, the length of the checksums, and the addresses of links."""
        for place, result in enumerate(self.results):
            if result.result:
                check_blob(result.result, field=f"results[{place}].result")
                check_checksum(result.result.get("checksum"), field=f"results[{place}].result.checksum")
            if result.links:
                check_links(result.links, field=f"results[{place}].links")


class CountInput(Input, frozen=True):
    """Numbers of settled items of a phase without items; `event_id` makes repeating them within a run harmless."""

    event_id: UUID
    done: Number = 0
    failed: Number = 0
    skipped: Number = 0


class NoInput(Input, frozen=True):
    """An empty body."""


class FailPhaseInput(Input, frozen=True):
    """The reason why a phase failed."""

    error: str = ""


class EventInput(Input, frozen=True):
    """An event of a producer: its type, and the data that its contract describes."""

    type: Annotated[str, Meta(max_length=EVENT_TYPE_LENGTH)]
    data: Annotated[dict[str, Any], Meta(description="The data of the event, as its JSON Schema describes.")]


# --- sizes ---------------------------------------------------------------------------------------


def check_items(items: list[ItemInput]) -> None:
    """Refuse an item whose payload is too large when encoded."""
    for place, item in enumerate(items):
        if item.payload:
            check_blob(item.payload, field=f"items[{place}].payload")
