"""Last phase of a session: clusters of similar faces, and the tables of the results."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import training_faces
from training_results import Body, Numbers, Results
from training_session import FACES, TRAINING, Session

log = logging.getLogger("worker")

BOX = ("left", "top", "width", "height", "confidence")
FACE_COLUMNS = ("path", "face", *BOX, "cluster")
CLUSTER_COLUMNS = ("cluster", "faces", "images", "example_path", "example_face")
IMAGE_COLUMNS = ("row", "path", "hash")


@dataclass(frozen=True)
class Outcome:
    """Counts of faces, of faces in a cluster, and of clusters."""

    faces: int
    assigned: int
    clusters: int


def packed(faces: list[training_faces.Face], descriptors: list[Numbers]) -> Numbers:
    """Pack the faces of one image as rows of numbers: box, confidence and descriptor."""
    width = len(BOX) + training_faces.DIMENSIONS
    rows = [
        np.concatenate([[getattr(face, name) for name in BOX], descriptor])
        for face, descriptor in zip(faces, descriptors, strict=True)
    ]
    return np.array(rows, np.float32).reshape(len(rows), width)


def cluster(session: Session, results: Results) -> Outcome:
    """Cluster the faces of a session and write its tables. Lost if a reported file is missing."""
    found, descriptors = _faces(session, results)
    session.update_clustering("running", total=len(found))
    labels = training_faces.clusters(descriptors)
    for face, label in zip(found, labels, strict=True):
        face["cluster"] = "" if label < 0 else label
    clusters = _clusters(found, descriptors)
    results.write_table("faces.csv", found, columns=FACE_COLUMNS)
    results.write_table("clusters.csv", clusters, columns=CLUSTER_COLUMNS)
    _write_embeddings(session, results)
    return Outcome(len(found), sum(row["faces"] for row in clusters), len(clusters))


def _faces(session: Session, results: Results) -> tuple[list[Body], Numbers]:
    """Return all faces as table rows, and their descriptors."""
    rows: list[Body] = []
    packs = [np.empty((0, len(BOX) + training_faces.DIMENSIONS), np.float32)]
    for item in session.items(FACES, status="completed"):
        pack = results.load(FACES, item)
        packs.append(pack)
        rows += [{"path": item["key"], "face": number, **_box(numbers)} for number, numbers in enumerate(pack)]
    return rows, np.concatenate(packs)[:, len(BOX) :]


def _box(numbers: Numbers) -> Body:
    *box, confidence = numbers[: len(BOX)].tolist()
    return {**dict(zip(BOX, map(round, box), strict=False)), "confidence": round(confidence, 3)}


def _clusters(found: list[Body], descriptors: Numbers) -> list[Body]:
    """Return all clusters as table rows."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, face in enumerate(found):
        if face["cluster"] != "":
            members[face["cluster"]].append(place)
    return [_cluster(label, places, found, descriptors[places]) for label, places in sorted(members.items())]


def _cluster(label: int, places: list[int], found: list[Body], descriptors: Numbers) -> Body:
    """Build the row of a cluster, with the face nearest to its centre as the example."""
    distances = np.linalg.norm(descriptors - descriptors.mean(axis=0), axis=1)
    example = found[places[int(distances.argmin())]]
    return {
        "cluster": label,
        "faces": len(places),
        "images": len({found[place]["path"] for place in places}),
        "example_path": example["path"],
        "example_face": example["face"],
    }


def _write_embeddings(session: Session, results: Results) -> None:
    """Write the embeddings as one matrix, and the image of each row; duplicates have no row."""
    items = list(session.items(TRAINING, status="completed"))
    if not items:
        return
    results.write_numbers("embeddings.npy", np.stack([results.load(TRAINING, item) for item in items]))
    rows = [{"row": row, "path": item["key"], "hash": item["payload"]["hash"]} for row, item in enumerate(items)]
    results.write_table("images.csv", rows, columns=IMAGE_COLUMNS)
