"""The subscription of a listener whose topic changes."""

from __future__ import annotations

from typing import Any

from jobs.live.subscription import Subscription
from jobs.live.topics import Topic

BOTH, ONE = Topic(projects=frozenset({"a", "b"})), Topic(projects=frozenset({"a"}))


class SlowHub:
    """A hub that returns the topic it was asked for; the account loses a project during the first query."""

    def __init__(self) -> None:
        self.subscription: Subscription | None = None
        self.asked: list[Topic] = []

    def join(self, *_: Any) -> None:
        """Do nothing."""

    leave = join

    async def current(self, topic: Topic, *, newer_than: dict[int, int] | None = None) -> Any:
        """Return the topic in place of its jobs."""
        self.asked.append(topic)
        assert self.subscription is not None
        self.subscription.watch(ONE)
        return [topic], set()


async def test_jobs_of_a_topic_that_was_replaced_during_the_query_are_not_sent() -> None:
    hub: Any = SlowHub()
    hub.subscription = Subscription(hub, BOTH, close_after=10)
    assert await hub.subscription.current() == ([ONE], set())
    assert hub.asked == [BOTH, ONE]
