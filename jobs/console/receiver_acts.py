"""Confirmation pages of the acts on a receiver: an endpoint of events, or a channel of messages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.confirm_view import ConfirmView, ReasonForm
from jobs.models import Channel, Endpoint
from jobs.rules.errors import Refused

Receiver = TypeVar("Receiver", Channel, Endpoint)
Effects = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ReceiverAct(Generic[Receiver]):
    """An act on a receiver: its label, its effects in sentences, and the function that does it.

    A response of `execute` replaces the redirect to the page of the receiver.
    """

    label: str
    effects: Callable[[Receiver], Effects]
    execute: Callable[[ReceiverActView[Receiver], str], HttpResponse | None]
    needs_reason: bool = False
    grave: bool = False


class ReceiverActView(ConfirmView, Generic[Receiver]):
    """The confirmation page of an act on a receiver."""

    acts: ClassVar[Mapping[str, ReceiverAct[Any]]]
    receiver: Receiver

    def __init__(self, request: HttpRequest, site: AdminSite, slug: str) -> None:
        super().__init__(request, site)
        self.act: ReceiverAct[Receiver] = self.acts[slug]
        self.grave = self.act.grave

    @abstractmethod
    def found(self) -> Receiver | None:
        """Return the receiver; None if it is missing or not visible to the account."""

    @abstractmethod
    def name_and_address(self) -> tuple[str, str]:
        """Return the name and the address as the page shows them."""

    def find(self) -> bool:
        """Find the receiver."""
        receiver = self.found()
        if receiver is not None:
            self.receiver = receiver
        return receiver is not None

    def form(self) -> forms.Form:
        """Return a form with a reason where the act keeps one."""
        form_class = ReasonForm if self.act.needs_reason else forms.Form
        return form_class(self.request.POST if self.is_confirmed else None)

    def context(self) -> dict[str, Any]:
        """Describe the effects."""
        name, address = self.name_and_address()
        return {
            "title": f"{self.act.label}: {name}",
            "effects": [("Address", address), *self.act.effects(self.receiver)],
            "button": self.act.label,
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Act, and show the refusal if there is one."""
        try:
            response = self.act.execute(self, form.cleaned_data.get("reason", ""))
        except Refused as error:
            messages.error(self.request, error.detail)
            response = None
        return response or self.go_back()
