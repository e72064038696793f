"""What callers may ask for in the query of an address. An empty value is one that was not given."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from jobs.api.request_decoding import NAME
from jobs.rules.errors import BadInput
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.statuses import ItemStatus, JobStatus

Text = Annotated[str, Meta(max_length=1024)]
NameText = Annotated[str, Meta(max_length=1024, extra=NAME)]
Moment = Annotated[datetime, Meta(tz=True)]
Id = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]


class Query(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The base of every query: unknown parameters are refused."""


class PageQuery(Query, kw_only=True, frozen=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many results a page has at most.")] = 50
    cursor: Annotated[str, Meta(description="Where the page begins, as `next` of the page before it says.")] = ""


class JobQuery(PageQuery, kw_only=True, frozen=True):
    """Which jobs, and in which order."""

    status: Annotated[JobStatus | None, Meta(description="Only jobs in this status.")] = None
    kind: Annotated[Text, Meta(description="Only jobs of this kind.")] = ""
    project: Annotated[NameText, Meta(description="Only jobs of this project.")] = ""
    stuck: Annotated[bool | None, Meta(description="Only jobs that are stuck, or only those that are not.")] = None
    partial: Annotated[bool | None, Meta(description="Only jobs that finished partial, or only the others.")] = None
    name: Annotated[NameText, Meta(description="Only the job of exactly this name.")] = ""
    q: Annotated[Text, Meta(description="Only jobs whose name contains this text.")] = ""
    ordering: Annotated[
        Literal["-updated_at", "updated_at", "-created_at", "created_at", "name", "-name"],
        Meta(description="The field to order by; `-` for the largest first."),
    ] = "-updated_at"


class ItemQuery(PageQuery, kw_only=True, frozen=True):
    """Which items of a phase."""

    status: Annotated[ItemStatus | None, Meta(description="Only items in this status.")] = None
    split: Annotated[Text, Meta(description="Only items of this split.")] = ""
    q: Annotated[Text, Meta(description="Only items whose key or label contains this text.")] = ""


class ProgressQuery(Query, kw_only=True, frozen=True):
    """Of which phase."""

    phase: Annotated[Text, Meta(description="Only this phase; the whole job where it is left out.")] = ""


class ErrorQuery(Query, kw_only=True, frozen=True):
    """Which failures, and in which order their groups."""

    kind: Annotated[Text, Meta(description="Only failures in jobs of this kind.")] = ""
    project: Annotated[NameText, Meta(description="Only failures in jobs of this project.")] = ""
    status: Annotated[JobStatus | None, Meta(description="Only failures in jobs in this status.")] = None
    q: Annotated[Text, Meta(description="Only failures in jobs whose name contains this text.")] = ""
    since: Annotated[
        Moment | None, Meta(description="Only failures from this moment on, such as 2026-11-21T09:00:00Z.")
    ] = None
    ordering: Annotated[
        Literal["-count", "-last_at"], Meta(description="The most frequent first, or those that failed last.")
    ] = "-count"
    limit: Annotated[int, Meta(ge=1, le=200, description="How many groups at most.")] = 50

    def check(self) -> None:
        """BadInput for a moment that is none in every zone."""
        if self.since is not None and not MINYEAR < self.since.year < MAXYEAR:
            raise BadInput({"since": "This is no moment that can be compared."})


class EventQuery(Query, kw_only=True, frozen=True):
    """Which outward events."""

    after: Annotated[Id, Meta(description="Only events with a larger id: where the last answer ended.")] = 0
    job: Annotated[Id | None, Meta(description="Only events of the job with this id.")] = None
    type: Annotated[Text, Meta(description="Only events of exactly this type.")] = ""
    limit: Annotated[int, Meta(ge=1, le=200, description="How many events at most.")] = 50


class StreamQuery(Query, kw_only=True, frozen=True):
    """Which jobs to watch."""

    project: Annotated[NameText, Meta(description="Only jobs of this project.")] = ""
