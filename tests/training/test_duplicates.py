"""Images that look alike: one represents the others, for good."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from jobs import operations, watchdog
from jobs.models import Event
from tests.factories import WORKER
from tests.jobs.races.concurrency import assert_whole, threads
from tests.training.factories import (
    add,
    body,
    finish,
    image,
    image_of,
    images,
    job_of,
    make_session,
    part,
    report,
    unified,
)
from training import sessions
from training.models import TrainingImage, TrainingSession
from training.sessions import NewImage

pytestmark = pytest.mark.django_db


def representatives(session: TrainingSession) -> dict[str, str]:
    """By path: the path of the image that represents this one."""
    found = TrainingImage.objects.filter(session=session).select_related("item", "duplicate_of__item").order_by("pk")
    return {one.item.key: (one.duplicate_of or one).item.key for one in found}


def rows(session: TrainingSession) -> list[tuple[Any, ...]]:
    """Everything that is kept of the images."""
    found = session.images.order_by("pk")
    return list(found.values_list("pk", "hash", "duplicate_of", "item__status", "item__error", "item__attempt"))


def test_331_trained_and_335_duplicates_of_666_are_all_of_it() -> None:
    session = make_session(images(331, 335))
    assert unified(session)["phases"]["training"]["progress"]["current"] == 335
    finish(session, "training")
    training = unified(session)["phases"]["training"]
    assert training["progress"] | {"etaSeconds": None, "imagesPerMinute": None} == {
        "current": 666, "total": 666, "percentage": 100.0, "etaSeconds": None,
        "imagesPerMinute": None, "unique": 331, "skipped": 335, "failed": 0,
    }  # fmt: skip
    assert (training["status"], part(session, "training").done) == ("completed", 331)
    assert unified(session)["overallProgress"]["percentage"] == 30.0
    assert unified(session)["overallProgress"]["currentPhase"] == "face_detection"


def test_of_five_images_three_of_which_look_alike_the_oldest_represents_the_others() -> None:
    alike = [image("b.jpg", "f0", day=2), image("a.jpg", "f0", day=1), image("c.jpg", "f0", day=3)]
    session = make_session([alike[0], image("d.jpg", "99", day=0), *alike[1:], image("e.jpg")])
    assert representatives(session) == {
        "b.jpg": "a.jpg", "d.jpg": "d.jpg", "a.jpg": "a.jpg", "c.jpg": "a.jpg", "e.jpg": "e.jpg",
    }  # fmt: skip
    assert body(session)["images"] == {"total": 5, "unique": 3, "skipped": 2}
    copy = image_of(session, "c.jpg").item
    oldest = image_of(session, "a.jpg")
    assert (copy.status, copy.error) == ("skipped", f"Duplicate of image {oldest.pk}")
    assert copy.finished_at is not None
    assert oldest.item.status == "pending"


@pytest.mark.parametrize(
    ("given", "oldest"),
    [
        ([("a", None), ("b", 5)], "b"),
        ([("a", None), ("b", None)], "a"),
        ([("b", 5), ("a", 5)], "b"),
        ([("a", 7), ("b", None), ("c", 6)], "c"),
    ],
)
def test_times_nobody_knows_come_last_and_ties_go_by_the_list(given: list[tuple[str, int | None]], oldest: str) -> None:
    session = make_session([image(path, "f0", day=day) for path, day in given])
    assert set(representatives(session).values()) == {oldest}


def test_images_without_a_hash_are_like_no_other() -> None:
    session = make_session([image("a.jpg"), image("b.jpg"), image("c.jpg")])
    assert body(session)["images"] == {"total": 3, "unique": 3, "skipped": 0}


def test_images_of_other_sessions_are_no_duplicates() -> None:
    make_session([image("a.jpg", "f0")])
    assert body(make_session([image("b.jpg", "f0")]))["images"]["skipped"] == 0


def test_a_representative_of_an_earlier_call_stays_also_when_an_older_image_comes() -> None:
    session = make_session(None)
    add(session, image("young.jpg", "f0", day=9))
    report(session, "training", [])
    add(session, image("older.jpg", "f0", day=1), image("oldest.jpg", "f0", day=0))
    assert set(representatives(session).values()) == {"young.jpg"}


def test_a_duplicate_of_a_trained_image_is_skipped_too() -> None:
    session = make_session(None)
    add(session, image("i0.jpg", "f0"))
    report(session, "training", ["completed"])
    added = add(session, image("i1.jpg", "f0"), complete=True)
    assert (added.added, added.skipped, part(session, "training").status) == (1, 1, "completed")


def test_only_the_training_of_a_duplicate_is_skipped_its_faces_are_looked_for() -> None:
    session = make_session(images(1, 2))
    assert (part(session, "face_detection").expected, part(session, "face_detection").skipped) == (3, 0)
    finish(session, "training")
    finish(session, "face_detection")
    assert part(session, "face_detection").done == 3


def test_items_carry_their_hash() -> None:
    session = make_session([image("a.jpg", "f0"), image("b.jpg")])
    for code in ("training", "face_detection"):
        payloads = part(session, code).items.order_by("pk").values_list("key", "payload")
        assert list(payloads) == [("a.jpg", {"hash": "f0"}), ("b.jpg", {"hash": ""})]


def test_a_path_that_comes_twice_is_one_image_and_the_first_counts() -> None:
    session = make_session([image("a.jpg", "f0"), image("a.jpg", "99"), image("b.jpg", "99")])
    assert image_of(session, "a.jpg").hash == "f0"
    assert body(session)["images"] == {"total": 2, "unique": 2, "skipped": 0}


def test_adding_the_same_list_again_changes_nothing() -> None:
    listed = images(3, 4)
    session = make_session(listed)
    before, revision = rows(session), job_of(session).revision
    again = sessions.create_session(name=job_of(session).name, images=listed[::-1], by=WORKER)
    assert (again.created, rows(session)) == (False, before)
    assert add(session, *listed) == sessions.ImagesAdded(0, 7, 0)
    assert job_of(session).revision == revision
    assert watchdog.recount() == []


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_list_in_many_calls_is_the_list_in_one(size: int) -> None:
    listed = images(3, 4)
    whole, session = make_session(listed), make_session(None)
    for start in range(0, len(listed), size):
        add(session, *listed[start : start + size])
    add(session, complete=True)
    assert representatives(session) == representatives(whole)
    assert body(session)["images"] == body(whole)["images"]
    assert [part(one, "training").expected for one in (session, whole)] == [7, 7]


def test_new_images_of_a_complete_session_are_added_while_it_trains() -> None:
    session = make_session(2)
    again = make_session([image("new.jpg")], name=job_of(session).name)
    assert again == session
    assert [part(session, code).expected for code in ("training", "face_detection")] == [3, 3]


def test_an_image_that_an_operator_skips_counts_as_skipped_too() -> None:
    session = make_session(images(2, 1))
    operations.skip(job_of(session), items=[image_of(session, "i1.jpg").pk], actor=None)
    assert body(session)["images"] == {"total": 3, "unique": 1, "skipped": 2}


# --- what the database holds -------------------------------------------------------------------------


def test_the_database_holds_one_representative_of_a_hash() -> None:
    session = make_session(images(1, 1))
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingImage.objects.duplicates().update(duplicate_of=None)
    assert TrainingImage.objects.representatives().get(session=session) == image_of(session, "i0.jpg")


@pytest.mark.parametrize("wrong", [{"hash": ""}, {"duplicate_of": "itself"}])
def test_the_database_holds_that_a_duplicate_has_a_hash_and_is_not_its_own(wrong: dict[str, Any]) -> None:
    copy = image_of(make_session(images(1, 1)), "i1.jpg")
    values = {name: copy.pk if value == "itself" else value for name, value in wrong.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingImage.objects.filter(pk=copy.pk).update(**values)


# --- at once, and half way ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_callers_who_add_the_same_hashes_at_once_get_one_representative_each() -> None:
    def listed(caller: int) -> list[NewImage]:
        return [image(f"{caller}-{n}.jpg", f"hash-{n % 5}") for n in range(20)] + [image("shared.jpg", "hash-0")]

    with threads(4) as team:
        for _ in range(5):
            session = make_session(None)
            added = team.at_once(*[partial(add, session, *listed(caller)) for caller in range(4)])
            assert sum(one.added for one in added) == 81
            assert sum(one.skipped for one in added) == 76
            assert TrainingImage.objects.representatives().filter(session=session).count() == 5
            assert body(session)["images"] == {"total": 81, "unique": 5, "skipped": 76}
            assert_whole(job_of(session))


@pytest.mark.django_db(transaction=True)
def test_creators_of_the_same_name_at_once_get_the_same_session_with_the_images_of_all() -> None:
    with threads(4) as team:
        for number in range(5):
            listed = [[image(f"{caller}.jpg", "same"), image("shared.jpg", "same")] for caller in range(4)]
            made = team.at_once(*[partial(make_session, one, name=f"shared-{number}") for one in listed])
            assert len({session.pk for session in made}) == 1
            assert body(made[0])["images"] == {"total": 5, "unique": 1, "skipped": 4}
            assert_whole(job_of(made[0]))


@pytest.mark.parametrize("how", ["create", "add"])
def test_what_fails_half_way_leaves_nothing_and_tells_nobody(
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    broadcasts: list[int],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    session = make_session(None)
    before = (rows(session), Event.objects.count())

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("training.sessions.create.skip_listed", fails)
    acts = {"create": partial(make_session, images(1, 1), name="new"), "add": partial(add, session, *images(1, 1))}
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        acts[how]()
    assert (rows(session), Event.objects.count(), broadcasts) == (*before, [])
    assert TrainingSession.objects.count() == 1
    assert job_of(session).phases.get(code="training").items_total == 0
