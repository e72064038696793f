"""Paths of the demo's files."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DATA = ROOT / "data" / "demo"


def shown(path: Path) -> str:
    """Format a path relative to the project, if it is below it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
