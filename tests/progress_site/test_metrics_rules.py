"""Alert rules and dashboard: they name only metrics that exist, and promtool accepts the rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from jobs.watchdog import process_heartbeats

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
UNIT_TESTS = ROOT / "deploy" / "prometheus" / "rules_test.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
DOCS = ROOT / "docs" / "metrics.md"
METRIC = re.compile(r"\bprogress_[a-z0-9_]+\b")
SUFFIXES = ("_bucket", "_count", "_sum")
PANELS = ("stat", "timeseries")


def exported(client: Client) -> dict[str, set[str]]:
    """Return the exported metrics, as the table of the docs names them, with their labels."""
    process_heartbeats.beat("watchdog")
    found: dict[str, set[str]] = {}
    for line in client.get("/metrics").content.decode().splitlines():
        match = re.match(r"(progress_\w+)(?:\{(.*)\})? ", line)
        if match:
            name = next((match[1].removesuffix(end) for end in SUFFIXES if match[1].endswith(end)), match[1])
            labels = set(re.findall(r'(\w+)="', match[2] or "")) - {"le"}
            found.setdefault(name, set()).update(labels)
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Yield the panels of the dashboard without the headings of its rows."""
    yield from (panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row")


def base(name: str) -> str:
    """Return a metric without the suffix of a histogram."""
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


@pytest.mark.django_db
@pytest.mark.parametrize("file", [RULES, UNIT_TESTS, DASHBOARD], ids=lambda path: path.name)
def test_each_named_metric_is_exported(client: Client, file: Path) -> None:
    named = {base(name) for name in METRIC.findall(file.read_text())}
    assert named
    assert named <= exported(client).keys()


@pytest.mark.django_db
def test_each_exported_metric_is_in_the_docs_with_its_labels(client: Client) -> None:
    found = exported(client)
    rows = re.findall(r"^\| `(progress_\w+)` \| (.*?) \| (.*?) \|", DOCS.read_text(), re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels, _ in rows} == found
    assert all(unit.strip() for _, _, unit in rows)


def test_each_alert_is_in_the_docs_and_has_a_unit() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert len(alerts) == len(set(alerts))
    assert set(alerts) == set(re.findall(r"`(Progress\w+)`", DOCS.read_text()))


def test_each_panel_of_the_dashboard_has_a_query_a_title_and_a_place() -> None:
    shown = list(panels())
    assert shown
    assert all(panel["title"] and panel["type"] in PANELS for panel in shown)
    assert all(target["expr"].strip() for panel in shown for target in panel["targets"])
    assert all(panel["targets"] for panel in shown)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in shown]
    assert len(places) == len(set(places))


def promtool() -> str:
    """Return the program that checks rules; skip without it, fail where services are required."""
    found = shutil.which("promtool")
    if not found:
        refuse = pytest.fail if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip
        refuse("promtool (package prometheus) is not installed")
    return found or ""


def check(*arguments: str) -> None:
    """Run promtool; the test fails with its output."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    check("check", "rules", str(RULES))


def test_the_rules_fire_as_their_tests_say() -> None:
    check("test", "rules", str(UNIT_TESTS))


def test_promtool_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    check("check", "rules", str(file))


@pytest.mark.django_db
def test_promtool_accepts_the_metrics(client: Client) -> None:
    text = client.get("/metrics").content
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 3), done.stderr.decode()  # 3: remarks about names
