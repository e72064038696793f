"""The page on which leads create and revoke links of the wall."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from jobs.console.base import forbidden_page, render_page
from jobs.operations.wall_links import give_wall_link, manageable_wall_links, revoke_wall_link, usable_views
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.limits import VIEW_NAME_LENGTH

NEEDED = "To give out links of the wall, your account needs the permission jobs.manage_wall_links (role lead)."
LISTED = 100
DAYS = [(7, "a week"), (90, "90 days"), (365, "a year")]


class WallLinkForm(forms.Form):
    """The place, the view and the time of a link."""

    label = forms.CharField(max_length=VIEW_NAME_LENGTH, help_text="The place of the screen, such as “Office”.")
    view = forms.ChoiceField(required=False, label="Shows")
    days = forms.TypedChoiceField(coerce=int, choices=DAYS, initial=90, label="Valid for")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.views = {str(view.pk): view for view in usable_views(user)}
        choices = [("", "The overview"), *((pk, view.name) for pk, view in self.views.items())]
        self.fields["view"].choices = choices  # type: ignore[attr-defined]


@never_cache
def wall_links(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """List the links, and give one out; its address is shown once."""
    user = request.user
    if not (isinstance(user, User) and user.has_perm("jobs.manage_wall_links")):
        return forbidden_page(request, site, NEEDED)
    form = WallLinkForm(request.POST or None, user=user)
    address = _give(request, form, user) if request.method == "POST" and form.is_valid() else ""
    context = {
        "title": "Wall",
        "form": WallLinkForm(user=user) if address else form,
        "address": address,
        "links": manageable_wall_links(user).select_related("created_by", "view")[:LISTED],
        "now": timezone.now(),
    }
    return render_page(request, site, "jobs/wall/links.html", context)


def revoke_link(request: HttpRequest, site: AdminSite, link_id: int) -> HttpResponse:
    """Revoke a link at once."""
    user = request.user
    if not (isinstance(user, User) and user.has_perm("jobs.manage_wall_links")):
        return forbidden_page(request, site, NEEDED)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        messages.success(request, f"The link “{revoke_wall_link(link_id, by=user).label}” is revoked.")
    except NotFound as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("admin:wall-links"))


def _give(request: HttpRequest, form: WallLinkForm, user: User) -> str:
    """Create the link and return its address; empty with an error in the form where it is refused."""
    given = form.cleaned_data
    try:
        _, secret = give_wall_link(given["label"], view=form.views.get(given["view"]), days=given["days"], by=user)
    except BadInput as error:
        for text in error.errors.values():
            form.add_error(None, str(text))
        return ""
    return request.build_absolute_uri(reverse("wall", args=[secret]))
