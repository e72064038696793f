"""manage.py import_tracker: the import equals the old file, or the difference is printed."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs import operations, tracking
from jobs.models import Event, Item, Job, Phase
from jobs.tracker import ProgressTracker, Status, legacy_import
from jobs.watchdog import recount
from tests.factories import item_of, make_job, outward, phase_of
from tests.jobs.tracker.oldfiles import BATCHES, IMAGES, JOBS, SCHEMA, image, make, make_usual, run

pytestmark = pytest.mark.django_db
NARROW = "CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE images (job_id INTEGER, image_path TEXT);"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A usual file."""
    return make_usual(tmp_path / "old?#.db")


def bring(path: Path, *options: str) -> tuple[str, str]:
    """Import the file; return stdout and stderr."""
    out, beside = StringIO(), StringIO()
    call_command("import_tracker", str(path), *options, stdout=out, stderr=beside)
    return out.getvalue(), beside.getvalue()


def fails(path: Path, *options: str) -> tuple[int, str]:
    """Import a file that fails; return the exit code and all output."""
    out, beside = StringIO(), StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_tracker", str(path), *options, stdout=out, stderr=beside)
    return caught.value.returncode, f"{out.getvalue()}{beside.getvalue()}{caught.value}"


def cut_off(*_: object) -> None:
    """Interrupt the import as Ctrl-C does."""
    raise KeyboardInterrupt


def other_kind(_: Path) -> None:
    """Make a job with a name of the file, but of another kind."""
    make_job(name="dogs", kind="vision", phases=[], asset_types=["image"])


def bad_bytes(path: Path) -> None:
    """Insert a path that is not UTF-8."""
    run(path, "UPDATE images SET image_path = CAST(? AS TEXT) WHERE id = 1", [[b"\xff"]])


def words(text: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in text.splitlines()]


def test_every_image_and_batch_is_here_in_its_status(file: Path, tracker: ProgressTracker) -> None:
    out, beside = bring(file)
    assert words(out)[1:] == [
        ["cats", "equal", "10", "4", "2", "1", "3", "3", "1"],
        ["dogs", "equal", "2", "2", "0", "0", "0", "0", "0"],
    ]
    assert beside == "All counts equal those of the file.\n"
    job_id = tracker.get_job_id("cats")
    assert job_id is not None
    progress = tracker.get_progress(job_id)
    assert [progress[name] for name in ("total_images", "processed_count", "error_count")] == [10, 4, 2]
    assert [str(path) for _, path, _ in tracker.get_pending_images(job_id)] == ["c7.jpg", "c8.jpg", "c9.jpg"]
    assert [row["error"] for row in tracker.get_pending_batches(job_id)] == ["full", ""]
    assert [row["image_count"] for row in tracker.get_uploaded_batches(job_id)] == [100]
    assert recount() == []


def test_what_the_file_knows_more_is_kept(file: Path) -> None:
    bring(file)
    cats, dogs = Job.objects.get(name="cats"), Job.objects.get(name="dogs")
    assert item_of(cats, "c4.jpg").error == "broken 4"
    assert item_of(cats, "c0.jpg").result == {"processed_at": "2025-11-02 10:00:00"}
    held = item_of(cats, "c6.jpg")
    assert (held.status, held.lease_expires_at) == ("processing", None)
    assert (item_of(dogs, "d0.jpg").split, dogs.status, dogs.partial) == ("val", "completed", False)
    assert cats.metadata["imported"] == {"id": 1, "created_at": "2025-11-01 09:00:00", "updated_at": None}


def test_importing_it_again_changes_nothing(file: Path) -> None:
    def state() -> object:
        items = Item.objects.order_by("pk").values_list("pk", "status", "attempt", "finished_at")
        return list(items), list(Job.objects.order_by("pk").values_list("name", "revision")), Event.objects.count()

    bring(file)
    before = state()
    assert bring(file)[1] == "All counts equal those of the file.\n"
    assert state() == before


def test_an_import_that_was_cut_off_goes_on(
    file: Path, tracker: ProgressTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_import, "BATCH_SIZE", 3)
    with monkeypatch.context() as patched:
        patched.setattr(legacy_import, "_report", cut_off)
        with pytest.raises(KeyboardInterrupt):
            bring(file)
    assert tracker.get_progress(tracker.get_job_id("cats") or 0)["total_images"] == 10
    assert bring(file)[1] == "All counts equal those of the file.\n"
    assert len(outward(Job.objects.get(name="dogs"), "job.completed")) == 1


def test_a_job_cannot_finish_half_listed_however_quick_its_workers_are(
    file: Path, tracker: ProgressTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = tracking.add_items

    def work_first(phase: Phase, **wanted: Any) -> tracking.Added:
        pending = [pk for pk, _, _ in tracker.get_pending_images(phase.job_id)]
        tracker.mark_many(pending, Status.COMPLETED)
        return add(phase, **wanted)

    monkeypatch.setattr(legacy_import, "BATCH_SIZE", 1)
    monkeypatch.setattr(tracking, "add_items", work_first)
    assert fails(file)[0] == 1
    dogs = Job.objects.get(name="dogs")
    assert (dogs.status, phase_of(dogs).run, len(outward(dogs, "items.completed"))) == ("completed", 1, 1)


def test_a_dry_run_writes_nothing(file: Path) -> None:
    out, beside = bring(file, "--dry-run")
    assert words(out)[1] == ["cats", "file", "10", "4", "2", "1", "3", "3", "1"]
    assert beside == "Nothing was written.\n"
    assert not Job.objects.exists()


def test_later_work_on_the_site_is_not_undone_and_the_difference_is_printed(
    file: Path, tracker: ProgressTracker
) -> None:
    bring(file)
    job = Job.objects.get(name="cats")
    tracker.reset_error_images(job.pk)
    tracker.mark_completed(item_of(job, "c9.jpg").pk)
    operations.release(job, actor=None)
    code, said = fails(file)
    assert (code, "1 of 2 jobs differ from the file" in said) == (1, True)
    assert [line for line in words(said) if line[0] in ("cats", "site")] == [
        ["cats", "file", "10", "4", "2", "1", "3", "3", "1"],
        ["site", "10", "5", "0", "0", "5", "3", "1"],
    ]
    assert [item_of(job, key).status for key in ("c4.jpg", "c6.jpg", "c9.jpg")] == ["pending", "pending", "completed"]


def test_what_the_old_tracker_completed_since_is_taken(file: Path) -> None:
    bring(file)
    run(file, "UPDATE images SET status = 'completed' WHERE image_path = ?", [["c6.jpg"], ["c7.jpg"]])
    run(file, "UPDATE jobs SET processed_count = ? WHERE id = 1", [[6]])
    bring(file)
    assert phase_of(Job.objects.get(name="cats")).done == 6


# --- files that are not as they should be --------------------------------------------------------


def test_missing_columns_are_done_without(tmp_path: Path, tracker: ProgressTracker) -> None:
    path = make(tmp_path / "narrow.db", NARROW)
    run(path, "INSERT INTO jobs VALUES (?, ?)", [[7, "narrow"], [8, "empty"]])
    run(path, "INSERT INTO images VALUES (?, ?)", [[7, "a.jpg"], [7, "b.jpg"]])
    bring(path)
    narrow, empty = (tracker.get_job_id(name) or 0 for name in ("narrow", "empty"))
    pending = [(str(path), split) for _, path, split in tracker.get_pending_images(narrow)]
    assert pending == [("a.jpg", ""), ("b.jpg", "")]
    assert tracker.get_progress(empty)["status"] == "completed"


@pytest.mark.parametrize(
    ("status", "here"),
    [
        ("completed", "completed"),
        (" Completed ", "completed"),
        ("error", "failed"),
        ("failed", "failed"),
        ("processing", "processing"),
        ("pending", "pending"),
        ("whatever", "pending"),
        ("", "pending"),
        (None, "pending"),
    ],
)
def test_each_status_has_its_place_here(tmp_path: Path, status: str | None, here: str) -> None:
    path = make(tmp_path / "one.db")
    run(path, JOBS, [[1, "one", None, None, None]])
    run(path, IMAGES, [image("a.jpg", status)])
    bring(path)
    item = Item.objects.get()
    assert (item.status, item.error) == (here, "unknown error" if here == "failed" else "")


def test_a_path_that_comes_twice_is_one_image_in_its_furthest_status(tmp_path: Path) -> None:
    path = make(tmp_path / "twice.db")
    run(path, JOBS, [[1, "twice", None, None, None]])
    run(path, IMAGES, [image("a", "pending"), image("a", "completed"), image("a", "error"), image("b", "error")])
    out, _ = bring(path)
    assert words(out)[1][2:5] == ["2", "1", "1"]


def test_the_images_count_where_the_old_counters_differ(file: Path) -> None:
    run(file, "UPDATE jobs SET processed_count = ? WHERE id = 1", [[3]])
    assert "processed_count in the file is 3, but its images give 4; the images are imported" in bring(file)[1]


DAMAGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("no path", lambda path: run(path, IMAGES, [image(None)]), "an image is left out: its path '' is empty"),
    ("long path", lambda path: run(path, IMAGES, [image("p" * 1025)]), "has more than 1024 characters"),
    ("bytes", bad_bytes, "is not valid text"),
    ("no job", lambda path: run(path, IMAGES, [image("x", job=9)]), "1 images are left out: their job is missing"),
    ("no name", lambda path: run(path, JOBS, [[3, None, None, None, None]]), "Job 3 is left out: its name '' is empty"),
    ("double name", lambda path: run(path, JOBS, [[3, "cats", None, None, None]]), "another one of this file has"),
    ("no number", lambda path: run(path, BATCHES, [[1, "x", 1, "pending", None]]), "'x' is not a batch number"),
    ("other kind", other_kind, "is of kind vision, not generic"),
]


@pytest.mark.parametrize(("name", "damage", "sentence"), DAMAGES, ids=[row[0] for row in DAMAGES])
def test_damaged_rows_are_left_out_and_named_and_the_others_are_imported(
    file: Path, name: str, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(file)
    code, said = fails(file)
    assert (code, sentence in said) == (1, True), said
    assert phase_of(Job.objects.get(name="cats")).processing == 1


def test_texts_that_no_database_takes_are_made_fit(tmp_path: Path) -> None:
    path = make(tmp_path / "texts.db")
    run(path, JOBS, [[1, "texts", None, None, None]])
    run(path, IMAGES, [image("a.jpg", "error", split="s" * 99, error="nul \0 " + "x" * 600)])
    run(path, BATCHES, [[1, 1, "many", "pending", None], [1, "007", 5, "uploaded", None]])
    bring(path)
    item = Item.objects.get(key="a.jpg")
    assert (item.split, item.error[:6], len(item.error)) == ("s" * 64, "nul ? ", 500)
    assert sorted(Item.objects.filter(phase__code="upload").values_list("key", "status")) == [
        ("1", "pending"),
        ("7", "completed"),
    ]


TEXTS = [
    *(f"jobs.{name}" for name in ("name", "status", "created_at", "updated_at", "processed_count", "error_count")),
    *(f"images.{name}" for name in ("image_path", "split", "status", "error_message", "processed_at")),
    *(f"upload_batches.{name}" for name in ("batch_number", "image_count", "status", "error_message", "uploaded_at")),
]
DAMAGED = [b"\xff", b"a\0b", b"\xed\xa0\x80", b"\xf0\x9f", b"x" * 20_000, b"\x1b[31m"]


@pytest.mark.parametrize("column", TEXTS)
def test_damaged_bytes_in_any_column_are_made_fit_or_left_out_and_named(tmp_path: Path, column: str) -> None:
    table, _, name = column.partition(".")
    path = make(tmp_path / "damaged.db")
    sound = len(DAMAGED) + 1
    for number, damage in enumerate([*DAMAGED, b""], start=1):
        run(path, JOBS, [[number, f"job {number}", 1, 0, "2025-11-01"]])
        run(path, IMAGES, [image(f"{number}.jpg", "error", job=number, error="broken"), image("good.jpg", job=number)])
        run(path, BATCHES, [[number, 1, 5, "error", "full"], [number, 2, 5, "pending", None]])
        if number != sound:
            own = "id" if table == "jobs" else "job_id"
            which = f"(SELECT MIN(id) FROM {table} WHERE {own} = ?)"
            run(path, f"UPDATE {table} SET {name} = CAST(? AS TEXT) WHERE id = {which}", [[damage, number]])
    out, beside = StringIO(), StringIO()
    try:
        call_command("import_tracker", str(path), stdout=out, stderr=beside)
        code = 0
    except CommandError as error:
        code = error.returncode
    said = f"{out.getvalue()}{beside.getvalue()}"
    said.encode()  # a terminal can show it
    assert "\x1b[31m" not in said
    assert code in (0, 1)
    left_out = said.count("left out")
    if column in ("jobs.name", "images.image_path", "upload_batches.batch_number"):
        # A name, a path or a number tells rows apart, so it is not changed.
        assert 4 <= left_out <= 6
    else:
        assert left_out == 0
        assert Job.objects.filter(name__startswith="job", kind="generic").count() == 2 * sound
    assert Item.objects.filter(key="good.jpg", phase__job__name=f"job {sound}").exists()


def test_a_job_whose_id_is_damaged_is_left_out_and_named_and_the_others_are_here(tmp_path: Path) -> None:
    schema = SCHEMA.replace("CREATE TABLE jobs (id INTEGER PRIMARY KEY", "CREATE TABLE jobs (id TEXT PRIMARY KEY")
    path = make(tmp_path / "ids.db", schema)
    run(path, JOBS, [["1", "good", None, None, None]])
    run(path, "INSERT INTO jobs (id, name) VALUES (CAST(? AS TEXT), 'bad')", [[b"\xff"]])
    run(path, IMAGES, [image("a.jpg")])
    code, said = fails(path)
    assert (code, "Job '\\udcff' is left out" in said) == (1, True), said
    assert list(Job.objects.values_list("name", flat=True)) == ["good"]


def test_a_job_on_a_damaged_page_is_left_out_and_named_and_the_others_are_here(tmp_path: Path) -> None:
    path = make(tmp_path / "pages.db")
    for number in (1, 2):
        run(path, JOBS, [[number, f"job {number}", None, None, None]])
        run(path, IMAGES, [image(f"{n:04}{'x' * 500}.jpg", "completed", job=number) for n in range(200)])
    run(path, "CREATE INDEX images_of_job ON images (job_id)", [[]])
    place = path.read_bytes().rindex(b"0199xxx") // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 100)
    code, said = fails(path)
    assert code == 1
    assert "the rows of 'job 2' in the table images cannot be read (database disk image is malformed)" in said
    assert "Repair a copy of the file" in said
    assert list(Job.objects.values_list("name", flat=True)) == ["job 1"]
    assert phase_of(Job.objects.get()).done == 200


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 99, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_tracker_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    code, said = fails(path)
    assert (code, "tracker database" in said) == (1, True)


def test_a_missing_file_is_exit_code_3(tmp_path: Path) -> None:
    assert fails(tmp_path / "gone.db")[0] == 3


def test_a_cancelled_job_takes_nothing_new_and_the_refusal_is_printed(file: Path, tracker: ProgressTracker) -> None:
    operations.cancel(make_job(name="cats", items=1), actor=None)
    code, said = fails(file)
    assert (code, "Job cats is cancelled" in said) == (1, True)


def test_imported_images_are_worked_on_like_any_others(file: Path, tracker: ProgressTracker) -> None:
    bring(file)
    job_id = tracker.get_job_id("cats") or 0
    assert (tracker.reset_stuck_images(job_id), tracker.reset_error_images(job_id)) == (1, 2)
    tracker.mark_many([pk for pk, _, _ in tracker.get_pending_images(job_id)], Status.COMPLETED)
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.partial) == ("completed", False)
