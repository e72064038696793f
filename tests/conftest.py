"""Fixtures of all tests, and the services that a test needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from progress_site import proxies
from tests import plan
from tests.chromium import find_chromium
from tests.db_cleanup import empty_tables
from tests.npm import missing_npm

hypothesis_settings.register_profile(
    "default",
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("default")

# Under REQUIRE_SERVICES=1 a test fails where it would be skipped for want of what it needs.
REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"


def missing_browser() -> str:
    """Return why no browser test can run here; empty where one can."""
    return "" if find_chromium() else "there is no Chromium on the PATH"


def missing_postgres() -> str:
    """Return why no test of PostgreSQL can run here; empty where one can."""
    on_postgres = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    return "" if on_postgres else "DATABASE_URL names no PostgreSQL database"


def missing_redis() -> str:
    """Return why no test of Redis can run here; empty where one can."""
    return "" if settings.REDIS_URL else "REDIS_URL is not given"


def missing_rabbitmq() -> str:
    """Return why no test of RabbitMQ can run here; empty where one can."""
    return "" if settings.AMQP_URL else "AMQP_URL is not given"


# The application looks at the database when it is imported. That would make the pool before the test database exists,
# and all tests would run on the database of DATABASE_URL. A conftest below this one may import the application.
proxies.log_database = lambda: None


class Order:
    """The order of the run. A plugin of its own, because pytest-django sorts between the marks and this."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort by the plan of the run."""
        items.sort(key=plan.place_of)


def pytest_configure(config: pytest.Config) -> None:
    """Sort last, after pytest-django."""
    config.pluginmanager.register(Order())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark first, so that `-m` knows the marks."""
    plan.mark(items)


NEEDS = {
    "e2e": missing_browser,
    "npm": missing_npm,
    "oidc": missing_npm,
    "postgres": missing_postgres,
    "rabbitmq": missing_rabbitmq,
    "redis": missing_redis,
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose service is missing, or fail it where services are required."""
    for marker, missing in NEEDS.items():
        reason = missing() if item.get_closest_marker(marker) else ""
        if reason:
            refuse = pytest.fail if REQUIRED else pytest.skip
            refuse(f"{marker}: {reason}")


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _no_process_has_served_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the site's processes from being silent unless a test says so, however long the run takes."""
    monkeypatch.setattr("jobs.watchdog.process_heartbeats._serving_since", None)
    monkeypatch.setattr("jobs.watchdog.process_heartbeats._beats", {})
    monkeypatch.setattr("jobs.watchdog.process_heartbeats._written", {})


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Any:
    """The server of a test that runs over several ways; None for the views in this process."""
    name = getattr(request, "param", "view")
    return None if name == "view" else request.getfixturevalue(name)


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: empty_tables())
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_found_once() -> Iterator[None]:
    """Find the static files once: every test client builds the middleware again, and this is half of its cost."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    search = WhiteNoiseMiddleware.add_files_from_finders

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        key = (middleware.static_prefix, middleware.max_age)
        if key not in found:
            search(middleware)
            found[key] = dict(middleware.files)
        middleware.files.update(found[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files)
        yield
