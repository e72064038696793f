"""What callers may send: the shapes, and the bounds of every field.

Types are taken as they are ("10" is no integer) and unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
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
Version = Annotated[str, Meta(max_length=VERSION_LENGTH, description="Of the worker's program, such as ocr-1.4.2.")]
WorkerLabel = Annotated[str, Meta(max_length=WORKER_LENGTH, extra=NAME)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$(?!\n)")]
AnyCode = Annotated[str, Meta(max_length=CODE_LENGTH)]
Stage = Annotated[str, Meta(max_length=TEMPLATE_LENGTH)]
Sentence = Annotated[str, Meta(max_length=REASON_LENGTH)]
Signature = Annotated[str, Meta(max_length=ERROR_LENGTH)]
Blob = Annotated[dict[str, Any], Meta(description="Any JSON object of at most 16 KiB.")]
Ids = Annotated[list[Number], Meta(max_length=MOST_ITEMS)]
RestartScope = Literal["all", "failed"]


class Input(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """The base of every body: strict, and nothing in it that was not asked for."""


# --- jobs ----------------------------------------------------------------------------------------


class PhaseInput(Input, frozen=True):
    """One phase of a new job; what is left out is the preset of the job, its kind or the settings."""

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
    """A new job; the same name again answers the existing one with its new items added.

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
        """The bounds that need more than one look: encoded sizes, phases named once."""
        check_blob(self.metadata, field="metadata")
        check_items(self.items or [])
        seen: set[str] = set()
        for place, phase in enumerate(self.phases):
            if phase.code in seen:
                raise BadInput({f"phases[{place}].code": f"There is a phase {phase.code!r} before it."})
            seen.add(phase.code)

    def arguments(self) -> dict[str, Any]:
        """What `create_job` takes."""
        values = {name: getattr(self, name) for name in JOB_ARGUMENTS}
        phases = [PhaseSpec(**asdict(phase)) for phase in self.phases]
        return {**values, "phases": phases, "items": None if self.items is None else new_items(self.items)}


class HeartbeatInput(Input, frozen=True):
    """A sign of life; it renews the leases of `items`, or of all that this worker holds in the job."""

    worker: WorkerName
    items: Ids | None = None
    message: Sentence = ""
    version: Version = ""


# --- phases and items ----------------------------------------------------------------------------


class AnnounceInput(Input, frozen=True):
    """How many items to expect, as `expected` or under the name that a pipeline's own events use."""

    event_id: UUID | None = None
    expected: Number | None = None
    total_images: Number | None = None
    total_keyframes: Number | None = None
    total_frames: Number | None = None

    def total(self) -> int:
        """The one number that was announced, under whichever name."""
        names = ("expected", "total_images", "total_keyframes", "total_frames")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        if not given:
            raise BadInput({"expected": "This is required."})
        if len(set(given.values())) > 1:
            raise BadInput(dict.fromkeys(given, "The totals in one announcement must be the same."))
        return int(next(iter(given.values())))


class ItemsInput(Input, frozen=True):
    """Items to add to a phase; those that it has are left alone."""

    items: Annotated[list[ItemInput], Meta(max_length=MOST_ITEMS)]
    reopen: bool = False

    def check(self) -> None:
        """The encoded sizes."""
        check_items(self.items)

    def new(self) -> list[NewItem]:
        """What `add_items` takes."""
        return new_items(self.items)


class ClaimInput(Input, frozen=True):
    """How many items a worker takes, and for how long they are its own without a sign of life."""

    worker: WorkerName
    limit: Limit = 100
    lease_seconds: Seconds | None = None
    version: Version = ""


class ClaimAnyInput(ClaimInput, kw_only=True, frozen=True):
    """A claim of the oldest items of any job that has this phase."""

    phase: Code
    kind: AnyCode = ""


class ResultInput(Input, frozen=True):
    """The outcome of one item; without `attempt` the fence is not looked at."""

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
        """The encoded sizes, and the length of the checksums."""
        for place, result in enumerate(self.results):
            if result.result:
                check_blob(result.result, field=f"results[{place}].result")
                check_checksum(result.result.get("checksum"), field=f"results[{place}].result.checksum")

    def verdicts(self) -> list[Result]:
        """What `report` takes."""
        return [Result(row.key, row.status, row.attempt, row.error, row.result) for row in self.results]


class CountInput(Input, frozen=True):
    """What was settled in a phase without items; `event_id` makes repeating it within a run harmless."""

    event_id: UUID
    done: Number = 0
    failed: Number = 0
    skipped: Number = 0


class NoInput(Input, frozen=True):
    """Nothing to say."""


class FailPhaseInput(Input, frozen=True):
    """Why a phase failed."""

    error: str = ""


class EventInput(Input, frozen=True):
    """What a producer tells: the type of the event, and the data that its contract describes."""

    type: Annotated[str, Meta(max_length=EVENT_TYPE_LENGTH)]
    data: Annotated[dict[str, Any], Meta(description="As the contract of the type describes it.")]


# --- operators -----------------------------------------------------------------------------------


# --- sizes and conversions ---------------------------------------------------------------------------------------


def new_items(items: list[ItemInput]) -> list[NewItem]:
    """Items as the verbs take them."""
    return [NewItem(item.key, item.label, item.split, item.payload) for item in items]


def check_items(items: list[ItemInput]) -> None:
    """Refuse an item whose payload is too large when encoded."""
    for place, item in enumerate(items):
        if item.payload:
            check_blob(item.payload, field=f"items[{place}].payload")
