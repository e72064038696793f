"""Documents and training sessions in each state."""

from __future__ import annotations

from benchmarks.console.clock import ago
from benchmarks.console.work import YEAR, Work, limit
from jobs import operations
from jobs.models import Job
from ocr_chunks.documents import create_document
from training.models import TrainingSession
from training.sessions import create_session, update_clustering, update_faces
from training.sessions.types import NewImage


class PipelineStories(Work):
    """Makes documents and sessions."""

    def document(
        self, name: str, pages: int, *, done: int, failed: int = 0, keep: int = 0, merged: bool = False
    ) -> Job:
        """A document of 25 pages a chunk."""
        with ago(240):
            job = create_document(name=name, page_count=pages, project="matter-789", by=self.by).document.job
            limit(job, YEAR)
        parts = 6
        for part in range(parts):
            with ago(200 - part * 30):
                share = {"done": done // parts, "failed": failed // parts}
                self.work(
                    job, "ocr", **(share if part else {"done": done - done // parts * 5, "failed": failed % parts})
                )
        with ago(1):
            self.work(job, "ocr", keep=keep)
            if merged:
                self.work(job, "merge", done=1)
        return job

    def documents(self) -> None:
        """Documents in each state, one of them of 4,000 chunks."""
        chunks = self.scaled(4_000)
        self.document("archive-volume-12.pdf", chunks * 25, done=chunks * 3 // 4, failed=chunks // 100, keep=12)
        self.document("contract-4711.pdf", 422, done=10, failed=1, keep=1)
        self.document("عقد الإيجار 2026.pdf", 300, done=12, merged=True)
        self.document("failed scan.pdf", 200, done=5, failed=3)
        self.document("waiting for the merge.pdf", 200, done=8)
        self.document("not begun.pdf", 200, done=0)
        job = self.document("forced.pdf", 425, done=14, failed=3)
        operations.retry(job, actor=self.omar, reason="")
        operations.force_complete(job, actor=self.olga, reason="Good enough for the hearing.")

    def session(self, name: str, images: int, *, complete: bool = True) -> TrainingSession:
        """A session with duplicates among its images."""
        with ago(300):
            new = [NewImage(f"/photos/{n:05}.jpg", f"hash-{n * 2 // 3}") for n in range(images)]
            session = create_session(
                name=name, images=new if complete else None, project="portraits", by=self.by
            ).session
        limit(session.job, YEAR)
        return session

    def trained(self, session: TrainingSession, *, faces: int, failed: int = 0) -> None:
        """Complete the training of a session and so many of its faces."""
        unique = self.phase(session.job, "training").pending_items
        with ago(280):
            self.work(session.job, "training", done=unique // 2)
        with ago(200):
            self.work(session.job, "training", done=unique - unique // 2 - failed, failed=failed)
        with ago(100):
            self.work(session.job, "face_detection", done=faces // 2)
            update_faces(session, {"faces_detected": faces * 3, "current_batch": 4, "total_batches": 9}, by=self.by)
        with ago(2):
            self.work(session.job, "face_detection", done=faces - faces // 2)

    def sessions(self) -> None:
        """Sessions in each state."""
        images = 120
        self.session("session 1 not begun", images)
        training = self.session("session 2 training", images)
        with ago(10):
            self.work(training.job, "training", done=30, failed=2, keep=4)
        self.trained(self.session("session 3 faces", images), faces=80)
        clustering = self.session("session 4 clustering", images)
        self.trained(clustering, faces=images)
        update_clustering(clustering, status="running", by=self.by)
        partial = self.session("session 5 partial", images)
        self.trained(partial, faces=images, failed=6)
        update_clustering(partial, status="completed", clusters_created=17, by=self.by)
        failed = self.session("session 6 failed", images)
        self.trained(failed, faces=images)
        update_clustering(failed, status="failed", error="The matrix is singular.", by=self.by)
        stuck = self.session("session 7 stuck", images)
        with ago(90):
            self.work(stuck.job, "training", done=30, failed=2)
        limit(stuck.job, None)
        self.session("session 8 discovering", 0, complete=False)
