"""Hub of a process: it loads each changed job once and posts it to every send queue that watches it.

Hints say which jobs changed. They may be lost, so the hub also compares revisions with the database about once a
second while there is a subscription; that comparison also finds the jobs of a list. Everything happens on the
server's event loop, only queries run in threads.

It is our own because a Channels group costs an encoding and 75 to 340 µs for every message and socket. Here a message
is encoded once for the process, and only jobs that are watched are loaded.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from jobs.isolation import in_halves
from jobs.live import broadcast
from jobs.live.background import repeat
from jobs.live.job_messages import JobMessage, load
from jobs.live.send_queue import SendQueue
from jobs.live.topics import Topic, Unreadable, revisions

PUSH_PAUSE = 0.25
COMPARE_PAUSE = 1.0
SET_ASIDE_SECONDS = 30.0
LOAD_FACTOR = 4.0
FRESH_SECONDS = 5.0
NEWEST = sys.maxsize


def load_each(job_ids: Iterable[int]) -> list[JobMessage]:
    """Load these jobs; one that cannot be loaded is left out and fails none of the others."""
    return in_halves(load, list(job_ids), step="live.job", name="job_id")


_load = database_sync_to_async(load_each, thread_sensitive=False)
_revisions = database_sync_to_async(revisions, thread_sensitive=False)


@dataclass
class Room:
    """The send queues of one topic, its jobs, and the revision of each that was posted to all of them."""

    members: set[int]
    queues: set[SendQueue] = field(default_factory=set)
    posted: dict[int, int] = field(default_factory=dict)

    def post(self, message: JobMessage) -> None:
        """Post a newer state to every queue."""
        if message.job_id in self.members and message.revision > self.posted.get(message.job_id, -1):
            self.posted[message.job_id] = message.revision
            for queue in self.queues:
                queue.post(message)

    def end(self) -> None:
        """Close every subscription of a topic that cannot be read: each asks for a snapshot, which fails."""
        for queue in self.queues:
            queue.wants_snapshot = True
            queue.wake.set()

    def replace_members(self, found: dict[int, int]) -> dict[int, int]:
        """Replace the members, post those that left as gone, and return the members with news and their revision."""
        for job_id in self.members - found.keys():
            self.posted.pop(job_id, None)
            for queue in self.queues:
                queue.gone(job_id)
        self.members = set(found)
        return {job_id: revision for job_id, revision in found.items() if revision > self.posted.get(job_id, -1)}


class Hub:
    """The subscriptions of this process. Belongs to one event loop."""

    def __init__(self) -> None:
        self.rooms: dict[Topic, Room] = {}
        self._messages: dict[int, JobMessage] = {}
        self._set_aside: dict[int, float] = {}
        self._dirty: dict[int, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._loading = asyncio.Lock()
        self._changed, self._new_job = asyncio.Event(), asyncio.Event()
        self._lists: list[Room] = []

    # --- subscriptions ---------------------------------------------------------------------------

    def join(self, topic: Topic, queue: SendQueue) -> None:
        """Post every newer state of the topic's jobs to this queue from now on."""
        if topic not in self.rooms:
            self._arrange(self.rooms | {topic: Room(members=set() if topic.job is None else {topic.job})})
        self.rooms[topic].queues.add(queue)
        if not self._tasks:
            self._start()
        self._new_job.set()

    def leave(self, topic: Topic, queue: SendQueue) -> None:
        """Post nothing more to this queue."""
        room = self.rooms[topic]
        room.queues.discard(queue)
        if not room.queues:
            self._arrange({other: room for other, room in self.rooms.items() if other != topic})

    async def current(
        self, topic: Topic, *, newer_than: dict[int, int] | None = None
    ) -> tuple[list[JobMessage], set[int]]:
        """Return the stored state of the topic's jobs (those newer than given revisions), and the ids of all."""
        found = (await _revisions([topic])).get(topic)
        if found is None:
            raise Unreadable(topic)
        than = newer_than or {}
        wanted = {job_id: revision for job_id, revision in found.items() if revision > than.get(job_id, -1)}
        return await self._get(wanted), set(found)

    # --- background tasks ----------------------------------------------------------------------

    def hint(self, job_ids: Iterable[int]) -> None:
        """Note that these jobs may have changed."""
        for job_id in job_ids:
            if self._rooms_of(job_id):
                self._dirty[job_id] = NEWEST
            elif self._lists:
                self._new_job.set()
        if self._dirty:
            self._changed.set()

    def _arrange(self, rooms: dict[Topic, Room]) -> None:
        self.rooms = rooms
        self._lists = [room for topic, room in rooms.items() if topic.job is None]

    def _start(self) -> None:
        steps = (broadcast.listen(self.hint), repeat(self._push), repeat(self._compare))
        self._tasks = [asyncio.get_running_loop().create_task(step) for step in steps]

    async def _push(self) -> None:
        """Load the changed jobs that are watched and post them; at most once in PUSH_PAUSE."""
        await self._changed.wait()
        self._changed.clear()
        started = time.monotonic()
        dirty, self._dirty = self._dirty, {}
        for message in await self._get({job_id: least for job_id, least in dirty.items() if self._rooms_of(job_id)}):
            for room in self._rooms_of(message.job_id):
                room.post(message)
        await _pause(PUSH_PAUSE, since=started)

    async def _compare(self) -> None:
        """Compare with the database: about once a second, sooner after a hint of a job that is in no room."""
        started = time.monotonic()
        if self.rooms:
            asked = list(self.rooms)
            revisions_of = await _revisions(asked)
            for topic in asked:
                self._note(topic, revisions_of.get(topic))
        self._messages = {job_id: message for job_id, message in self._messages.items() if self._rooms_of(job_id)}
        await _pause(PUSH_PAUSE, since=started)
        await self._wait_for_new_job(COMPARE_PAUSE - PUSH_PAUSE if self.rooms else None)

    def _note(self, topic: Topic, found: dict[int, int] | None) -> None:
        room = self.rooms.get(topic)
        if room is None:
            return
        if found is None:
            room.end()
            return
        for job_id, revision in room.replace_members(found).items():
            self._dirty[job_id] = max(revision, self._dirty.get(job_id, 0))
            self._changed.set()

    async def _wait_for_new_job(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._new_job.wait()
        except TimeoutError:
            return
        self._new_job.clear()

    async def _get(self, wanted: dict[int, int]) -> list[JobMessage]:
        """Return the messages of these jobs, each with at least the given revision; cached ones only while fresh."""
        async with self._loading:
            now = time.monotonic()
            missing = {job_id for job_id, least in wanted.items() if not self._has(job_id, least, now=now)}
            loaded = {message.job_id: message for message in await _load(missing)} if missing else {}
            self._messages |= loaded
            self._note_failures(missing - loaded.keys(), now=now)
        return [self._messages[job_id] for job_id in wanted if job_id in self._messages]

    def _note_failures(self, job_ids: Iterable[int], *, now: float) -> None:
        """Do not load these jobs again for a while: each attempt costs queries and a line of the log."""
        recent = {job_id: at for job_id, at in self._set_aside.items() if now - at < SET_ASIDE_SECONDS}
        self._set_aside = recent | dict.fromkeys(job_ids, now)

    def _has(self, job_id: int, least: int, *, now: float) -> bool:
        if now - self._set_aside.get(job_id, -SET_ASIDE_SECONDS) < SET_ASIDE_SECONDS:
            return True
        message = self._messages.get(job_id)
        return message is not None and message.revision >= least and now - message.loaded_at < FRESH_SECONDS

    def _rooms_of(self, job_id: int) -> list[Room]:
        lists = [room for room in self._lists if job_id in room.members]
        alone = self.rooms.get(Topic(job=job_id))
        return [alone, *lists] if alone else lists


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


async def _pause(least: float, *, since: float) -> None:
    """Sleep in proportion to the time that the step took, so that other requests get most of it."""
    await asyncio.sleep(max(least, (time.monotonic() - since) * LOAD_FACTOR))
