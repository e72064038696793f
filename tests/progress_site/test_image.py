"""The container image holds what the settings name."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def test_the_image_holds_every_app_of_the_project_and_its_templates() -> None:
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")}
    own = {Path(app.path).name for app in apps.get_app_configs() if Path(app.path).parent == ROOT}
    assert {"jobs", "ocr_chunks", "training"} <= own
    assert own | {"progress_site", "templates", "manage.py"} <= copied
