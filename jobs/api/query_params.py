"""Query parameters of the API. An empty value counts as not given."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from jobs.rules.field_types import NAME, Moment, Number
from jobs.rules.limits import KEY_LENGTH, MOST_LISTED
from jobs.rules.statuses import ItemStatus, JobStatus

Text = Annotated[str, Meta(max_length=KEY_LENGTH)]
NameText = Annotated[str, Meta(max_length=KEY_LENGTH, extra=NAME)]


class Query(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every query: unknown parameters are refused."""


class PageQuery(Query, kw_only=True, frozen=True):
    """Page of a list."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="Maximum number of results in a page.")] = 50
    cursor: Annotated[str, Meta(description="Start of the page; `next` of the page before has it.")] = ""


class JobQuery(PageQuery, kw_only=True, frozen=True):
    """Filters and order of a list of jobs."""

    status: Annotated[JobStatus | None, Meta(description="Only jobs in this status.")] = None
    kind: Annotated[Text, Meta(description="Only jobs of this kind.")] = ""
    project: Annotated[NameText, Meta(description="Only jobs of this project.")] = ""
    stuck: Annotated[bool | None, Meta(description="Only stuck jobs; with false only jobs that are not stuck.")] = None
    late: Annotated[bool | None, Meta(description="Only late jobs; with false only jobs that are not late.")] = None
    partial: Annotated[
        bool | None, Meta(description="Only jobs that finished partial; with false only jobs that did not.")
    ] = None
    name: Annotated[NameText, Meta(description="Only the job of exactly this name.")] = ""
    q: Annotated[Text, Meta(description="Only jobs whose name contains this text.")] = ""
    ordering: Annotated[
        Literal["-updated_at", "updated_at", "-created_at", "created_at", "name", "-name", "priority", "-priority"],
        Meta(description="The field to order by; `-` for the largest first."),
    ] = "-updated_at"


class ItemQuery(PageQuery, kw_only=True, frozen=True):
    """Filters of the items of a phase."""

    status: Annotated[ItemStatus | None, Meta(description="Only items in this status.")] = None
    split: Annotated[Text, Meta(description="Only items of this split.")] = ""
    q: Annotated[Text, Meta(description="Only items whose key or label contains this text.")] = ""


class ProgressQuery(Query, kw_only=True, frozen=True):
    """Phase whose progress is wanted."""

    phase: Annotated[Text, Meta(description="Only this phase; the whole job by default.")] = ""


class ErrorQuery(Query, kw_only=True, frozen=True):
    """Filters of errors, and the order of their groups."""

    kind: Annotated[Text, Meta(description="Only failures in jobs of this kind.")] = ""
    project: Annotated[NameText, Meta(description="Only failures in jobs of this project.")] = ""
    status: Annotated[JobStatus | None, Meta(description="Only failures in jobs in this status.")] = None
    q: Annotated[Text, Meta(description="Only failures in jobs whose name contains this text.")] = ""
    since: Annotated[
        Moment | None, Meta(description="Only failures since this time, such as 2026-11-21T09:00:00Z.")
    ] = None
    ordering: Annotated[
        Literal["-count", "-last_at"],
        Meta(description="Order of the groups: the most frequent first, or the latest first."),
    ] = "-count"
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="Maximum number of groups.")] = 50


class EventQuery(Query, kw_only=True, frozen=True):
    """Filters of outward events."""

    after: Annotated[Number, Meta(description="Only events with a larger id: the last id of the previous answer.")] = 0
    job: Annotated[Number | None, Meta(description="Only events of the job with this id.")] = None
    type: Annotated[Text, Meta(description="Only events of exactly this type.")] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="Maximum number of events.")] = 50


class ActivityQuery(PageQuery, kw_only=True, frozen=True):
    """Filters of the activity."""

    actor: Annotated[NameText, Meta(description="Only acts of exactly this person.")] = ""
    act: Annotated[Text, Meta(description="Only acts of this kind, such as `force-complete`.")] = ""
    project: Annotated[NameText, Meta(description="Only acts in this project.")] = ""
    job: Annotated[Number | None, Meta(description="Only acts on the job with this id.")] = None
    since: Annotated[Moment | None, Meta(description="Only acts since this time, such as 2026-11-21T09:00:00Z.")] = None
    until: Annotated[Moment | None, Meta(description="Only acts before this time.")] = None


class StreamQuery(Query, kw_only=True, frozen=True):
    """Jobs to watch."""

    project: Annotated[NameText, Meta(description="Only jobs of this project.")] = ""
