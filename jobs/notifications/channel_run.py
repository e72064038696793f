"""A run of one channel: the messages that are due, sent one after the other or together as a digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db.models import Count, Max, Q

from jobs.models import Incident, IncidentJob, sender_leases
from jobs.models.notifications import Channel, MessageState, Notification, NotificationRule
from jobs.notifications import results
from jobs.notifications.channel_leases import HELD_FOR
from jobs.notifications.queue import OPEN_STATES, channels_told, has_job
from jobs.notifications.schedule import Verdict, concerns, is_about_jobs, judge
from jobs.notifications.sending import Answer
from jobs.notifications.texts import Facts, Text, digest_of, text_of

MOST_AT_ONCE = 500  # messages of one digest
# More messages than this in a minute become one.
SINGLY = 10
MINUTE = timedelta(minutes=1)
NAMED = 3

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Parcel:
    """Messages that are sent as one text; the rule gives the interval of reminders."""

    messages: Sequence[Notification]
    text: Text
    rule: NotificationRule | None
    digest: str = ""


class ChannelRun:
    """The messages of one channel, while this deliverer has its lease.

    `next_parcel` and `take` use the database; the parcel is sent between them in another thread.
    """

    def __init__(self, channel: Channel, *, clock: Clock) -> None:
        self.channel = channel
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._name = uuid4().hex
        self._parcel: Parcel | None = None

    def next_parcel(self) -> Parcel | None:
        """Return what is to be sent now; None when nothing is, or another deliverer has the channel."""
        now = self._clock()
        if not sender_leases.lease(self.channel, sender=self._name, now=now, length=HELD_FOR):
            return None
        self.channel.refresh_from_db()
        self._parcel = self._choose(now=now)
        if self._parcel is None:
            sender_leases.release(self.channel, sender=self._name)
        return self._parcel

    def take(self, answer: Answer) -> bool:
        """Store the answer; return False where the channel rests now."""
        assert self._parcel
        parcel, now = self._parcel, self._clock()
        until = results.record(self.channel, parcel.messages, answer, rule=parcel.rule, digest=parcel.digest, now=now)
        self.counts["sent" if answer.sent else "failed"] += len(parcel.messages)
        if until is not None:
            sender_leases.rest(self.channel, sender=self._name, until=until)
        return until is None

    def let_go(self) -> None:
        """Release the lease of the channel."""
        sender_leases.release(self.channel, sender=self._name)

    def _choose(self, *, now: datetime) -> Parcel | None:
        """Judge the due messages, set aside what is not to be sent now, and return the next parcel."""
        due = list(
            Notification.objects.due(now)
            .filter(channel=self.channel)
            .select_related("incident")
            .order_by("next_try_at", "pk")[:MOST_AT_ONCE]
        )
        if not due:
            return None
        verdicts = self._judge(due, now=now)
        self._settle(verdicts, now=now)
        ready = [(message, verdict.rule) for message, verdict in verdicts if verdict.sends]
        return self._pack(ready, now=now) if ready else None

    def _judge(self, due: Sequence[Notification], *, now: datetime) -> list[tuple[Notification, Verdict]]:
        rules = list(NotificationRule.objects.filter(channel=self.channel))
        told = channels_told(due)
        verdicts: list[tuple[Notification, Verdict]] = []
        for message in due:
            incident = message.incident
            mine = [rule for rule in rules if incident and concerns(rule, self.channel, incident)]
            verdict = judge(message, mine, told=message.incident_id in told, has_job=_job_match(incident), now=now)
            verdicts.append((message, verdict))
            if verdict.sends and message.incident_id:  # a second opening of it waits for the next turn
                told = told | {message.incident_id} if message.state in OPEN_STATES else told
        return verdicts

    def _settle(self, verdicts: Sequence[tuple[Notification, Verdict]], *, now: datetime) -> None:
        """Skip and postpone. The end of an incident also skips what waits to say that it is open."""
        results.skip([(message, verdict.skip) for message, verdict in verdicts if verdict.skip], now=now)
        results.postpone([(message, verdict.until) for message, verdict in verdicts if verdict.until])
        over = {
            message.incident_id
            for message, verdict in verdicts
            if message.state == MessageState.ENDED and message.incident and message.incident.ended_at
        }
        if over:
            waiting = Notification.objects.waiting().filter(channel=self.channel, incident__in=over)
            unsent = waiting.filter(state__in=OPEN_STATES)
            results.skip([(message, "It was over before this was sent.") for message in unsent], now=now)

    def _pack(self, ready: Sequence[tuple[Notification, NotificationRule | None]], *, now: datetime) -> Parcel | None:
        """Return the first message, or a digest of all. While the minute is full, let them wait for its end."""
        recent, latest = self._recent(now)
        messages = [message for message, _ in ready]
        if len(ready) + recent > SINGLY and latest:
            results.postpone([(message, latest + MINUTE) for message in messages])
            return None
        if len(ready) + recent <= SINGLY:
            message, rule = ready[0]
            text = text_of(facts_of([message])[message.pk], message.state, now=now)
            return Parcel([message], text, rule)
        facts = facts_of(messages)
        rules = [rule for _, rule in ready if rule and rule.reminder_interval]
        rule = min(rules, key=lambda rule: rule.reminder_interval, default=None)
        entries = [(facts[message.pk], message.state) for message in messages]
        return Parcel(messages, digest_of(entries, now=now), rule, digest=uuid4().hex)

    def _recent(self, now: datetime) -> tuple[int, datetime | None]:
        """Return how many texts were sent within the last minute, and when the latest was."""
        sent = self.channel.messages.sent().filter(ended_at__gt=now - MINUTE).exclude(state=MessageState.TEST)
        single = sent.filter(digest="").aggregate(number=Count("pk"), latest=Max("ended_at"))
        digests = sent.exclude(digest="").aggregate(number=Count("digest", distinct=True), latest=Max("ended_at"))
        latest = max((each["latest"] for each in (single, digests) if each["latest"]), default=None)
        return single["number"] + digests["number"], latest


def _job_match(incident: Incident | None) -> Callable[[NotificationRule], bool]:
    return lambda rule: not is_about_jobs(rule) or (incident is not None and has_job(rule, incident))


def facts_of(messages: Sequence[Notification]) -> dict[int, Facts]:
    """Return the facts of each message: its incident and its number of jobs; of a single incident some names too.

    An incident that is over has no present jobs, so all that it has had count.
    """
    incidents = {message.incident.pk: message.incident for message in messages if message.incident}
    members = IncidentJob.objects.filter(
        Q(left_at__isnull=True) | Q(incident__ended_at__isnull=False), incident__in=incidents
    ).order_by()
    numbers = dict(members.values_list("incident_id").annotate(number=Count("pk")))
    names = members.order_by("pk").values_list("job__name", flat=True)[:NAMED] if len(incidents) == 1 else ()
    return {
        message.pk: Facts(message.incident, list(names), numbers.get(message.incident.pk, 0))
        for message in messages
        if message.incident
    }
