"""The plan of a test run: which step of `.ci/run` runs a test, in which order, and at which size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Sizes: `make test-full` sets FULL=1. A test with two sizes has the marker `full`, so that it can be selected.
FULL = os.environ.get("FULL") == "1"


def size(quick: int, *, full: int) -> int:
    """Return the number of rows, rounds or examples of a test: `full` under FULL=1."""
    return full if FULL else quick


# Does a directory, or a file that differs from its directory, run on PostgreSQL, Redis and RabbitMQ too?
# Every test runs on SQLite and the in-memory layer, unless its marker names a service that it needs.
# True: what it checks depends on SQL, on locks, on the channel layer or on the broker.
# False: it passes there if it passes here: pure code, HTML, static files, processes over an SQLite file of their own.
# ONLY: it is meant for these services, so `.ci/run` runs it there alone. `make test` runs it anywhere.
# A directory that is not listed stops the collection. The markers postgres, redis and rabbitmq are an answer, too.
ONLY = "only"
RUN_ON_SCALE: dict[str, bool | str] = {
    "tests": False,  # documents and imports
    "tests/test_chaos.py": True,
    "tests/test_db_cleanup.py": True,
    "tests/access": False,  # the rules of access need no other database
    "tests/access/test_projects.py": True,  # the SQL of every page and call for a limited account
    "tests/client": False,  # each test has a server over an SQLite file
    "tests/client/integrations": False,  # the same
    "tests/deploy": True,  # proxies and poolers in front of real servers
    "tests/deploy/test_backup.py": False,  # SQLite files; that of PostgreSQL has the marker
    "tests/deploy/test_database_away.py": False,  # no database
    "tests/deploy/test_doctor.py": ONLY,
    "tests/deploy/test_proxies.py": ONLY,
    "tests/deploy/test_large_migrations.py": False,  # SQLite files
    "tests/deploy/test_units.py": False,  # YAML
    "tests/deploy/test_containers.py": False,  # YAML
    "tests/e2e": False,  # browser
    "tests/examples": False,  # each test has a server over an SQLite file
    "tests/fuzz": True,  # generated requests
    "tests/jobs": True,
    "tests/jobs/test_command_jobs_codes.py": False,  # exit codes of processes
    "tests/jobs/test_command_jobs_watch.py": False,  # text
    "tests/jobs/test_documented_code.py": False,  # code of documents
    "tests/jobs/test_progress.py": False,  # arithmetic
    "tests/jobs/test_progress_of_jobs.py": False,  # arithmetic
    "tests/jobs/test_error_fingerprints.py": False,  # text
    "tests/jobs/test_linear_input.py": False,  # parsers
    "tests/jobs/api": True,  # bad input, pages of lists, conflicts
    "tests/jobs/api/test_badge_links.py": False,  # signatures
    "tests/jobs/api/test_schema.py": False,  # the OpenAPI document
    "tests/jobs/api/test_version.py": False,  # headers
    "tests/jobs/contracts": False,  # JSON Schemas
    "tests/jobs/inbox": True,
    "tests/jobs/incidents": True,
    "tests/jobs/ingest": True,
    "tests/jobs/live": True,
    "tests/jobs/live/test_live_js.py": False,  # JavaScript
    "tests/jobs/live/test_send_queue.py": False,  # memory
    "tests/jobs/notifications": True,
    "tests/jobs/outbox": True,
    "tests/jobs/pages": False,  # HTML, except the pages whose SQL is more than a lookup
    "tests/jobs/pages/test_attention.py": True,
    "tests/jobs/pages/test_bulk_pages.py": True,
    "tests/jobs/pages/test_choosing.py": True,
    "tests/jobs/pages/test_errors.py": True,
    "tests/jobs/pages/test_errors_page.py": True,
    "tests/jobs/pages/test_events_pages.py": True,
    "tests/jobs/pages/test_every_page.py": True,  # the SQL of every page once
    "tests/jobs/pages/test_exporting.py": True,
    "tests/jobs/pages/test_failures_of_job.py": True,
    "tests/jobs/pages/test_hostile_queries.py": True,
    "tests/jobs/pages/test_incidents_pages.py": True,
    "tests/jobs/pages/test_lists.py": True,
    "tests/jobs/pages/test_many_jobs.py": True,
    "tests/jobs/pages/test_overview.py": True,
    "tests/jobs/pages/test_portions.py": True,
    "tests/jobs/pages/test_workers_pages.py": True,
    "tests/jobs/properties": True,
    "tests/jobs/properties/test_job_arithmetic.py": False,
    "tests/jobs/properties/test_phase_arithmetic.py": False,
    "tests/jobs/races": True,
    "tests/jobs/rules": True,
    "tests/jobs/live/sse": True,
    "tests/jobs/tracker": True,
    "tests/ocr_chunks": True,
    "tests/ocr_chunks/test_ranges.py": False,  # arithmetic
    "tests/ocr_chunks/pages": False,  # HTML
    "tests/ocr_chunks/pages/test_exporting.py": True,
    "tests/ocr_chunks/pages/test_failures.py": True,
    "tests/ocr_chunks/pages/test_lists.py": True,
    "tests/openapi": False,  # the document, and clients of a server over an SQLite file
    "tests/progress_site": True,
    "tests/progress_site/test_client_download.py": False,  # a file
    "tests/progress_site/test_request_decoding.py": False,  # values of requests
    "tests/progress_site/test_cors.py": False,  # headers
    "tests/progress_site/test_forwarded_headers.py": False,  # headers
    "tests/progress_site/test_first_requests.py": False,  # a server over an SQLite file
    "tests/progress_site/test_raw_http.py": False,  # servers over an SQLite file
    "tests/progress_site/test_manage.py": False,  # arguments of a process
    "tests/progress_site/test_handler.py": False,  # HTTP without a database
    "tests/progress_site/test_session_security.py": False,  # headers
    "tests/progress_site/test_parsing.py": False,  # bodies of requests
    "tests/progress_site/test_serve.py": False,  # a server over an SQLite file
    "tests/progress_site/test_settings.py": False,  # the start of the process
    "tests/progress_site/sign_in": True,
    "tests/progress_site/sign_in/test_answers_of_provider.py": False,  # HTTP
    "tests/progress_site/sign_in/test_claims.py": False,  # values
    "tests/progress_site/sign_in/test_configuration.py": False,  # the start of the process
    "tests/training": True,
    "tests/training/test_percentages.py": False,  # arithmetic
    "tests/training/pages": False,  # HTML
    "tests/training/pages/test_exporting.py": True,
    "tests/training/pages/test_lists.py": True,
}
SERVICES = ("postgres", "rabbitmq", "redis")

# The longest files begin first, so that no process is left alone with one of them at the end. "broker" is everything
# that needs the one RabbitMQ. Browser tests come before all others: they share a browser until the first other test.
LONGEST = [
    "broker",
    "tests/e2e/test_accessible_pages.py",
    "tests/e2e/test_training.py",
    "tests/e2e/test_live_pages.py",
    "tests/deploy/test_proxies.py",
    "tests/examples/test_demo.py",
    "tests/deploy/test_doctor.py",
    "tests/examples/test_training_worker.py",
    "tests/deploy/test_database_away.py",
    "tests/examples/test_image_worker.py",
    "tests/examples/test_ocr_worker.py",
    "tests/client/test_scripts.py",
    "tests/progress_site/test_serve.py",
    "tests/access/test_page_routes.py",
    "tests/access/test_projects.py",
    "tests/fuzz/test_openapi.py",
    "tests/examples/test_training_worker_docs.py",
    "tests/jobs/properties/test_state_machine.py",
]


def mark(items: list[pytest.Item]) -> None:
    """Mark each test for the steps and the processes that run it."""
    check_listed({path_of(item) for item in items})
    for item in items:
        if runs_on_scale(path_of(item)) or any(item.get_closest_marker(name) for name in SERVICES):
            item.add_marker(pytest.mark.scale)
        if place_in_plan(path_of(item)) == ONLY:
            item.add_marker(pytest.mark.only_scale)
        item.add_marker(pytest.mark.xdist_group(group_of(item)))


def check_listed(paths: Iterable[str]) -> None:
    """Stop the collection if a directory of tests is missing in RUN_ON_SCALE, or an entry names nothing."""
    unlisted = {directory for path in paths if (directory := path.rpartition("/")[0]) not in RUN_ON_SCALE}
    if unlisted:
        raise pytest.UsageError(f"Add {', '.join(sorted(unlisted))} to RUN_ON_SCALE in tests/plan.py.")
    gone = [path for path in [*RUN_ON_SCALE, *LONGEST[1:]] if not (ROOT / path).exists()]
    if gone:
        raise pytest.UsageError(f"Remove {', '.join(gone)} from tests/plan.py: there is no such path.")


def path_of(item: pytest.Item) -> str:
    """Return the path of the file of a test, relative to the repository."""
    return item.path.relative_to(ROOT).as_posix()


def place_in_plan(path: str) -> bool | str:
    """Return the entry of this file, or that of its directory."""
    return RUN_ON_SCALE.get(path, RUN_ON_SCALE[path.rpartition("/")[0]])


def runs_on_scale(path: str) -> bool:
    """Return whether this file runs on PostgreSQL, Redis and RabbitMQ too."""
    return bool(place_in_plan(path))


def group_of(item: pytest.Item) -> str:
    """Return the unit that one process runs: a file, or everything that needs the broker."""
    return "broker" if item.get_closest_marker("rabbitmq") else path_of(item)


def place_of(item: pytest.Item) -> tuple[bool, int]:
    """Return the place of a test in the order of the run."""
    group = group_of(item)
    return item.get_closest_marker("e2e") is None, LONGEST.index(group) if group in LONGEST else len(LONGEST)
