"""SQL statement counts of training: constant in the number of images and sessions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Job
from tests.jobs.test_sql_pins import analyze, plan_of, reads_all_items, statements
from tests.training.conftest import TrainingApi
from tests.training.factories import (
    add,
    clustering,
    completed_session,
    faces,
    finish,
    image,
    job_of,
    make_session,
    part,
    report,
)
from training import sessions
from training.models import TrainingImage, TrainingSession
from training.serializers import parts_of, session_bodies
from training.sessions import NewImage
from training.unified_progress import unified_body

pytestmark = pytest.mark.django_db
_numbers = count(1)


def listed(number: int, *, alike: int = 10) -> list[NewImage]:
    """New images, of which `alike` look alike each."""
    first = next(_numbers) * 1_000_000
    return [image(f"{n}.jpg", f"hash-{n // alike}", day=n % 7) for n in range(first, first + number)]


def begun(number: int) -> TrainingSession:
    """A discovering session that has so many images, and whose worker has been heard."""
    session = make_session(None)
    add(session, image("i0.jpg"), image("i1.jpg"), image("i2.jpg"))
    add(session, *listed(number))
    report(session, "training", ["completed"])
    return session


def detecting(number: int) -> TrainingSession:
    session = make_session(listed(number))
    finish(session, "training")
    faces(session, faces_detected=1)
    return session


def clustered(number: int) -> TrainingSession:
    session = detecting(number)
    finish(session, "face_detection")
    clustering(session, "running", current=1)
    return session


def costs(acts: list[Callable[[], Any]]) -> list[int]:
    """Return the statement count of each of these calls."""
    return [len(statements(act)) for act in acts]


def test_images_are_added_with_as_many_statements_for_two_as_for_five_thousand() -> None:
    sizes = [(2, 1), (100, 10), (5000, 10), (5000, 5000)]
    found = costs([partial(add, begun(10), *listed(size, alike=2 if size == 2 else alike)) for size, alike in sizes])
    assert len(set(found)) == 1
    assert found[0] <= 15


def test_images_are_added_with_as_many_statements_to_a_small_session_as_to_a_large_one() -> None:
    given = [image("new-1.jpg", "f0"), image("new-2.jpg", "f0")]
    assert len(set(costs([partial(add, begun(size), *given) for size in (2, 1000, 10_000)]))) == 1


def test_adding_finds_its_images_by_index_however_many_there_are() -> None:
    session = begun(20_000)
    analyze()
    for sql in statements(partial(add, session, *listed(20))):
        if sql.startswith("SELECT") and "jobs_item" in sql:
            assert not reads_all_items(plan_of(sql))
        if sql.startswith("SELECT") and "training_trainingimage" in sql:
            plan = plan_of(sql)
            assert "training_one_representative" in plan or "training_image_hash" in plan


def test_a_session_is_created_with_as_many_statements_for_two_images_as_for_a_thousand() -> None:
    create = [partial(make_session, listed(size, alike=2)) for size in (2, 100, 1000)]
    assert len(set(costs(create))) == 1


def test_a_list_that_is_known_costs_little() -> None:
    session, given = begun(10), listed(1000)
    add(session, *given)
    assert costs([partial(add, session, *given)])[0] <= 8


@pytest.mark.parametrize(
    ("make", "act", "most"),
    [
        (detecting, lambda session: faces(session, faces_detected=2), 9),
        (clustered, lambda session: clustering(session, "running", current=2), 12),
        (detecting, lambda session: sessions.restart(session, what="faces", actor=None), 16),
    ],
    ids=["faces", "clustering", "restart"],
)
def test_a_word_or_an_act_costs_the_same_in_a_small_session_and_in_a_large_one(make: Any, act: Any, most: int) -> None:
    found = costs([partial(act, make(size)) for size in (2, 500)])
    assert len(set(found)) == 1
    assert found[0] <= most


def test_bodies_cost_the_same_for_one_session_and_for_many() -> None:
    for _ in range(12):
        completed_session(2)
        faces(detecting(2), faces_detected=3)
    jobs = list(Job.objects.select_related("training_session").order_by("pk"))
    found = costs([partial(session_bodies, some, now=timezone.now()) for some in (jobs[:1], jobs[1:2], jobs)])
    assert max(found) == 6
    [parts] = parts_of(jobs[1:2], now=timezone.now())
    assert costs([partial(unified_body, parts)]) == [0]


def test_no_body_counts_images() -> None:
    session = detecting(5)
    seen = statements(lambda: session_bodies([job_of(session)], now=timezone.now()))
    assert not [sql for sql in seen if "COUNT(" in sql.upper()]
    assert not [sql for sql in seen if "training_trainingimage" in sql]


def test_a_page_of_sessions_costs_the_same_for_one_and_for_many(worker: TrainingApi) -> None:
    make_session(2)
    few = costs([lambda: worker.get("/training")])
    for _ in range(20):
        faces(detecting(2), faces_detected=3)
    many = costs([lambda: worker.get("/training")])
    assert many[0] <= few[0] + 2
    assert many == costs([lambda: worker.get("/training?limit=5")])
    assert many[0] <= 11


def test_a_large_list_comes_in_portions_that_cost_the_same() -> None:
    session = make_session(None)
    found = [statements(partial(add, session, *listed(5000, alike=4))) for _ in range(4)]
    assert len({len(portion) for portion in found[1:]}) == 1
    add(session, complete=True)
    assert TrainingImage.objects.filter(session=session).count() == 20_000
    phase = part(session, "training")
    assert (phase.expected, phase.skipped, part(session, "face_detection").expected) == (20_000, 15_000, 20_000)
