"""Example requests in the OpenAPI document."""

from __future__ import annotations

EVENT_ID = "6f1c1a3e-8f0b-4b7e-9a57-0d2f4f6f2c11"

JOB = {
    "name": "batch_001",
    "kind": "generic",
    "project": "spring",
    "items": [{"key": "a.jpg", "split": "train"}, {"key": "b.jpg", "split": "valid", "payload": {"bytes": 48211}}],
}
ANNOUNCE = {"expected": 100, "event_id": EVENT_ID}
ITEMS = {"items": [{"key": "c.jpg"}, {"key": "d.jpg", "label": "Cover"}]}
COUNT = {"done": 5, "failed": 0, "skipped": 0, "event_id": EVENT_ID}
CLAIM = {"worker": "w1", "limit": 10, "lease_seconds": 90, "version": "ocr-1.4.2"}
CLAIM_ANY = {"worker": "w1", "phase": "items", "kind": "generic", "limit": 10}
REPORT = {
    "worker": "w1",
    "results": [
        {"key": "a.jpg", "status": "completed", "attempt": 1, "result": {"hash": "f0e1d2c3"}},
        {
            "key": "b.jpg",
            "status": "failed",
            "attempt": 1,
            "error": "cannot identify image file",
            "retry": False,
            "log": "Traceback (most recent call last):\n  …",
            "links": [{"label": "Log", "url": "https://logs.example.com/w1/b.jpg"}],
        },
    ],
}
HEARTBEAT = {"worker": "w1", "items": [411, 412], "message": "batch 3 of 9"}
EVENT = {
    "type": "videos.keyframes.ready.batch",
    "data": {"job_id": "batch_001", "event_id": EVENT_ID, "total_keyframes": 100},
}
