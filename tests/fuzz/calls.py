"""Calls generated from the OpenAPI document, and their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

import schemathesis
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Sum
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import ValidationError
from knox.models import AuthToken
from schemathesis import APIOperation, Case, GenerationMode

from jobs.api import token_last_used
from jobs.models import Job
from tests.access.projects import OWN, make_project
from tests.access.routes import PARAMETER
from tests.db_cleanup import tables
from tests.jobs.api import contract

# Every fourth call has the generated ids in its address; the others name objects that exist.
GENERATED_IDS = 4
SMALL_ID = re.compile(r"(?<=/)[1-9]\d{0,9}(?=/|$)")
NO_ID = 10**10
# They end with the client, not by themselves.
STREAMS = "/stream"


@dataclass(frozen=True)
class Call:
    """A request. Its path names existing objects in braces, so that it is the same on every database."""

    method: str
    path: str
    query: str
    body: str


@dataclass(frozen=True)
class Answer:
    """An answer: the status, and a sentence where a rule is broken."""

    status: int
    fault: str


def generate(number: int) -> list[Call]:
    """Generate calls: that many valid and that many invalid ones for each operation. Each run makes the same."""
    schema = schemathesis.openapi.from_dict(contract.document())
    operations = [result.ok() for result in schema.get_all_operations()]
    return [
        call(case, index)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for index, case in enumerate(cases(operation, mode, number))
        if not (case.method == "GET" and case.path.endswith(STREAMS))
    ]


def cases(operation: APIOperation, mode: GenerationMode, number: int) -> list[Case]:
    """Generate that many requests to an operation; fewer where it has not as many."""
    found: list[Case] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def call(case: Case, index: int) -> Call:
    """Return the call of a generated request."""
    path = case.path
    if index % GENERATED_IDS == GENERATED_IDS - 1:  # a small id may exist on one database and not on the other
        path = SMALL_ID.sub(lambda found: str(NO_ID + int(found[0])), case.formatted_path)
    query = urlencode(case.query or {}, doseq=True, errors="replace")
    body = json.dumps(case.body) if isinstance(case.body, (dict, list, str, int, float, bool, type(None))) else ""
    return Call(case.method, path, query, body)


def send_all(calls: Iterable[Call]) -> list[Answer]:
    """Send the calls of a superuser to the objects of a project; each is undone."""
    project = make_project(OWN)
    token, secret = AuthToken.objects.create(User.objects.create(username="superuser", is_superuser=True))
    token_last_used.record_use(token)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
    before = stored()
    return [send(client, each, project.values, before=before) for each in calls]


def send(client: Client, given: Call, values: dict[str, Any], *, before: Any) -> Answer:
    """Send one call and undo it."""
    path = PARAMETER.sub(lambda found: quote(str(values[found[1]])), given.path)
    with transaction.atomic():
        response = client.generic(given.method, f"{path}?{given.query}", given.body, content_type="application/json")
        is_refusal = response.status_code >= 400
        fault = "stored something" if is_refusal and stored() != before else ""
        transaction.set_rollback(True)
    if response.status_code >= 500:
        fault = "failed"
    return Answer(response.status_code, fault or breach(given.method, path, response))


def breach(method: str, path: str, response: HttpResponse) -> str:
    """Return how an answer breaks the contract; empty where it keeps it. An address without a view is 404."""
    try:
        contract.check(method, path, response)
    except Resolver404:
        return "" if response.status_code == 404 else "answers where there is no view"
    except (AssertionError, ValidationError) as error:
        return f"breaks the contract: {str(error)[:300]}"
    return ""


def stored() -> Any:
    """Return the number of rows of every table, and the sum of the revisions of jobs."""
    numbers = " UNION ALL ".join(f"SELECT COUNT(*) FROM {table}" for table in tables())
    with connection.cursor() as cursor:
        cursor.execute(numbers)
        return cursor.fetchall(), Job.objects.aggregate(Sum("revision"))


def dump(calls: Iterable[Call]) -> str:
    """Return calls as JSON."""
    return json.dumps([asdict(each) for each in calls])


def load(text: str) -> list[Call]:
    """Return the calls of a JSON text."""
    return [Call(**each) for each in json.loads(text)]
