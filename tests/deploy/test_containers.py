"""compose.yaml: every setting reaches the site, nothing is left to a moving tag, and every service says how it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.progress_site.test_proxies import names_in_the_example
from tests.servers import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if "build" in service]
PINNED = re.compile(r":[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z-]+)?$")


@pytest.mark.parametrize("service", OWN)
def test_every_setting_reaches_every_container_of_the_site(service: str) -> None:
    assert SERVICES[service]["env_file"] == [{"path": ".env", "required": False}]
    assert set(SERVICES[service]["environment"]) <= names_in_the_example()


def test_every_variable_of_compose_is_explained() -> None:
    explained = names_in_the_example() | set(re.findall(r"\b[A-Z_]{5,}\b", TEXT.partition("\nx-site")[0]))
    assert set(re.findall(r"\$\{([A-Z_]+)", TEXT)) <= explained


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "site"])
def test_every_service_says_how_it_is_and_those_that_end_do_not(service: str) -> None:
    """The site has the health check of the image."""
    check = SERVICES[service]["healthcheck"]
    assert ("test" in check) != (service in ("migrate", "consume"))


@pytest.mark.parametrize("service", OWN)
def test_the_site_runs_without_rights_and_without_a_writable_file_system(service: str) -> None:
    given = SERVICES[service]
    assert (given["read_only"], given["cap_drop"]) == (True, ["ALL"])
    assert given["security_opt"] == ["no-new-privileges:true"]


def test_every_image_is_pinned_to_a_version() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [image for image in images if not PINNED.search(image)] == []


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_compose_accepts_its_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker compose")
    given = {"PATH": "/usr/bin:/bin", "SECRET_KEY": "x" * 40, "POSTGRES_PASSWORD": "p$w'\"#"}
    command = [docker, "compose", "--profile", "rabbitmq", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
