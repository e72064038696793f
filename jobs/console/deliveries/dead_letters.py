"""Dead letters: the page of one, and the page that asks before some are taken again."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import contracts, inbox
from jobs.console.base import back_url, forbidden_page, not_found_page, numbers, render_page
from jobs.console.deliveries.delivery_queries import visible_dead_letters
from jobs.models import InboxMessage
from jobs.models.events import InboxStatus
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

MOST_AT_ONCE = 100
MOST_TOLD = 10
SEE = "To see dead letters an account needs the permission jobs.view_inboxmessage (role viewer)."
REPLAY = "To take letters again an account needs the permission jobs.replay_event (role lead)."


@dataclass(frozen=True, slots=True)
class Row:
    """One letter as the page shows it."""

    letter: InboxMessage
    why_not: str


def letter_page(request: HttpRequest, site: AdminSite, letter_id: str) -> HttpResponse:
    """What came, from where, and why it was refused."""
    visible = visible_dead_letters(request)
    if visible is None:
        return forbidden_page(request, site, SEE)
    letter = visible.filter(pk=int(letter_id)).first()
    if letter is None:
        return not_found_page(request, site, f"There is no letter {letter_id} in your sight. It may have been pruned.")
    context = {
        "title": letter.type or "A message without a type",
        "letter": letter,
        "contract": contracts.get(letter.type) if letter.type else None,
        "may_replay": request.user.has_perm("jobs.replay_event"),
        "back": request.get_full_path(),
    }
    return render_page(request, site, "jobs/letter.html", context)


def confirm_letters(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask, and when it is confirmed take the letters again: `?letter=1&letter=2`."""
    visible = visible_dead_letters(request)
    if visible is None or not request.user.has_perm("jobs.replay_event"):
        return forbidden_page(request, site, SEE if visible is None else REPLAY)
    letters = list(visible.filter(pk__in=numbers(request.GET, "letter", most=MOST_AT_ONCE)).order_by("pk"))
    if not letters:
        return not_found_page(request, site, "There is no such letter in your sight.")
    if request.method == "POST":
        _replay(request, letters)
        return HttpResponseRedirect(_back(request))
    return _ask(request, site, letters)


def _ask(request: HttpRequest, site: AdminSite, letters: list[InboxMessage]) -> HttpResponse:
    rows = [Row(each, "" if each.status == InboxStatus.DEAD else "It is taken already.") for each in letters]
    possible = sum(1 for row in rows if not row.why_not)
    context = {
        "title": f"Take again: {pluralize(len(rows), 'letter')}",
        "rows": rows,
        "possible": possible,
        "button": f"Take {pluralize(possible, 'letter')} again",
        "back": _back(request),
    }
    return render_page(request, site, "jobs/letters_replay.html", context)


def _back(request: HttpRequest) -> str:
    return back_url(request, otherwise=reverse("admin:jobs_inboxmessage_changelist"))


def _replay(request: HttpRequest, letters: list[InboxMessage]) -> None:
    """Each for itself, oldest first; one that is refused again stays, and the others go on."""
    assert isinstance(request.user, User)
    taken, refused = 0, []
    for letter in letters:
        try:
            inbox.replay(letter, actor=request.user)
            taken += 1
        except Refused as error:
            refused.append(f"{letter.type or 'A message without a type'}: {error.detail}")
    if taken:
        messages.success(request, f"{pluralize(taken, 'letter')} taken.")
    if refused:
        messages.warning(request, f"{pluralize(len(refused), 'letter')} refused again.")
    for sentence in refused[:MOST_TOLD]:
        messages.error(request, sentence)
