"""The pages of dead letters: one in full, and the confirmation before some are processed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs import contracts, inbox
from jobs.console.base import forbidden_page, ids_in_query, not_found_page, not_visible, render_page
from jobs.console.confirm_view import ConfirmView
from jobs.console.deliveries.delivery_queries import visible_dead_letters
from jobs.models import InboxMessage
from jobs.models.events import InboxStatus
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

MOST_AT_ONCE = 100
MOST_ERRORS_SHOWN = 10
SEE = "To see dead letters, your account needs the permission jobs.view_inboxmessage (role viewer)."
REPLAY = "To process dead letters again, your account needs the permission jobs.replay_event (role lead)."
NO_TYPE = "A message without a type"


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One dead letter, and the reason why it is not processed again."""

    letter: InboxMessage
    why_not: str


def letter_page(request: HttpRequest, site: AdminSite, letter_id: str) -> HttpResponse:
    """Show the content of a dead letter, its source and the reason for its refusal."""
    visible = visible_dead_letters(request)
    if visible is None:
        return forbidden_page(request, site, SEE)
    letter = visible.filter(pk=int(letter_id)).first()
    if letter is None:
        return not_found_page(request, site, not_visible("Dead letter", letter_id))
    context = {
        "title": letter.type or NO_TYPE,
        "letter": letter,
        "contract": contracts.get(letter.type) if letter.type else None,
        "may_replay": request.user.has_perm("jobs.replay_event"),
        "back": request.get_full_path(),
    }
    return render_page(request, site, "jobs/deliveries/dead_letter.html", context)


class LettersReplayView(ConfirmView):
    """The confirmation before dead letters are processed again: `?letter=1&letter=2`."""

    template = "jobs/deliveries/dead_letters_replay.html"
    form_class = forms.Form
    home = "admin:jobs_inboxmessage_changelist"
    not_found = "There is no such dead letter, or it is not visible to you."

    letters: list[InboxMessage]

    def missing_permission(self) -> str:
        """Check the permissions to see and to replay."""
        if visible_dead_letters(self.request) is None:
            return SEE
        return "" if self.user.has_perm("jobs.replay_event") else REPLAY

    def find(self) -> bool:
        """Find the letters, oldest first."""
        visible = visible_dead_letters(self.request)
        assert visible is not None
        ids = ids_in_query(self.request.GET, "letter", most=MOST_AT_ONCE)
        self.letters = list(visible.filter(pk__in=ids).order_by("pk"))
        return bool(self.letters)

    def context(self) -> dict[str, Any]:
        """List the letters; those that were processed meanwhile are not processed twice."""
        processed = "It was processed already."
        rows = [LetterRow(each, "" if each.status == InboxStatus.DEAD else processed) for each in self.letters]
        possible = sum(1 for row in rows if not row.why_not)
        return {
            "title": f"Process again: {pluralize(len(rows), 'dead letter')}",
            "rows": rows,
            "possible": possible,
            "effects": [
                ("Will happen", "Each message is processed as if it had just arrived, oldest first."),
                (
                    "If refused again",
                    "The message stays dead with the new reason, and the next one is processed.",
                ),
                ("Duplicates", "An event whose id was already processed from the same source changes nothing."),
                ("Undo", "Not possible."),
            ],
            "button": f"Process {pluralize(possible, 'dead letter')} again",
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Process each letter on its own; a refusal does not stop the next letter."""
        processed, refused = 0, []
        for letter in self.letters:
            try:
                inbox.replay(letter, actor=self.user)
                processed += 1
            except Refused as error:
                refused.append(f"{letter.type or NO_TYPE}: {error.detail}")
        if processed:
            messages.success(self.request, f"{pluralize(processed, 'dead letter')} processed.")
        if refused:
            messages.warning(self.request, f"{pluralize(len(refused), 'dead letter')} refused again.")
        for sentence in refused[:MOST_ERRORS_SHOWN]:
            messages.error(self.request, sentence)
        return self.go_back()
