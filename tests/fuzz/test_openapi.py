"""Generated requests to every operation of the OpenAPI document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.fuzz.calls import Call, dump, generate, send_all
from tests.plan import ROOT, size

pytestmark = [pytest.mark.full, pytest.mark.django_db]
EXAMPLES = size(4, full=60)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Provide the calls, which are the same in every run."""
    return generate(EXAMPLES)


def test_no_call_fails_breaks_the_contract_or_stores_anything_on_a_refusal(calls: list[Call]) -> None:
    answers = send_all(calls)
    faults = [(answer, call) for call, answer in zip(calls, answers, strict=True) if answer.fault]
    assert not faults, "\n".join(map(str, faults[:20]))
    # Calls that are all refused for one reason would prove nothing.
    assert Counter(answer.status // 100 for answer in answers).keys() >= {2, 4}


@pytest.mark.postgres
def test_both_databases_answer_with_the_same_status(calls: list[Call]) -> None:
    environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "tests.fuzz.replay"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate(dump(calls))
    there = json.loads(output)
    here = [answer.status for answer in send_all(calls)]
    assert [(a, b, call) for a, b, call in zip(here, there, calls, strict=True) if a != b] == []
