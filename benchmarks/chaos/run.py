"""A run: the site with its load, the faults, the end of everything that is due, and the invariants."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from itertools import starmap
from pathlib import Path
from random import Random

import httpx

from benchmarks.chaos.broker import BrokerEndpoint
from benchmarks.chaos.database import Database
from benchmarks.chaos.parties import Browser, Endpoint, Operator
from benchmarks.chaos.report import Line, say
from benchmarks.chaos.site import Member, Site

FAILING = 0.2  # of the items, and of the messages at an endpoint
FAULT_PAUSE = 0.5, 2.0
CUT_SHARE = 0.5
SERVING_SHARE = 0.8
CATCH_UP_SECONDS = 30
LOAD_SECONDS = 2.0
RESTART_TRIES = 20


class Run:
    """A site with its endpoints, and its load while it is on."""

    def __init__(self, folder: Path, database: Database, *, seed: int, large: int, faults: bool) -> None:
        self.seed, self.chance = seed, Random(seed)
        failing = FAILING if faults else 0.0
        self.site = Site(folder, database, seed=seed, failing=FAILING)
        self.endpoints: dict[str, Endpoint | BrokerEndpoint] = {"the webhook": Endpoint(f"{seed}/hook", failing)}
        if self.site.amqp_url:
            self.endpoints["the broker"] = BrokerEndpoint(self.site.amqp_url)
        self.browsers: list[Browser] = []
        self.operators: list[Operator] = []
        self.overdue: list[str] = []
        self.cuts = self.rounds = 0
        urls = [endpoint.url for endpoint in self.endpoints.values()]
        self.site.tokens = self.site.ledger("fill", {"large": large, "endpoints": urls})

    def start_load(self) -> None:
        """Start workers, operators and browsers."""
        self.rounds += 1
        self.site.start_workers()
        name = f"op{self.rounds}"
        self.operators += [Operator(f"{name}-{n}", partial(self.site.api, n), f"{self.seed}/{n}") for n in range(2)]
        self.browsers += [Browser(f"browser-{n}", partial(self.site.api, n)) for n in range(3)]

    def stop_load(self) -> None:
        """Stop the operators and the workers; the browsers stay."""
        for operator in self.operators:
            operator.over.set()
        self.overdue += self.site.stop(self.site.workers)
        self.site.workers = []
        for operator in self.operators:
            operator.stop()

    def stop_browsers(self) -> None:
        """Close the browsers."""
        for browser in self.browsers:
            browser.over.set()
        for browser in self.browsers:
            browser.stop()

    def close(self) -> None:
        """End every process and thread, whatever has happened."""
        self.site.stop([*self.site.workers, *self.site.servers, *self.site.helpers])
        for endpoint in self.endpoints.values():
            endpoint.close()

    def restart_large(self) -> None:
        """Restart the large job; a busy server gets the call again."""
        path, body = f"/api/v1/jobs/{self.site.tokens['large']}/restart", {"phase": "large", "reason": "chaos"}
        for number in range(RESTART_TRIES):
            with suppress(httpx.TransportError), self.site.api(number) as api:
                if api.post(path, json=body).status_code in (200, 409):
                    return
            time.sleep(1)
        raise RuntimeError("The large job cannot be restarted.")

    @property
    def members(self) -> list[Member]:
        """The processes that may be killed."""
        return [*self.site.servers, *self.site.helpers, *self.site.workers]

    def fault(self) -> None:
        """Kill a process, or cut connections."""
        if self.chance.random() < 0.3:
            shares = [self.chance.random() < CUT_SHARE for _ in range(200)]
            self.cuts += sum(proxy.cut(shares) for proxy in self.site.proxies)
            if self.chance.random() < CUT_SHARE:
                self.site.database.cut_connections()
        else:
            victim = self.chance.choice(self.members)
            victim.kill()
            # Work goes on between the faults, but now and then another one comes while a server starts.
            if victim in self.site.servers and self.chance.random() < SERVING_SHARE:
                self.site.wait_for_servers()

    def invariants(self) -> list[Line]:
        """Return the invariants of the database, the endpoints and the parties."""
        say("sending what the journals hold")
        order = {
            "notes": self.site.notes(),
            "refused": self.site.flush_workers(),
            "got": {},
        }
        self.catch_up()
        say("stopping the site")
        self.stop_browsers()
        self.overdue += self.site.stop([*self.site.servers, *self.site.helpers])
        say("ending what is due")
        self.site.ledger("settle", {})
        time.sleep(1 if self.site.amqp_url else 0)  # the reader of the broker's queue is a thread
        order["got"] = {name: endpoint.accepted for name, endpoint in self.endpoints.items()}
        say("checking")
        lines = list(starmap(Line, self.site.ledger("check", order)))
        return [*lines, *self._parties()]

    def catch_up(self) -> None:
        """Wait until each browser shows the newest revision of each job."""
        end = time.monotonic() + CATCH_UP_SECONDS
        while time.monotonic() < end and self._behind():
            time.sleep(0.5)
        self._stale = self._behind()

    def _behind(self) -> list[str]:
        """Name the browsers that show an old revision; all of them where the site does not answer."""
        with self.site.api() as api:
            newest = {
                job["id"]: job["revision"]
                for job in api.get("/api/v1/jobs?limit=50&ordering=-created_at").json()["results"]
            }
        return [
            f"browser {n} shows job {job} at revision {browser.revisions[job]} of {revision}"
            for n, browser in enumerate(self.browsers)
            if not browser.over.is_set()
            for job, revision in newest.items()
            if browser.revisions.get(job, revision) < revision
        ]

    def _parties(self) -> list[Line]:
        frames = sum(browser.frames for browser in self.browsers)
        sockets = sum(browser.connections for browser in self.browsers)
        backwards = [text for browser in self.browsers for text in browser.backwards]
        answers = sum(sum(operator.answers.values()) for operator in self.operators)
        unexpected = [text for operator in self.operators for text in operator.unexpected]
        unexpected += [text for party in [*self.browsers, *self.operators] for text in party.defects]
        left = self.site.database.connections()
        return [
            Line("browsers show the newest state", f"{frames} frames, {sockets} sockets", self._stale + backwards),
            Line("no unexpected answer", f"{answers} calls of operators", unexpected),
            Line("every process ends when asked", f"{len(self.members)} processes", self.overdue),
            Line("no connection is left", f"{left} connections", [f"{left} are open"] if left else []),
        ]


def chaos(run: Run, *, seconds: float, kills: int) -> list[Line]:
    """Put the site under load, kill for this time or this often, and return the invariants."""
    run.site.start()
    run.start_load()
    time.sleep(LOAD_SECONDS)
    run.restart_large()
    say("killing")
    end = time.monotonic() + seconds
    while time.monotonic() < end and not 0 < kills <= sum(member.kills for member in run.members):
        run.fault()
        time.sleep(run.chance.uniform(*FAULT_PAUSE))
    say("stopping the load")
    killed = {member.name: member.kills for member in run.members}
    run.site.wait_for_servers()
    run.stop_load()
    text = ", ".join(f"{name} {number}" for name, number in killed.items())
    faults = Line("killed -9", f"{sum(killed.values())} processes ({text}); {run.cuts} connections cut")
    return [faults, *run.invariants()]
