"""The client as a wheel: the file that the site serves, and the page with its command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from email.message import Message
from email.parser import Parser
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.test import Client
from django.urls import reverse

from progress_site.client_wheel import FOLDER, wheel
from tests.examples.site import Site, serving


def contents(raw: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(files: dict[str, bytes]) -> Message:
    [text] = [content for name, content in files.items() if name.endswith("/METADATA")]
    return Parser().parsestr(text.decode())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the build backend."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(FOLDER, folder / "client", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(folder / "client")], check=True, capture_output=True)
    [made] = folder.glob("*.whl")
    return made


def test_it_is_the_wheel_of_the_build_backend(built: Path) -> None:
    assert wheel().name == built.name
    own, theirs = contents(wheel().content), contents(built.read_bytes())
    # The backend writes these in its own way.
    written = ("METADATA", "RECORD", "WHEEL", "entry_points.txt")
    assert own.keys() == theirs.keys()
    assert {name.rpartition("/")[2] for name in own if own[name] != theirs[name]} <= set(written)
    mine, flits = metadata(own), metadata(theirs)
    # A new flit writes a newer version of the metadata, with the name of the module.
    assert set(mine.keys()) == set(flits.keys()) - {"Import-Name"}
    for name in set(mine.keys()) - {"Metadata-Version"}:
        values = [sorted(re.sub(r"[\s()]", "", str(text)) for text in m.get_all(name) or []) for m in (mine, flits)]
        assert values[0] == values[1], name
    assert str(mine.get_payload()).rstrip() == str(flits.get_payload()).rstrip()


def test_the_record_has_the_checksum_of_every_file() -> None:
    files = contents(wheel().content)
    [record] = [name for name in files if name.endswith("/RECORD")]
    rows = dict(line.split(",", 1) for line in files[record].decode().splitlines())
    digests = {
        name: f"sha256={urlsafe_b64encode(sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for name, content in files.items()
    }
    assert rows == {**digests, record: ","}


def test_the_same_source_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    copy = tmp_path / "client"
    shutil.copytree(FOLDER, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    (copy / "progress_client" / "notes.txt").write_text("not part of the package")
    assert wheel(copy) == wheel()


def test_the_page_has_the_command_with_the_address_of_this_site(client: Client) -> None:
    page = client.get("/client/", HTTP_HOST="testserver")
    place = f"http://testserver/client/{wheel().name}"
    assert page.status_code == 200
    assert f"pip install {place}</code>" in page.content.decode()
    assert f"{place}#sha256={wheel().checksum}" in page.content.decode()
    assert "export PROGRESS_URL=http://testserver PROGRESS_TOKEN" in page.content.decode()


def test_the_file_of_another_version_is_missing(client: Client) -> None:
    assert client.get(reverse("client-wheel", args=["progress_client-0.1-py3-none-any.whl"])).status_code == 404


def test_without_the_source_the_page_is_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise FileNotFoundError

    monkeypatch.setattr("progress_site.client_download.build", missing)
    assert client.get("/client/").status_code == 404


@pytest.fixture
def site(tmp_path: Path) -> Site:  # type: ignore[misc]
    with serving(tmp_path) as running:
        yield running


def test_a_machine_without_a_checkout_installs_it_from_the_site(site: Site, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, f"{site.url}/client/{wheel().name}#sha256={wheel().checksum}"], check=True, cwd="/")
    own = {"PATH": os.environ["PATH"], "PROGRESS_URL": site.url, "PROGRESS_TOKEN": site.token, "HOME": str(tmp_path)}
    done = subprocess.run(
        [tmp_path / "venv/bin/progress", "run", "--job", "installed", "--", "true"], cwd="/", env=own, check=False
    )
    assert done.returncode == 0
    assert site.job("installed")["status"] == "completed"  # type: ignore[index]
    code = "from importlib.metadata import *; m = metadata('progress-client'); print(m['License-File'])"
    assert subprocess.run([python, "-c", code], cwd="/", check=True, capture_output=True).stdout == b"LICENSE\n"
