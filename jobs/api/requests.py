"""Request bodies, and the limits of every field.

Types are not converted ("10" is not an integer) and unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import asdict

from jobs.api.request_decoding import NAME
from jobs.api.size_limits import check_blob, check_checksum
from jobs.rules.errors import BadInput
from jobs.rules.limits import (
    CODE_LENGTH,
    ERROR_LENGTH,
    EVENT_TYPE_LENGTH,
    KEY_LENGTH,
    LARGEST_INTEGER,
    MOST_ITEMS,
    MOST_PHASES,
    MOST_RESULTS,
    NAME_LENGTH,
    PROJECT_LENGTH,
    REASON_LENGTH,
    SPLIT_LENGTH,
    TEMPLATE_LENGTH,
    VERSION_LENGTH,
    WORKER_LENGTH,
)
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import ItemStatus, Shortfall, Trigger
from jobs.tracking import NewItem, Result

JOB_ARGUMENTS = ("name", "kind", "project", "metadata", "threshold", "asset_types", "reopen")

Number = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
Percentage = Annotated[int, Meta(ge=0, le=100)]
Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH, pattern=r"\S", extra=NAME)]
Label = Annotated[str, Meta(max_length=NAME_LENGTH)]
Key = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH)]
Split = Annotated[str, Meta(max_length=SPLIT_LENGTH)]
Project = Annotated[str, Meta(max_length=PROJECT_LENGTH, extra=NAME)]
WorkerName = Annotated[str, Meta(min_length=1, max_length=WORKER_LENGTH, pattern=r"\S", extra=NAME)]
Version = Annotated[
    str, Meta(max_length=VERSION_LENGTH, description="Version of the worker's program, such as ocr-1.4.2.")
]
WorkerLabel = Annotated[str, Meta(max_length=WORKER_LENGTH, extra=NAME)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$(?!\n)")]
AnyCode = Annotated[str, Meta(max_length=CODE_LENGTH)]
Stage = Annotated[str, Meta(max_length=TEMPLATE_LENGTH)]
Sentence = Annotated[str, Meta(max_length=REASON_LENGTH)]
Signature = Annotated[str, Meta(max_length=ERROR_LENGTH)]
Blob = Annotated[dict[str, Any], Meta(description="Any JSON object of at most 16 KiB.")]
Ids = Annotated[list[Number], Meta(max_length=MOST_ITEMS)]


class Input(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """Base of every body: no conversion of types, no unknown fields."""


# --- jobs ----------------------------------------------------------------------------------------


class PhaseInput(Input, frozen=True):
    """One phase of a new job; omitted fields come from the preset of the job, its kind or the settings."""

    code: Code
    asset_type: AnyCode = ""
    label: Label = ""
    stage: Stage = ""
    weight: Number = 100
    expected: Number | None = None
    threshold: Percentage | None = None
    trigger: Trigger | None = None
    on_shortfall: Shortfall | None = None
    gated: bool = False
    watermark_ttl: Seconds | None = None


class ItemInput(Input, frozen=True):
    """One item; its key is unique within the phase."""

    key: Key
    label: Label = ""
    split: Split = ""
    payload: Blob = {}


class JobInput(Input, frozen=True):
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
        values = {name: getattr(self, name) for name in JOB_ARGUMENTS}
        phases = [PhaseSpec(**asdict(phase)) for phase in self.phases]
        return {**values, "phases": phases, "items": None if self.items is None else new_items(self.items)}


class HeartbeatInput(Input, frozen=True):
    """A heartbeat; it renews the leases of `items`, or of all that this worker holds in the job."""

    worker: WorkerName
    items: Ids | None = None
    message: Sentence = ""
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

    def new(self) -> list[NewItem]:
        """Return the items for `add_items`."""
        return new_items(self.items)


class ClaimInput(Input, frozen=True):
    """The number of items to claim, and the length of the lease without a heartbeat."""

    worker: WorkerName
    limit: Limit = 100
    lease_seconds: Seconds | None = None
    version: Version = ""


class ClaimAnyInput(ClaimInput, kw_only=True, frozen=True):
    """A claim of the oldest items of any job that has this phase."""

    phase: Code
    kind: AnyCode = ""


class ResultInput(Input, frozen=True):
    """The outcome of one item. Without `attempt` a report for an earlier lease is accepted too."""

    key: Key
    status: ItemStatus
    attempt: Number | None = None
    error: str = ""
    result: Blob = {}


class ReportInput(Input, frozen=True):
    """Outcomes of items of one phase."""

    results: Annotated[list[ResultInput], Meta(max_length=MOST_RESULTS)]
    worker: WorkerLabel = ""
    version: Version = ""

    def check(self) -> None:
        """Check the encoded sizes, and the length of the checksums."""
        for place, result in enumerate(self.results):
            if result.result:
                check_blob(result.result, field=f"results[{place}].result")
                check_checksum(result.result.get("checksum"), field=f"results[{place}].result.checksum")

    def verdicts(self) -> list[Result]:
        """Return the results for `report`."""
        return [Result(row.key, row.status, row.attempt, row.error, row.result) for row in self.results]


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


# --- sizes and conversions ---------------------------------------------------------------------------------------


def new_items(items: list[ItemInput]) -> list[NewItem]:
    """Return items for `create_job` and `add_items`."""
    return [NewItem(item.key, item.label, item.split, item.payload) for item in items]


def check_items(items: list[ItemInput]) -> None:
    """Refuse an item whose payload is too large when encoded."""
    for place, item in enumerate(items):
        if item.payload:
            check_blob(item.payload, field=f"items[{place}].payload")
