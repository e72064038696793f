"""compose.yaml and the image: every setting reaches the site, tags do not move, and every service says how it is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.apps import apps

from tests.conftest import REQUIRED
from tests.deploy.proxies import binary
from tests.progress_site.test_proxies import names_in_the_example
from tests.servers import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
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
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not PINNED.search(image)] == []


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_compose_passes_passwords_with_any_characters_and_every_setting(tmp_path: Path) -> None:
    compose = binary("docker-compose")
    if compose is None:
        refuse: Any = pytest.fail if REQUIRED else pytest.skip
        refuse("there is no docker-compose on the PATH")
    secrets = {"SECRET_KEY": 'k$1"#' * 8, "POSTGRES_PASSWORD": 'p${w}"# x:@/%', "RABBITMQ_PASSWORD": "q$$"}
    lines = [f"{name}='{value}'\n" for name, value in secrets.items()]
    (tmp_path / ".env").write_text("".join([*lines, "LOG_LEVEL=DEBUG\n"]))
    command = [compose, "-f", ROOT / "compose.yaml", "--project-directory", tmp_path, "--profile", "rabbitmq"]
    given = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "config", "--format", "json"], env=given, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = {name: service.get("environment") for name, service in json.loads(done.stdout)["services"].items()}
    assert set(found) == set(SERVICES)
    escaped = {name: value.replace("$", "$$") for name, value in secrets.items()}
    for name in OWN:
        assert (found[name]["SECRET_KEY"], found[name]["LOG_LEVEL"]) == (escaped["SECRET_KEY"], "DEBUG")
        assert (
            found[name]["DATABASE_PASSWORD"] == found["postgres"]["POSTGRES_PASSWORD"] == escaped["POSTGRES_PASSWORD"]
        )
        assert (
            found[name]["AMQP_PASSWORD"] == found["rabbitmq"]["RABBITMQ_DEFAULT_PASS"] == escaped["RABBITMQ_PASSWORD"]
        )


def test_the_image_holds_every_app_its_templates_and_the_source_of_the_client() -> None:
    copied = {line.split()[1] for line in DOCKERFILE.rpartition("FROM ")[2].splitlines() if line.startswith("COPY ")}
    own = {Path(app.path).name for app in apps.get_app_configs() if Path(app.path).parent == ROOT}
    assert {"jobs", "ocr_chunks", "training"} <= own
    assert own | {"progress_site", "templates", "manage.py", "client"} <= copied
