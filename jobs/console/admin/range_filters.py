"""Filters with free values: periods, projects, metadata."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db.models import Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.text import capfirst

from jobs.rules import names

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices

Chips = Iterator[tuple[str, tuple[str, ...]]]
DAY = timedelta(days=1)
METADATA = "metadata."


class Period(admin.SimpleListFilter):
    """A time of a job: within the last hours or days, or between two days. Days are those of UTC."""

    template = "jobs/lists/period_filter.html"
    field: str
    lengths = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
    words = {
        "1h": "In the last hour",
        "24h": "In the last 24 hours",
        "7d": "In the last 7 days",
        "30d": "In the last 30 days",
    }
    sign = -1

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.request = request
        self.kept = kept_pairs(request, *self.expected_parameters())
        self.bounds = {name: (params.pop(name, [""])[-1] or "").strip() for name in self._bounds()}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if getattr(cls, "parameter_name", None):
            cls.typed_parameters = cls._bounds()  # type: ignore[attr-defined]

    @classmethod
    def _bounds(cls) -> tuple[str, str]:
        return f"{cls.parameter_name}_from", f"{cls.parameter_name}_to"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the lengths."""
        return list(self.words.items())

    def expected_parameters(self) -> list[str | None]:
        """Return the names of the length and of both bounds."""
        return [self.parameter_name, *self._bounds()]

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Return the choices; each removes the bounds, as Django removes parameters by their beginning."""
        for choice in super().choices(changelist):
            yield {**choice, "selected": choice["selected"] and not any(self.bounds.values())}

    def fields(self) -> list[tuple[str, str, str]]:
        """Return label, name and value of both bounds."""
        (first, last), (begin, end) = self._bounds(), self.bounds.values()
        return [("From", first, begin), ("To", last, end)]

    def chips(self) -> Chips:
        """Yield the period in words."""
        if words := self.words.get(self.value() or ""):
            yield f"{capfirst(self.title)} {words[0].lower()}{words[1:]}", (str(self.parameter_name),)
        for word, (name, value) in zip(("from", "to"), self.bounds.items(), strict=True):
            if value:
                yield f"{capfirst(self.title)} {word} {value}", (name,)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the period; IncorrectLookupParameters for a value that is no day and no time."""
        if length := self.lengths.get(self.value() or ""):
            edges = sorted([timezone.now(), timezone.now() + self.sign * length])
            # The past has no end: a job that finishes meanwhile is within it.
            within = {"__range": edges} if self.sign > 0 else {"__gte": edges[0]}
            queryset = queryset.filter(**{f"{self.field}{lookup}": value for lookup, value in within.items()})
        first, last = self.bounds.values()
        if first:
            queryset = queryset.filter(**{f"{self.field}__gte": self._moment(first)})
        if last:
            whole_day = DAY if parse_date_or_none(last) else timedelta()
            queryset = queryset.filter(**{f"{self.field}__lt": self._moment(last) + whole_day})
        return queryset

    def _moment(self, text: str) -> datetime:
        try:
            day = parse_date_or_none(text)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
            if moment is not None:
                # A day at the end of the calendar has no next one.
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                moment + DAY, moment.astimezone(UTC)
                return moment
        except (ValueError, OverflowError):
            pass
        messages.error(self.request, f"{capfirst(self.title)}: enter a day such as 2026-11-30, or 2026-11-30T14:00.")
        raise IncorrectLookupParameters(text)


def parse_date_or_none(text: str) -> Any:
    """Return the day that a text is; None for a time or another text."""
    try:
        return parse_date(text)
    except ValueError:
        return None


class Created(Period):
    """The time when a job was created."""

    title = parameter_name = "created"
    field = "created_at"


class Finished(Period):
    """The time when a job finished."""

    title = parameter_name = "finished"
    field = "finished_at"


class Due(Period):
    """The due time of a job; its lengths look ahead."""

    title = parameter_name = "due"
    field = "due_at"
    sign = 1
    words = {"1h": "Within an hour", "24h": "Within 24 hours", "7d": "Within 7 days"}


class Project(admin.SimpleListFilter):
    """A project that is entered as text. Listing all projects would scan the whole table."""

    title = parameter_name = "project"
    template = "jobs/lists/text_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.kept = kept_pairs(request, self.parameter_name)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return no choices: the project is entered as text."""
        return []

    def has_output(self) -> bool:
        """Return true, because the text field is always shown."""
        return True

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Yield the link that removes the filter."""
        query_string = changelist.get_query_string(remove=[self.parameter_name])
        yield {"selected": not self.value(), "query_string": query_string, "display": "All"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to exactly this project."""
        project = names.plain(self.value() or "")
        return queryset.filter(project=project) if project else queryset


def kept_pairs(request: HttpRequest, *names: str | None) -> list[tuple[str, str]]:
    """Return the parameters of the address but these, without page and error, as a form repeats them."""
    dropped = {*names, PAGE_VAR, ERROR_FLAG}
    return [(name, value) for name, values in request.GET.lists() if name not in dropped for value in values]


class Metadata(admin.ListFilter):
    """Values of a job's metadata: `?metadata.customer=acme`. Shown only where the address names one.

    No index has them. The database reads the metadata of the jobs that the other filters leave, in the order of the
    list, and stops when a page is full.
    """

    title = "metadata"
    template = "jobs/lists/no_filter.html"
    typed_parameters = (METADATA,)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.wanted = {name: params.pop(name)[-1] for name in [*params] if name.startswith(METADATA)}

    def has_output(self) -> bool:
        """Return whether the address names a value."""
        return bool(self.wanted)

    def expected_parameters(self) -> list[str | None]:
        """Return the parameters of the address."""
        return list(self.wanted)

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Yield nothing: values are typed."""
        yield from ()

    def value(self) -> str:
        """Return the wanted values in words."""
        return ", ".join(f"{name.removeprefix(METADATA)}={value}" for name, value in self.wanted.items())

    def chips(self) -> Chips:
        """Yield each wanted value."""
        for name, value in self.wanted.items():
            yield f"{name.removeprefix(METADATA)} = {value}", (name,)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the jobs with these values."""
        for name, value in self.wanted.items():
            queryset = queryset.filter(has_value(name.removeprefix(METADATA), value))
        return queryset


class MemberText(KeyTextTransform):
    """A value of a JSON object as text, whatever is in its key. A path of SQLite cannot name a key with a quote."""

    def as_sqlite(self, compiler: Any, connection: Any, **extra_context: Any) -> Any:
        """Search the members one by one for such a key."""
        if '"' not in self.key_name:
            return super().as_sqlite(compiler, connection, **extra_context)
        column, values = compiler.compile(self.lhs)
        text = "CASE WHEN type IN ('true', 'false') THEN type ELSE value END"
        member = f"(SELECT {text} FROM json_each({column}) WHERE key = %s)"  # noqa: S608  compiled; the key is a parameter
        return member, (*values, self.key_name)


def has_value(key: str, value: str) -> Q:
    """Return the condition that the metadata have this value: a text, or a number, true or false in its notation."""
    return Q(Exact(Cast(MemberText(key, "metadata"), TextField()), value))
