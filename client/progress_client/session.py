"""What the client and its asyncio twin share: calls, what is held, what waits to be told, and the end of it all."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any, Callable

from progress_client import forks
from progress_client.buffer import Address
from progress_client.dead_file import DeadFile
from progress_client.errors import ProgressError
from progress_client.items import Item
from progress_client.journal import Journal
from progress_client.lease_renewer import Keeper
from progress_client.leases import RENEWALS
from progress_client.outbox import Outbox
from progress_client.transport import FOREVER, Transport

log = logging.getLogger(__name__)

PATIENCE = 60.0
LAST_PATIENCE = 10.0
LONGEST_VERSION = 100
LONGEST_WORKER = 128
TERMINATED = 128 + signal.SIGTERM
DEFAULT_URL = "http://127.0.0.1:8000"

PhaseListener = Callable[[dict[str, Any]], None]


def default_journal() -> Path:
    """PROGRESS_JOURNAL, or a folder in the user's state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("PROGRESS_JOURNAL") or Path(state) / "progress_client")


def worker_name() -> str:
    """Return a name that no other client has: `host-4711-9f2c41d8`."""
    # In containers host and process id are often alike.
    return f"{socket.gethostname()[:100]}-{os.getpid()}-{token_hex(4)}"


def named_with_process(name: str) -> str:
    """Return `name-4711`: two processes with one name would renew each other's leases."""
    process = f"-{os.getpid()}"
    return name[: LONGEST_WORKER - len(process)] + process


def _told(version: str | None) -> str:
    """A version as a header carries it."""
    text = (os.environ.get("PROGRESS_VERSION", "") if version is None else version).strip()
    if len(text) > LONGEST_VERSION or set(text) & set("()") or not (text.isascii() and text.isprintable()):
        raise ProgressError("A version has at most 100 printable ASCII characters, without parentheses.")
    return text


class Core:
    """One server and one token. A forked child uses the same object, with connections, threads and files of its own."""

    def __init__(
        self,
        url: str | None,
        token: str | None,
        *,
        worker: str | None,
        version: str | None,
        patience: float,
        journal: Path | str | None,
    ) -> None:
        token = (os.environ.get("PROGRESS_TOKEN", "") if token is None else token).strip()
        if not token:
            raise ProgressError("A token is needed: Client(token=…) or PROGRESS_TOKEN.")
        if not (token.isascii() and token.isprintable()):
            raise ProgressError("This is no token; it is what `manage.py token create` prints.")
        address = url or os.environ.get("PROGRESS_URL") or DEFAULT_URL
        self.transport = Transport(address, token=token, version=_told(version))
        self.worker = worker or worker_name()
        self._name = worker
        self.patience = patience
        self.stop = threading.Event()
        self.cancelled: set[int] = set()
        self.listeners: dict[tuple[int, str], list[PhaseListener]] = {}
        self._journal = None if journal is None else Path(journal).expanduser()
        self.dead = DeadFile(self._journal, server=self.transport.url)
        self._lock = threading.RLock()
        self._outbox: Outbox | None = None
        self._keeper: Keeper | None = None
        self._was_on_term: Any = None
        self._closed = False
        self._process = os.getpid()
        self._cancel_exit: Callable[[], None] | None = None
        atexit.register(self.close)
        forks.renew(self)

    # --- calls -----------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, patient: bool = False) -> Any:
        """The answer to a call; with `patient` it is waited for as long as it takes."""
        patience = FOREVER if patient else self.patience
        return self.transport.call(method, path, body, patience=patience, stop=self.stop)

    def claim(self, path: str, body: dict[str, Any], *, job: int | None, lease: float) -> Any:
        """The answer to a claim. Before every try the outcomes of the job (None: of any job) go first whose leases are
        two thirds over: such a lease may end before its outcome arrives, and then the item would come back to us."""

        def tell_first() -> None:
            self.outbox.tell_first(job, older_than=lease * (RENEWALS - 1) / RENEWALS, stop=self.stop)

        return self.transport.call("POST", path, body, patience=FOREVER, stop=self.stop, before=tell_first)

    def count(self, address: Address, body: dict[str, Any]) -> Any:
        """Numbers of a phase without items, written down before they are told."""
        return self.outbox.count(address, body, patience=self.patience, stop=self.stop)

    @property
    def outbox(self) -> Outbox:
        """What waits to be told; it begins with the first use."""
        with self._lock:
            if self._outbox is None:
                if self._closed:
                    raise ProgressError("The client is closed.")
                self._outbox = Outbox(self.transport, self._opened_journal(), self.dead, answered=self._answered)
                self._cancel_exit = forks.at_child_exit(self.close)
            return self._outbox

    def _opened_journal(self) -> Journal | None:
        if self._journal is None:
            return None
        return Journal(self._journal, name=self.worker, server=self.transport.url)

    @property
    def keeper(self) -> Keeper:
        """What is held; it begins with the first use."""
        with self._lock:
            if self._keeper is None:
                self._keeper = Keeper(self.transport, cancelled=self.cancel)
            return self._keeper

    # --- items -----------------------------------------------------------------------------------

    def hold(self, bodies: Sequence[dict[str, Any]], *, address: Address, lease: float) -> list[Item]:
        """The items of a claim; those of the common claim say themselves where they belong."""
        items = [
            Item(
                body,
                job=body.get("job", address.job),
                phase=body.get("phase", address.phase),
                worker=address.worker,
                teller=self,
            )
            for body in bodies
        ]
        self.keeper.take(items, lease=lease)
        return items

    def tell(self, item: Item, outcome: dict[str, Any]) -> None:
        """The outcome of an item: written down now, told soon."""
        self.outbox.tell(Address(item.job, item.phase, item.worker), outcome, since=item.renewed_at)
        self.keeper.drop(item)

    def let_go(self, item: Item) -> None:
        """Nothing is to be told of this item."""
        self.keeper.drop(item)

    def cancel(self, job: int) -> None:
        """Nobody wants this job any more: its loops end and its items are lost."""
        if job not in self.cancelled:
            log.warning("job %d was cancelled", job)
        self.cancelled.add(job)
        self.keeper.lose_job(job)

    def _answered(self, address: Address, answer: dict[str, Any]) -> None:
        for listen in self.listeners.get((address.job, address.phase), ()):
            listen(answer["phase"])
        if answer["cancel_requested"]:
            self.cancel(address.job)

    # --- forks -----------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        """Begin anew: connections, threads, journal, leases and outcomes of before are the parent's."""
        self._lock = threading.RLock()
        self._outbox = self._keeper = None
        self._cancel_exit = None
        was_stopped, self.stop = self.stop.is_set(), threading.Event()
        if was_stopped:
            self.stop.set()
        self.listeners = {}
        self.transport.after_fork()
        self._process = os.getpid()
        self.worker = named_with_process(self._name) if self._name else worker_name()
        self.disarm()

    # --- the end ---------------------------------------------------------------------------------

    def end_on_term(self) -> None:
        """From now on SIGTERM ends this process as Ctrl-C does, unless the program has its own way."""
        if threading.current_thread() is not threading.main_thread() or self._was_on_term is not None:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._was_on_term = signal.signal(signal.SIGTERM, _end)

    def disarm(self) -> None:
        """SIGTERM does again what it did; only the main thread can say so."""
        if self._was_on_term is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._was_on_term)
            self._was_on_term = None

    def close(self) -> None:
        """Give back what is not done, tell what waits, leave the rest in the journal."""
        with self._lock:
            if self._closed or os.getpid() != self._process:
                return
            self._closed = True
        atexit.unregister(self.close)
        if self._cancel_exit:
            self._cancel_exit()
        self.stop.set()
        if self._keeper:
            for item in self._keeper.held():
                item.give_back()
            self._keeper.close()
        if self._outbox:
            self._outbox.close(patience=LAST_PATIENCE)
        self.transport.close()
        self.disarm()


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(TERMINATED)
