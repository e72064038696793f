"""The OCR pipeline: a phase of chunks and a gated merge."""

from __future__ import annotations

from jobs.rules.errors import BadInput
from jobs.rules.pipelines import Kind, KindOptions, PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from ocr_chunks.documents.merge_check import check_result
from ocr_chunks.models import KIND, MERGE, OCR


def _phase(code: str, *, label: str, stage: str, weight: int, gated: bool) -> PhaseSpec:
    return PhaseSpec(
        code=code,
        label=label,
        stage=stage,
        weight=weight,
        gated=gated,
        trigger=Trigger.AT_THRESHOLD,
        on_shortfall=Shortfall.FAIL,
    )


PHASES = (
    _phase(OCR, label="OCR", stage="Processing chunk {done}/{expected}", weight=100, gated=False),
    _phase(MERGE, label="Merge", stage="Merging OCR results", weight=0, gated=True),
)


def _phases(options: KindOptions) -> list[PhaseSpec]:
    if options.phases or options.asset_types:
        raise BadInput({"phases": "Leave phases out: a document has fixed phases."})
    return list(PHASES)


PIPELINE = Kind(
    code=KIND,
    label="OCR",
    build=_phases,
    default_threshold=100,
    check_result=check_result,
    page="admin:ocr_chunks_document_change",
    list_page="admin:ocr_chunks_document_changelist",
    plural="Documents",
    key="m",
    open=False,
    created_at="/api/v1/documents",
)
