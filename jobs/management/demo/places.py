"""Where the demo keeps what it makes."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DATA = ROOT / "data" / "demo"


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
