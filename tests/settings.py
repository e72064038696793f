"""The settings of the test run: only the services that the environment names."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

KEPT = ("AMQP_URL", "DATABASE_URL", "REDIS_URL")
GIVEN = {"ENV_FILE": "", "SECRET_KEY": "a-key-of-the-test-run-0123456789-abcdef", "LOG_LEVEL": "ERROR"}
for name in (
    "ALLOWED_HOSTS",
    "AMQP_PASSWORD",
    "COMPLETION_THRESHOLD_PERCENTAGE",
    "COOKIE_PREFIX",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_HOST",
    "DATABASE_NAME",
    "DATABASE_OPTIONS",
    "CORS_ORIGINS",
    "DATABASE_PASSWORD",
    "DATABASE_PORT",
    "DATABASE_USER",
    "DEBUG",
    "ENVIRONMENT_LABEL",
    "DEFAULT_FROM_EMAIL",
    "HSTS_INCLUDE_SUBDOMAINS",
    "HSTS_PRELOAD",
    "HSTS_SECONDS",
    "HTTPS",
    "ITEM_LEASE_SECONDS",
    "ITEM_MAX_ATTEMPTS",
    "ITEM_RETRIES",
    "JOB_SILENT_AFTER",
    "JOB_STALLED_AFTER",
    "METRICS_NETWORKS",
    "METRICS_PROJECTS",
    "METRICS_TOKEN",
    "PATH_PREFIX",
    "PROMETHEUS_MULTIPROC_DIR",
    "REDIS_PASSWORD",
    "RETENTION_CANCELLED_DAYS",
    "RETENTION_COMPLETED_DAYS",
    "RETENTION_FAILED_DAYS",
    "RETENTION_TIMELINE_DAYS",
    "SECRET_KEY_FALLBACKS",
    "SESSION_HOURS",
    "TRUSTED_PROXIES",
    "WATCHDOG_INTERVAL",
    "WATERMARK_TTL_SECONDS",
    "WEBHOOK_ALLOW_PRIVATE",
    "WEBHOOK_CA_FILE",
    "WEBHOOK_PROXY",
    "WORKER_FAILURE_LIMIT",
    "INCIDENT_EXPIRES_DAYS",
    "WORKER_QUARANTINE_SECONDS",
):
    os.environ.pop(name, None)
if not os.environ.get("TEST_SIGN_IN"):  # of a server whose test gives it these settings
    for name in [name for name in os.environ if name.startswith("OIDC_")]:
        del os.environ[name]
    for name in ("BREAK_GLASS_ACCOUNT", "EMAIL_URL", "LOCAL_SIGN_IN", "PUBLIC_URL", "SECOND_FACTOR_ROLES"):
        os.environ.pop(name, None)
os.environ.update(GIVEN)
if os.environ.get("TEST_MULTIPROC_DIR"):  # of servers that share their metrics
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["TEST_MULTIPROC_DIR"]


def redis_of_process(url: str) -> str:
    """Return the address of a Redis database of this process's own, where several share the run."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    server, _, database = url.rpartition("/")
    return f"{server}/{(int(database) + number) % 16}" if database.isdigit() else url


if os.environ.get("REDIS_URL"):  # a server that a test starts reads this again, so what was given is kept
    os.environ["REDIS_URL"] = redis_of_process(os.environ.setdefault("GIVEN_REDIS_URL", os.environ["REDIS_URL"]))

from progress_site.settings import *  # noqa: E402, F403
from progress_site.settings import ALLOWED_HOSTS, CHANNEL_LAYERS, DATABASES, REDIS_URL  # noqa: E402

ALLOWED_HOSTS += ["testserver"]
if REDIS_URL:  # what is published in Redis is heard in all of its databases
    CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] = f"test-{REDIS_URL.rpartition('/')[2]}"
if os.environ.get("TEST_WATCHDOG_INTERVAL"):  # of a server whose time a test wants to itself
    WATCHDOG_INTERVAL = int(os.environ["TEST_WATCHDOG_INTERVAL"])
METRICS_SECONDS = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # As the site has it, but in a file of this process and without waiting for the disk.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"progress-test-{os.getpid()}.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
else:  # a power failure in the middle of a test needs no durable rows
    DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"
