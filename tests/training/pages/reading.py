"""Addresses of the training pages, and readers of their parts."""

from __future__ import annotations

from typing import Any

from training.models import TrainingSession

SESSIONS = "/admin/training/trainingsession/"
IMAGES = "/admin/training/trainingimage/"
DETECTIONS = "/admin/training/facedetectionsession/"


def address(session: TrainingSession) -> str:
    """The page of a session."""
    return f"{SESSIONS}{session.pk}/change/"


def part(page: Any, code: str) -> str:
    """The text of the panel of one phase."""
    [panel] = page.root.find("article", aria_labelledby=f"part-{code}")
    return panel.text


def overall(page: Any) -> Any:
    """The bar of the whole session."""
    [bar] = page.root.find("svg", cls="overall")
    return bar


def fillings(page: Any) -> list[tuple[str, str, str]]:
    """For each part of that bar: how wide it is, how much of it is done, how much is lost."""
    return [
        (svg.attributes["width"], *(svg.find("rect", cls=name)[0].attributes["width"] for name in ("done", "lost")))
        for svg in overall(page).find("svg", cls="bar")
    ]


def offers(page: Any) -> dict[str, str]:
    """The restarts of a session: by their label what they would do, or why they are off."""
    [section] = page.root.find("section", data_section="restarts")
    found = {}
    for row in section.find("li"):
        button, said = [node for node in row.children if not isinstance(node, str)]
        found[button.text] = ("off: " if button.tag == "span" else "") + said.text
    return found
