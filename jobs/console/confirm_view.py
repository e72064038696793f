"""The base of every page that asks for confirmation before an act."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from jobs.console.base import back_url, forbidden_page, not_found_page, render_page
from jobs.rules.limits import REASON_LENGTH

FIELD = "shown"
SALT = "jobs.shown"
VALID_SECONDS = 12 * 3600
CHECK_AGAIN = "Check the current numbers and confirm again."


def changed_sentence(subject: str) -> str:
    """Say that the subject differs from the page that the operator confirmed."""
    return f"{subject} since this page was loaded. {CHECK_AGAIN}"


class ReasonForm(forms.Form):
    """An optional reason."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        required=False,
        help_text="Optional. Stored with your name in the audit log.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )


class ConfirmView(ABC):
    """A page that shows the effect of an act, and runs the act once the operator confirms.

    The sequence is the same for every act: check the permission, find the targets, validate the form, compare the
    state of the targets with the one that the page showed, act, go back with a message.

    template      the page; it extends `jobs/confirm/base.html`
    form_class    the questions; an empty form where there are none
    home          name of the URL to go back to when the request names none
    grave         the button is marked as dangerous
    shows_secret  the answer must not be cached
    """

    template: ClassVar[str] = "jobs/confirm/base.html"
    form_class: ClassVar[type[forms.Form]] = ReasonForm
    home: ClassVar[str] = "admin:index"
    grave: bool = False
    shows_secret: ClassVar[bool] = False
    changed: str = ""

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self.request, self.site = request, site
        self.is_confirmed = request.method == "POST"

    @classmethod
    def as_page(cls) -> Callable[..., HttpResponse]:
        """Return the function that the admin site routes to."""

        def page(request: HttpRequest, site: AdminSite, **arguments: Any) -> HttpResponse:
            return cls(request, site, **arguments).respond()

        return never_cache(page) if cls.shows_secret else page

    def respond(self) -> HttpResponse:
        """Answer the request."""
        if missing := self.missing_permission():
            return forbidden_page(self.request, self.site, missing)
        if not self.find():
            return not_found_page(self.request, self.site, self.not_found)
        if not self.is_confirmed:
            return self.page()
        form = self.form()
        if not form.is_valid():
            return self.page(form)
        if not self.is_current():
            messages.warning(self.request, self.changed)
            return self.page(form)
        return self.confirmed(form)

    # --- what a page declares ------------------------------------------------------------------------

    @property
    @abstractmethod
    def not_found(self) -> str:
        """The sentence of the 404 page."""

    @abstractmethod
    def missing_permission(self) -> str:
        """Name the permission that this account lacks; empty where it may act."""

    @abstractmethod
    def find(self) -> bool:
        """Load the targets that are visible to this account. Return False where there are none."""

    @abstractmethod
    def context(self) -> dict[str, Any]:
        """Return the title, the button and the description of the act.

        `effects` are lines of (heading, sentence). Without `possible` the page has no button.
        """

    @abstractmethod
    def confirmed(self, form: Any) -> HttpResponse:
        """Do it."""

    def state(self) -> Any:
        """Return the state of the targets that a confirmation is valid for; None where any state is fine."""
        return None

    # --- the parts -----------------------------------------------------------------------------------

    @property
    def user(self) -> User:
        """The signed-in account."""
        assert isinstance(self.request.user, User)
        return self.request.user

    @property
    def back(self) -> str:
        """The page that the operator came from."""
        return back_url(self.request, otherwise=reverse(self.home))

    def go_back(self) -> HttpResponse:
        """Redirect to the page that the operator came from."""
        return HttpResponseRedirect(self.back)

    def form(self) -> forms.Form:
        """Return the form, with the answers of a confirmation."""
        return self.form_class(self.request.POST if self.is_confirmed else None)

    def is_current(self) -> bool:
        """Return whether the targets are still in the state that the page showed."""
        state = self.state()
        return state is None or load_state(self.request) == state

    def page(self, form: forms.Form | None = None) -> HttpResponse:
        """Render the page that asks."""
        state = self.state()
        context = {
            "possible": True,
            "grave": self.grave,
            "back": self.back,
            "form": form or self.form(),
            "shown": "" if state is None else sign_state(self.request, state),
            **self.context(),
        }
        return render_page(self.request, self.site, self.template, context)


def sign_state(request: HttpRequest, state: Any) -> str:
    """Sign a state for this account and this page. It travels with the form."""
    return signing.dumps([request.user.pk, request.path, state], salt=SALT, compress=True)


def load_state(request: HttpRequest) -> Any:
    """Return the state that came back with the form.

    None where it was signed for another account or page, or more than 12 hours ago.
    """
    try:
        account, path, state = signing.loads(request.POST.get(FIELD, ""), salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    return state if (account, path) == (request.user.pk, request.path) else None
