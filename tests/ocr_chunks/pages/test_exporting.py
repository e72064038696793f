"""The lists of documents and of chunks as files."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.console.admin import keyset_export
from jobs.console.admin.export import Csv, Json, file_chunks
from jobs.models import Item
from ocr_chunks.models import Chunk, Document
from ocr_chunks.serializers import chunk_bodies, document_body
from tests.ocr_chunks.factories import in_state, make_document

pytestmark = pytest.mark.django_db


def rows_of(model: Any) -> list[dict[str, Any]]:
    """The rows of a JSON file."""
    model_admin: Any = admin.site._registry[model]
    rows = model.objects.order_by(*model_admin.ordering).prefetch_related(*model_admin.follows)
    written = b"".join(file_chunks(rows, model_admin.exported, Json(), prepare=model_admin.exported_rows))
    found: list[dict[str, Any]] = json.loads(b"[" + written + b"]")
    return found


def test_a_document_has_the_figures_of_rest() -> None:
    document = in_state(6, done=2, failed=1, processing=1, skipped=1, name="paper.pdf", project="matter-1")
    [row] = rows_of(Document)
    body = document_body(Document.objects.select_related("job").get(pk=document.pk))
    for name in ("id", "name", "project", "page_count", "pages_per_chunk"):
        assert row[name] == body[name], name  # type: ignore[literal-required]
    for name in ("total_chunks", "completed_chunks", "failed_chunks", "pending_chunks", "processing_chunks"):
        assert row[name] == body["chunk_processing"][name], name  # type: ignore[literal-required]
    assert row["progress_pct"] == body["chunk_processing"]["progress_pct"]
    assert (row["status"], row["stage"]) == ("processing", body["job"]["stage"])


def test_a_chunk_has_the_fields_of_rest() -> None:
    document = in_state(3, done=1, failed=1)
    Item.objects.filter(chunk__chunk_index=0).update(result={"path": "out/0.txt"}, checksum="abc")
    [_, _, first] = rows = rows_of(Chunk)
    assert [row["chunk_index"] for row in rows] == [2, 1, 0]
    body: Any = chunk_bodies(document)[0]
    plain = [name for name in body if not name.endswith("_at")]
    assert {name: first[name] for name in plain} == {name: body[name] for name in plain}
    assert first["document"] == document.name


@pytest.mark.parametrize(("model", "most"), [(Document, 3), (Chunk, 3)])
def test_a_portion_costs_the_same_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch, model: Any, most: int) -> None:
    monkeypatch.setattr(keyset_export, "FIRST_BATCH", 3)
    monkeypatch.setattr(keyset_export, "BATCH", 6)
    for _ in range(9):
        make_document(2)
    model_admin: Any = admin.site._registry[model]
    rows = model.objects.order_by(*model_admin.ordering).prefetch_related(*model_admin.follows)
    following = file_chunks(rows, model_admin.exported, Csv(), prepare=model_admin.exported_rows)
    for number in (3, 6):
        with CaptureQueriesContext(connection) as asked:
            lines = list(csv.reader(next(following).decode().splitlines()))
        assert (len(lines), len(asked) <= most) == (number, True)
