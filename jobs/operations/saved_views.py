"""Acts on saved views of lists: save and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from django.db import transaction
from django.utils import timezone

from jobs.access import lock_account
from jobs.models.saved_views import SavedView
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.limits import MOST_VIEWS, VIEW_NAME_LENGTH, VIEW_QUERY_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def save_view(name: str, *, list_name: str, query: str, shared: bool, by: User) -> SavedView:
    """Save the filters of a list under a name; a view of this account with the same name is replaced.

    BadInput names the wrong field.
    """
    name = names.clean(name, field="name", most=VIEW_NAME_LENGTH)
    if not name:
        raise BadInput({"name": "Enter a name for the view."})
    if "\0" in query or len(query) > VIEW_QUERY_LENGTH:
        raise BadInput({"query": f"Use filters of at most {VIEW_QUERY_LENGTH} characters."})
    values = {"query": _normal(query), "shared": shared}
    with transaction.atomic():
        # The lock makes the number of views exact, and the same name twice one view.
        own = SavedView.objects.filter(account=lock_account(by.pk), list_name=list_name)
        if own.filter(name=name).update(**values):
            return own.get(name=name)
        if own.count() >= MOST_VIEWS:
            raise BadInput({"name": f"Delete one of your {MOST_VIEWS} views of this list first."})
        return SavedView.objects.create(account=by, list_name=list_name, name=name, created_at=timezone.now(), **values)


def delete_view(pk: int, *, by: User) -> SavedView:
    """Delete a view of this account; a superuser may delete shared ones too. NotFound for another one."""
    found = SavedView.objects.visible_to(by.pk, is_limited=not by.is_superuser)
    view = found.filter(pk=pk).first()
    if view is None:
        raise NotFound("This view does not exist, or it is not yours.")
    found.filter(pk=pk).delete()
    return view


def _normal(query: str) -> str:
    """Return the query string as lists write it, without page and error."""
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in ("p", "e")]
    return urlencode(sorted(pairs))
