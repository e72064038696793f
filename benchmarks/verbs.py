"""Cost of a report without HTTP: one order as JSON on stdin, the seconds of each call printed as JSON.

The order is a list of calls in their order: {"job": id, "start": n, "count": n} reports `count` items as completed,
from the one with the number `start` on.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import django

django.setup()

from jobs import tracking  # noqa: E402
from jobs.change import Actor  # noqa: E402
from jobs.models import Phase  # noqa: E402
from jobs.tracking import Result  # noqa: E402


def seconds(call: dict[str, Any]) -> float:
    """Make one call, as a view does, and measure it."""
    results = [Result(f"k{number}", "completed") for number in range(call["start"], call["start"] + call["count"])]
    begun = perf_counter()
    phase = Phase.objects.select_related("job").get(job=call["job"])
    tracking.report(phase, worker="w1", results=results, by=Actor(name="w1"))
    return perf_counter() - begun


if __name__ == "__main__":
    json.dump([seconds(call) for call in json.load(sys.stdin)], sys.stdout)
