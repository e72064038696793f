"""The errors of one job on its page."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.console.errors import error_groups
from jobs.models import Item
from jobs.rules.pipelines import PhaseSpec
from tests.factories import make_job, phase_of, pipeline, tell
from tests.jobs.api.test_all_errors import fail


def test_a_group_shows_its_newest_error_what_is_in_common_and_its_items(lead: Any) -> None:
    job = fail(["no /in/1.png", "no /in/2.png", "disk full"], worker="w7")
    page = lead.open(job.get_absolute_url())
    said = page.section("failures")
    assert said.startswith("Errors 3 2\u00d7 no /in/2.png pattern: no … first")
    assert "w7 2 items Retry these 2…" in said
    assert "1\u00d7 disk full" in said
    assert "Retry this one…" in said
    assert "pattern: disk" not in said
    listed = lead.open(job.get_absolute_url() + page.links()["2 items"])
    assert len(listed.root.find("input", name="item")) == 2


def test_exactly_the_group_is_retried(lead: Any) -> None:
    job = fail(["no /in/1.png", "no /in/2.png", "disk full"])
    page = lead.confirm(lead.open(job.get_absolute_url()).links()["Retry these 2…"])
    assert page.messages == [f"{job.name}: 2 retried."]
    assert [item.error for item in Item.objects.failed()] == ["disk full"]


def test_a_group_of_several_phases_has_a_list_for_each(lead: Any) -> None:
    job = pipeline(PhaseSpec("ocr", label="OCR", expected=9), PhaseSpec("check", label="Check", expected=9))
    for code, number in (("ocr", 2), ("check", 1)):
        for place in range(number):
            tell(phase_of(job, code), f"k{place}", "failed", error="timeout")
    page = lead.open(job.get_absolute_url())
    assert "OCR: 2 items · Check: 1 item" in page.section("failures")
    assert page.links()["Check: 1 item"] == "?phase=check&signature=timeout#items"


def test_of_many_errors_the_most_frequent_are_shown_and_the_others_counted(lead: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(error_groups, "GROUPS_LISTED", 1)
    said = lead.open(fail(["a", "b", "b", "c"]).get_absolute_url()).section("failures")
    assert "2\u00d7 b" in said
    assert "and 2 with other errors in the list of failed items" in said


def test_more_workers_than_are_named_are_counted(lead: Any) -> None:
    job = make_job(items=8)
    for number in range(7):
        tell(phase_of(job), f"k{number}", "failed", error="x", worker=f"w{number}")
    assert "w0, w1, w2, w3, w4 and 2 more" in lead.open(job.get_absolute_url()).section("failures")


@pytest.mark.parametrize("failed", [0, 1])
def test_without_failures_there_is_no_section(lead: Any, failed: int) -> None:
    page = lead.open(make_job(items=3, failed=failed).get_absolute_url())
    assert bool(page.section("failures")) == bool(failed)
    assert len(page.root.find("section", data_section="failures")) == 1
