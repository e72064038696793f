"""Static files: addresses that change with the content, kept for ever."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.templatetags.static import static
from django.test import Client, override_settings

from progress_site import static_files
from progress_site.static_files import FOR_EVER, version

SCRIPT = "jobs/page.js"
GZIP = {"Accept-Encoding": "gzip"}


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_a_page_names_versioned_files_that_browsers_keep_for_ever(client: Client, db: None) -> None:
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/admin/login/").content.decode())
    assert len(links) > 10
    for link in links:
        assert link.startswith(f"/static/{version()}/")
        response = client.get(link)
        assert (response.status_code, response["Cache-Control"]) == (200, FOR_EVER), link


def test_modules_import_below_the_same_version(client: Client) -> None:
    script = body(client.get(static(SCRIPT))).decode()
    imported = re.findall(r'from "\./(\w+\.js)"', script)
    assert imported
    for name in imported:
        assert client.get(static(f"jobs/{name}"))["Cache-Control"] == FOR_EVER


def test_a_file_is_sent_compressed(client: Client) -> None:
    response = client.get(static(SCRIPT), headers=GZIP)
    plain = body(client.get(static(SCRIPT)))
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(body(response)) == plain


@pytest.mark.parametrize("address", ["/static/0123456789ab/jobs/page.js", "/static/jobs/page.js"])
def test_another_version_and_a_plain_address_are_not_kept(client: Client, address: str) -> None:
    response = client.get(address)
    assert (response.status_code, response["Cache-Control"]) == (200, "max-age=60, public")


def test_a_kept_file_is_asked_for_by_its_weak_tag(client: Client) -> None:
    tag = client.get("/static/jobs/page.js", headers=GZIP)["ETag"]
    assert tag.startswith("W/")
    assert client.get("/static/jobs/page.js", headers={**GZIP, "If-None-Match": tag}).status_code == 304


def test_a_missing_file_is_not_kept(client: Client, db: None) -> None:
    response = client.get(f"/static/{version()}/jobs/missing.js")
    assert response.status_code == 404
    assert "immutable" not in response["Cache-Control"]


def test_a_changed_file_changes_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = version()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b" " if path.name == "page.js" else b""))
    assert static_files.version.__wrapped__() != before


@override_settings(DEBUG=True)
def test_with_debug_addresses_are_plain() -> None:
    assert static(SCRIPT) == "/static/jobs/page.js"
