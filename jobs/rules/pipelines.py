"""The registry of pipelines, the kinds of jobs. Pure: no Django, no database.

An app registers its pipeline in `AppConfig.ready`; the kernel reads the registry and never imports the app. A kind
defines the phases of its jobs, the results that they accept, and the page that shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from jobs.rules.errors import BadInput
from jobs.rules.field_types import (
    AnyCode,
    Code,
    Label,
    MaxLeased,
    Number,
    Percentage,
    Retries,
    RetryDelay,
    Seconds,
    Stage,
)
from jobs.rules.statuses import Shortfall, Trigger

PhaseBuilder = Callable[["KindOptions"], "list[PhaseSpec]"]
ResultCheck = Callable[[Any, Any, dict[str, Any]], str | None]
CompletedHook = Callable[[Any, Any], None]
JOB_PAGE = "admin:job-page"


class PhaseSpec(Struct, frozen=True):
    """A phase to create. None means the preset of the job (threshold, retries), of its kind or of the settings."""

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
    retries: Retries | None = None
    retry_delay: RetryDelay | None = None
    retry_delay_max: RetryDelay | None = None
    silent_after: Seconds | None = None
    stalled_after: Seconds | None = None
    max_leased: MaxLeased | None = None

    def with_defaults(self) -> PhaseSpec:
        """Return the same phase with its label and stage filled in."""
        label = self.label or self.code.replace("_", " ").replace(".", " ").capitalize()
        return replace(self, label=label, stage=self.stage or f"{label} {{done}}/{{expected}}")


@dataclass(frozen=True, slots=True)
class KindOptions:
    """The choices of a job's creator that decide its phases."""

    phases: Sequence[PhaseSpec] = ()
    asset_types: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A pipeline.

    `build` turns the creator's options into phases. `default_threshold` is the percent where neither the phase nor the
    job has one (None: COMPLETION_THRESHOLD_PERCENTAGE), and `default_retries` the same for automatic retries (None:
    ITEM_RETRIES). `check_result` gets (job, phase, result) and returns why the
    result is refused, or None. `completed` gets (change, phase) when a phase completes, to add events or announcements
    to the same change. `page` names the URL of the page of a job (it takes the job's id). `list_page` names the URL of
    a list of its own; without one, its tab is the list of jobs of this kind. `plural` is the tab in the navigation, if
    any, and the keys `g` and `key` lead there. Jobs of a kind that is not `open` are created through its own endpoint,
    `created_at`. `inbound` maps each type of event that the pipeline accepts to its handler (an `EventHandler` of
    `jobs.inbox`), and `contracts` is the folder of their schemas.
    """

    code: str
    label: str
    build: PhaseBuilder
    default_threshold: int | None = 100
    default_retries: int | None = None
    check_result: ResultCheck | None = None
    completed: CompletedHook | None = None
    page: str = JOB_PAGE
    list_page: str = ""
    plural: str = ""
    key: str = ""
    open: bool = True
    created_at: str = ""
    inbound: Mapping[str, Any] = field(default_factory=dict)
    contracts: Path | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a pipeline; registering a code again replaces it. ValueError where another accepts one of its events."""
    others = {name for code, other in _kinds.items() if code != kind.code for name in other.inbound}
    if shared := sorted(others & set(kind.inbound)):
        raise ValueError(f"Another pipeline accepts {', '.join(shared)} already.")
    _kinds[kind.code] = kind


def get(code: str) -> Kind:
    """Return the kind of this code; BadInput lists the known kinds."""
    try:
        return _kinds[code]
    except KeyError:
        known = ", ".join(sorted(_kinds))
        raise BadInput({"kind": f"There is no kind {code!r}. Choose one of: {known}."}) from None


def find(code: str) -> Kind | None:
    """Return the kind of this code, or None where it is not registered."""
    return _kinds.get(code)


def check_open(code: str) -> None:
    """Raise BadInput, which names the endpoint to use, where jobs of this kind have an endpoint of their own."""
    kind = get(code)
    if not kind.open:
        raise BadInput({"kind": f"A job of kind {code} is created with data of its own: send POST {kind.created_at}."})


def page_of(code: str) -> str:
    """Return the name of the URL of a job's page; that of the plain page where the kind is not registered."""
    kind = find(code)
    return kind.page if kind else JOB_PAGE


def label_of(code: str) -> str:
    """Return the label of this kind; its code where it is not registered."""
    kind = find(code)
    return kind.label if kind else code


def listed() -> list[Kind]:
    """Return the kinds with a tab in the navigation, sorted by its name."""
    return sorted((kind for kind in _kinds.values() if kind.plural), key=lambda kind: kind.plural)


def accepting(type: str) -> tuple[Kind, Any] | None:
    """Return the kind that accepts this type of event, with its handler; None where no kind does."""
    return next(((kind, kind.inbound[type]) for kind in _kinds.values() if type in kind.inbound), None)


def inbound_types() -> tuple[str, ...]:
    """Return the types of events that are accepted, in alphabetical order."""
    return tuple(sorted(name for kind in _kinds.values() for name in kind.inbound))


def contract_folders() -> tuple[Path, ...]:
    """Return the folders of JSON Schemas that the registered pipelines bring."""
    return tuple(kind.contracts for kind in _kinds.values() if kind.contracts)


def choices() -> list[tuple[str, str]]:
    """Return (code, label) of every registered kind, for filters and forms."""
    return [(kind.code, kind.label) for kind in sorted(_kinds.values(), key=lambda kind: kind.label)]


# --- generic: phases named by the creator ----------------------------------------------------------


def _generic_phases(options: KindOptions) -> list[PhaseSpec]:
    if options.asset_types:
        raise BadInput({"asset_types": "A job of kind generic has no asset types. Name phases instead."})
    return list(options.phases) or [PhaseSpec(code="items", label="Items", stage="Processing {done}/{expected}")]


register(Kind(code="generic", label="Generic", build=_generic_phases, default_threshold=100))
