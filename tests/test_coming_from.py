"""Every name in COMING_FROM.md exists: Python, REST, commands, settings, types of events."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from jobs import contracts
from jobs.tracker import ProgressTracker
from jobs.vision.pipeline import ASSET_TYPES, SERVICES

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "COMING_FROM.md").read_text()
APPS = {"documents": "ocr_chunks", "training": "training"}


def found(pattern: str) -> list[str]:
    """Return the code of this shape on the page, each once."""
    return sorted(set(re.findall(pattern, PAGE)))


def thing(name: str) -> object:
    """Return the object of a dotted name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", found(r"`((?:jobs|progress_client)\.[\w.]+)`"))
def test_every_python_name_exists(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "client"))
    assert thing(name) is not None


@pytest.mark.parametrize("call", found(r"`((?:GET|POST|PATCH) /[^`\s?]+)"))
def test_every_call_has_a_door_that_takes_it(call: str) -> None:
    method, path = call.split(" ")
    app = APPS.get(path.split("/")[1])
    if app and not apps.is_installed(app):
        pytest.skip(f"{app} is not installed")
    match = resolve("/api/v1" + path.replace("{id}", "1").replace("{code}", "items"))
    assert hasattr(match.func.view_class, method.lower())  # type: ignore[attr-defined]


def test_a_call_without_a_door_would_be_noticed() -> None:
    with pytest.raises(Resolver404):
        resolve("/api/v1/nothing")


@pytest.mark.parametrize("name", found(r"`manage\.py (\w+)"))
def test_every_command_exists(name: str) -> None:
    assert load_command_class(get_commands()[name], name)


@pytest.mark.parametrize("name", found(r"`([A-Z]+(?:_[A-Z]+)+)`"))
def test_every_setting_exists(name: str) -> None:
    assert hasattr(settings, name)


@pytest.mark.parametrize("name", found(r"`((?:products?|videos?|image)\.[a-z.]+)`"))
def test_every_type_of_event_has_a_contract_or_is_that_of_a_phase(name: str) -> None:
    phases = [f"{asset}.{service}" for asset in ASSET_TYPES for service in SERVICES]
    of_phases = [*phases, *(f"{phase}.completed" for phase in phases)]
    assert name in of_phases or (Path(contracts.__file__).parent / f"{name}.json").is_file()


def test_every_method_of_the_tracker_is_on_the_page() -> None:
    public = {name for name in vars(ProgressTracker) if not name.startswith("_")} - {"worker"}
    named = {name.rpartition(".")[2] for name in found(r"`(jobs\.tracker\.ProgressTracker\.\w+)`")}
    assert named == public


[EXAMPLE] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
OVER_REST = "from progress_client import ProgressTracker  # in the server: "
IN_THE_SERVER = EXAMPLE.replace(OVER_REST, "")


@pytest.mark.parametrize(
    ("code", "config"), [(EXAMPLE, "client/pyproject.toml"), (IN_THE_SERVER, "pyproject.toml")], ids=["rest", "server"]
)
def test_the_example_of_the_tracker_has_right_types(tmp_path: Path, code: str, config: str) -> None:
    script = tmp_path / "example.py"
    script.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", config, str(script)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "MYPYPATH": "client"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db(transaction=True)
def test_the_example_of_the_tracker_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "images" / name).write_bytes(b"an image")
    (tmp_path / "images" / "c.jpg").symlink_to("missing")
    monkeypatch.chdir(tmp_path)
    said = StringIO()
    with redirect_stdout(said):
        exec(IN_THE_SERVER, {})
    assert said.getvalue() == "2 processed\n"
    assert (tmp_path / "images" / "a.train").read_bytes() == b"an image"
