"""Request examples of the OpenAPI document."""

from __future__ import annotations

IMAGE = {"path": "day1/a.jpg", "hash": "f0e1d2c3b4a59687", "created_at": "2026-03-02T12:00:00Z"}
COPY = {"path": "day2/a (copy).jpg", "hash": "f0e1d2c3b4a59687", "created_at": "2026-03-03T09:30:00Z"}
SESSION = {"name": "family-2026", "project": "album", "images": [IMAGE, COPY, {"path": "day2/b.jpg"}]}
IMAGES = {"images": [IMAGE, COPY, {"path": "day2/b.jpg"}], "complete": True}
FACES = {"faces_detected": 412, "faces_assigned": 390, "current_asset_index": 208, "current_batch": 13,
         "total_batches": 42, "min_confidence": 0.6, "batch_size": 16}  # fmt: skip
CLUSTERING = {"status": "completed", "clusters_created": 5}
RESTART = {"what": "failed", "reason": "The disk is back."}
