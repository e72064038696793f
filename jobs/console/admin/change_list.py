"""The rows of a list with what its page shows around them: chips of filters, columns, totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst

from jobs.console.admin.filter_words import FILTER_FIELD, parameters_of
from jobs.rules.formatting import format_number

COLUMNS_VAR = "columns"
MOST_COUNTED = 10_000
MOST_BUTTONS = 5
# Columns that tell which row it is, and lead to its page.
KEPT_COLUMNS = ("action_checkbox", "state", "link", "name", "path", "begins", "username", "user", "run_number", "code")


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in words; without an address it is a default that stays."""

    text: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """A column that an account may show or hide."""

    name: str
    label: str
    is_shown: bool
    is_kept: bool


@dataclass(frozen=True, slots=True)
class ActionButton:
    """A button for the selected rows; `description` is its whole sentence."""

    name: str
    label: str
    description: str
    is_grave: bool


class ConsoleList(ChangeList):
    """The rows of one page of a list."""

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Leave out the chosen columns, which are no filter."""
        found: dict[str, Any] = super().get_filters_params(params)
        found.pop(COLUMNS_VAR, None)
        return found

    @property
    def chips(self) -> list[Chip]:
        """The search and every filter that narrows the list."""
        found = [Chip(f"“{self.query}”", self.without(SEARCH_VAR))] if self.query else []
        return [*found, *(chip for spec in self.filter_specs for chip in self._chips_of(spec))]

    def _chips_of(self, spec: Any) -> Iterator[Chip]:
        if hasattr(spec, "chips"):
            yield from (Chip(text, self.without(*names)) for text, names in spec.chips())
            return
        chosen = next((str(choice["display"]) for choice in spec.choices(self) if choice["selected"]), "")
        names = [name for name in spec.expected_parameters() if name in self.filter_params]
        if names:
            yield Chip(f"{capfirst(spec.title)}: {chosen or self.filter_params[names[0]][-1]}", self.without(*names))
        elif chosen not in ("", "All"):
            yield Chip(chosen)

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter or a search can be removed."""
        return any(chip.address for chip in self.chips)

    @property
    def without_filters(self) -> str:
        """The query string without filters and search; columns and order stay."""
        kept = {name: self.filter_params[name] for name in (COLUMNS_VAR, ORDER_VAR) if name in self.filter_params}
        return f"?{urlencode(sorted(kept.items()), doseq=True)}"

    def without(self, *names: str) -> str:
        """Return the query string without these parameters."""
        kept = {name: values for name, values in self.filter_params.items() if name not in names}
        return f"?{urlencode(sorted(kept.items()), doseq=True)}"

    def pairs_without(self, *names: str) -> list[tuple[str, str]]:
        """Return the parameters but these, as a form repeats them in hidden fields."""
        return [
            (name, value)
            for name, values in self.filter_params.items()
            if name not in (*names, PAGE_VAR)
            for value in values
        ]

    @property
    def pairs_for_search(self) -> list[tuple[str, str]]:
        """The parameters that the filter field keeps."""
        return self.pairs_without(SEARCH_VAR)

    @property
    def console_admin(self) -> Any:
        """The admin of the list, with the methods of `ListMixin`."""
        return self.model_admin

    @property
    def pairs_for_columns(self) -> list[tuple[str, str]]:
        """The parameters that the choice of columns keeps; an order counts the columns, so it is left out."""
        return self.pairs_without(COLUMNS_VAR, ORDER_VAR)

    @property
    def column_choices(self) -> list[ColumnChoice]:
        """Every column of the list."""
        return [
            ColumnChoice(name, self._label(name), name in self.list_display, name in KEPT_COLUMNS)
            for name in (*self.model_admin.list_display, *self.console_admin.more_columns)
        ]

    def _label(self, name: str) -> str:
        return capfirst(str(label_for_field(name, self.model, self.model_admin)))

    @property
    def count_text(self) -> str:
        """The number of rows in words: `1,234 jobs`, or `more than 10,000 jobs` where counting has stopped."""
        noun = self.console_admin.noun(self.result_count)
        if self.result_count >= MOST_COUNTED and not self.model_admin.show_full_result_count:
            return f"{format_number(MOST_COUNTED)} {noun} or more"
        return f"{format_number(self.result_count)} {noun}"

    @property
    def totals(self) -> list[str]:
        """Figures over all rows that match."""
        found: list[str] = self.console_admin.totals(self.queryset)
        return found


class ListMixin:
    """A list of the console: its rows, its columns, and filters that are typed into its search field.

    It refuses numbers in its address that no database can store: SQLite raises OverflowError for them, and the
    comparison of a foreign key does not check its range.
    """

    more_columns: tuple[str, ...] = ()
    noun_one = noun_many = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the rows."""
        return ConsoleList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the rows of the list; IncorrectLookupParameters, as for every wrong value, where one is too large."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except OverflowError as error:
            raise IncorrectLookupParameters(error) from error

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns that the address names, else the usual ones."""
        usual = super().get_list_display(request)  # type: ignore[misc]
        chosen = {*request.GET.getlist(COLUMNS_VAR)} & {*usual, *self.more_columns}
        shown = [name for name in (*usual, *self.more_columns) if name in chosen or name in KEPT_COLUMNS]
        return shown if chosen else usual

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; filters in the words of the search become parameters of the address."""
        # No database accepts a NUL in a parameter, and no row contains one.
        if any("\0" in value for value in request.GET.values()):
            return HttpResponseRedirect(request.path)
        found = parameters_of(request.GET.get(SEARCH_VAR, ""), known=self._parameters(request))
        if request.method == "GET" and found:
            query = request.GET.copy()
            query.pop(PAGE_VAR, None)
            for name, value in found:
                query[name] = value
            if not query[SEARCH_VAR]:
                query.pop(SEARCH_VAR)
            return HttpResponseRedirect(f"?{query.urlencode()}")
        context = {"title": capfirst(self.noun(0)), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)  # type: ignore[misc]
        return response

    def _parameters(self, request: HttpRequest) -> set[str]:
        filters = self.get_list_filter(request)  # type: ignore[attr-defined]
        return {name for each in filters for name in getattr(each, FILTER_FIELD, ())} | {
            each.parameter_name for each in filters if getattr(each, "parameter_name", None)
        }

    def action_buttons(self, choices: Iterable[tuple[str, str]]) -> dict[str, list[ActionButton]]:
        """Return the buttons of the selected rows: the first ones, and those behind More."""
        buttons = [
            ActionButton(name, self.action_label(name, label), label, self.is_grave(name))
            for name, label in choices
            if name
        ]
        most = MOST_BUTTONS if len(buttons) > MOST_BUTTONS + 1 else len(buttons)
        return {"first": buttons[:most], "more": buttons[most:]}

    def is_grave(self, name: str) -> bool:
        """Return whether the button of an action is marked as dangerous."""
        return name == "delete_selected"

    def action_label(self, name: str, description: str) -> str:
        """Return the text of a button."""
        return description

    def noun(self, number: int) -> str:
        """Return the noun of the rows."""
        opts = self.opts  # type: ignore[attr-defined]
        one, many = self.noun_one or opts.verbose_name, self.noun_many or opts.verbose_name_plural
        return str(one if number == 1 else many)

    def totals(self, rows: Any) -> list[str]:
        """Return figures over all rows that match: none."""
        return []


class PermissionFirst:
    """A list whose history needs the permission before the row is looked up.

    Django looks the row up first, and so tells every account which rows exist.
    """

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the acts on a row."""
        if not self.has_view_or_change_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)  # type: ignore[misc]
