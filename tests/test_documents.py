"""README, docs and the guides of the client: every block is run by a test or listed with a reason, paths are right."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from jobs.operations import ACTS
from tests.examples.document_blocks import ROOT, SHELL, block, blocks_of, documents
from tests.test_imports import LAYERS

LAYER_TABLE = runpy.run_path(str(ROOT / ".ci" / "layer_table.py"))
RUNNABLE = {"bash", "console", "py", "python", "sh", "shell"}
OTHER_LANGUAGES = {"json", "nginx", "text", "yaml"}

# Block -> the test that runs it.
RUN = {
    "README.md#A worker in twelve lines": "tests/client/test_docs.py",
    "CONTRIBUTING.md#Adding an act": "tests/jobs/test_documented_code.py",
    SHELL: "tests/examples/document_blocks.py",
    "client/README.md#progress_client (2)": "tests/client/test_docs.py",
    "client/WRITE_A_WORKER.md#A service that is driven by events": "tests/client/test_docs.py",
    "client/WRITE_A_WORKER.md#A service that only counts": "tests/client/test_docs.py",
    "client/WRITE_A_WORKER.md#A worker in shell": "tests/client/test_docs.py",
    "client/WRITE_A_WORKER.md#The claim loop": "tests/client/test_docs.py",
    "docs/alerts.md#Probes": "tests/examples/test_quickstart.py",
    "docs/events.md#A listener": "tests/examples/test_event_docs.py",
    "docs/events.md#RabbitMQ": "tests/examples/test_event_docs.py",
    "docs/events.md#The feed": "tests/examples/test_event_docs.py",
    "docs/events.md#Verify a signature": "tests/examples/test_event_docs.py",
    "docs/events.md#Webhooks": "tests/examples/test_event_docs.py",
    "docs/executors.md#Processes": "tests/client/test_worker_docs.py",
    "docs/executors.md#Threads": "tests/client/test_worker_docs.py",
    "docs/executors.md#joblib": "tests/client/test_worker_docs.py",
    "docs/integrations.md#Futures": "tests/client/integrations/test_integration_docs.py",
    "docs/integrations.md#Loops and tqdm": "tests/client/integrations/test_integration_docs.py",
    "docs/integrations.md#joblib": "tests/client/integrations/test_integration_docs.py",
    "docs/integrations.md#pandas": "tests/client/integrations/test_integration_docs.py",
    "docs/live.md#Server-sent events": "tests/examples/test_quickstart.py",
    "docs/migrating.md#The SQLite image tracker": "tests/test_migrating_docs.py",
    "docs/notifications.md#REST": "tests/examples/test_event_docs.py",
    "docs/operators.md#The command line": "tests/examples/test_quickstart.py",
    "docs/pipelines/ocr.md#A document with a broken page": "tests/examples/test_ocr_worker_docs.py",
    "docs/pipelines/training.md#Drawn people": "tests/examples/test_training_worker_docs.py",
    "docs/pipelines/vision.md#Inbound events": "tests/examples/test_quickstart.py",
    "docs/pipelines/writing.md#Register a kind": "tests/jobs/test_documented_code.py",
    "docs/shell.md#A command for each item of a list": "tests/client/test_worker_docs.py",
    "docs/shell.md#A command for each item of a list (2)": "tests/client/test_worker_docs.py",
    "docs/shell.md#Jobs and counts": "tests/client/test_worker_docs.py",
    "docs/shell.md#One command": "tests/client/test_worker_docs.py",
    "docs/workers.md#Retries and logs": "tests/client/test_docs.py",
    "docs/quickstart.md#A worker in five requests": "tests/examples/test_quickstart.py",
}
# Block -> the reason why no test runs it.
NOT_RUN = {
    "README.md#Two commands": "tests/jobs/test_demo.py runs the demo; make test is the run itself",
    "CONTRIBUTING.md#Working on Progress Site": "these commands run the tests",
    "client/README.md#progress_client": "installs a package; tests/client/test_package.py does that",
    "docs/alerts.md#Incidents": "needs the token of an operator; tests/jobs/incidents/test_api.py asks the same",
    "docs/deployment.md#One machine": "tests/progress_site/test_serve.py starts serve on many ports",
    "docs/deployment.md#Several processes": "installs packages and does not end; .ci/run tests these processes",
    "docs/executors.md#Celery and gunicorn": "needs Redis; tests/client/test_pools.py runs such tasks",
    "docs/deployment/backup.md#Backup": "tests/deploy/test_backup.py runs the script on both databases",
    "docs/deployment/backup.md#Downgrade": "changes the checkout; tests/deploy/test_backup.py takes migrations back",
    "docs/deployment/backup.md#Restore": "tests/deploy/test_backup.py runs the script on both databases",
    "docs/deployment/backup.md#Upgrade": "changes the checkout; tests/deploy/test_backup.py runs its steps",
    "docs/deployment/containers.md#Kubernetes": "needs a cluster; tests/deploy/test_units.py builds the manifests",
    "docs/deployment/containers.md#compose": "needs docker; tests/deploy/test_containers.py reads the file",
    "docs/deployment/proxies.md#The doctor": "tests/deploy/test_doctor.py runs it through real proxies",
    "docs/integrations.md#Airflow and Prefect": "needs Airflow; test_schedulers.py calls its hooks",
    "docs/integrations.md#Airflow and Prefect (2)": "needs Prefect; test_schedulers.py calls its hooks",
    "docs/integrations.md#Celery": "needs Redis; tests/client/integrations/test_celery.py runs such tasks",
    "docs/integrations.md#Celery (2)": "needs Redis; tests/client/integrations/test_celery.py sends such tasks",
    "docs/integrations.md#Hugging Face, Lightning and Keras": "tests/client/integrations/test_trainings.py does that",
    "docs/integrations.md#RQ and Dramatiq": "needs Redis; tests/client/integrations/test_queues.py sends such jobs",
    "docs/integrations.md#RQ and Dramatiq (2)": "needs a broker; tests/client/integrations/test_queues.py has one",
    "docs/quickstart.md#Start the site": "tests/jobs/test_demo.py runs the demo",
    "docs/quickstart.md#Start the site (2)": "asks for a password; tests/progress_site/test_serve.py starts serve",
    "docs/workers.md#The Python client": "installs a package; tests/client/test_package.py does that",
}


def test_every_block_is_run_or_listed_with_a_reason() -> None:
    found = {block.name for path in documents() for block in blocks_of(path) if block.language in RUNNABLE}
    listed = {*RUN, *NOT_RUN}
    assert not found - listed, "Run these blocks in a test and add them to RUN, or add them to NOT_RUN with a reason."
    assert not listed - found, "Remove these entries: there are no such blocks."


@pytest.mark.parametrize("name", RUN)
def test_the_test_of_a_block_names_it(name: str) -> None:
    assert name in (ROOT / RUN[name]).read_text()


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_names_its_language(path: Path) -> None:
    assert {block.language for block in blocks_of(path)} <= RUNNABLE | OTHER_LANGUAGES
    indented = [line for line in re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL).split("\n\n") if line]
    assert not [text for text in indented if text.startswith("    ")], "Fence the block and name its language."


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_exists(path: Path) -> None:
    text = path.read_text()
    links = {path.parent / name for name in re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", text)}
    pictures = {path.parent / name for name in re.findall(r'(?:src|srcset)="((?!http)[^"]+)"', text)}
    code = {ROOT / name for name in re.findall(r"`((?:jobs|tests|templates|examples|progress_site)/[\w/.]+)`", text)}
    missing = [str(found) for found in sorted(links | pictures | code) if not found.exists()]
    assert not missing, "\n".join(missing)


def test_the_table_of_layers_is_that_of_the_import_test() -> None:
    text = LAYER_TABLE["PAGE"].read_text()
    assert LAYER_TABLE["page_with"](text, LAYERS) == text, "Run `make docs` and commit docs/architecture.md."


def test_the_glossary_has_every_act() -> None:
    words = set(re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), flags=re.MULTILINE))
    defined = {word.strip() for entry in words for word in entry.split(",")}
    assert set(ACTS) <= defined


def test_the_deployment_page_has_every_setting_of_the_example_file() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    settings = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    assert settings
    assert not [name for name in settings if f"`{name}`" not in page]


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
    assert block("README.md#A worker in twelve lines").count("\n") <= 12
