"""Wheel of the Python client, built from its source folder without a build backend.

The same source gives the same bytes, so that every process serves one file with one checksum.
`python -m progress_site.client_wheel FOLDER` writes it to a folder.
"""

from __future__ import annotations

import sys
import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

FOLDER = Path(__file__).resolve().parent.parent / "client"
TAG = "py3-none-any"
# The oldest time of a zip file; the time of a checkout would change the checksum.
MOMENT = (1980, 1, 1, 0, 0, 0)
PERMISSIONS = 0o644 << 16
WHEEL = f"Wheel-Version: 1.0\nGenerator: progress_site\nRoot-Is-Purelib: true\nTag: {TAG}\n"


@dataclass(frozen=True)
class Wheel:
    """A wheel: file name, content, and the SHA-256 checksum for pip."""

    name: str
    content: bytes

    @property
    def checksum(self) -> str:
        """The checksum in hexadecimal digits."""
        return sha256(self.content).hexdigest()


@cache
def wheel(folder: Path = FOLDER) -> Wheel:
    """Build the wheel; OSError if the source folder is missing."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    name = f"{project['name'].replace('-', '_')}-{project['version']}"
    files = dict(_files(folder, project, info=f"{name}.dist-info"))
    record = f"{name}.dist-info/RECORD"
    lines = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items()]
    return Wheel(f"{name}-{TAG}.whl", _zipped({**files, record: "".join([*lines, f"{record},,\n"]).encode()}))


def _files(folder: Path, project: Mapping[str, Any], *, info: str) -> Iterator[tuple[str, bytes]]:
    package = folder / project["name"].replace("-", "_")
    for path in sorted(package.rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield path.relative_to(folder).as_posix(), path.read_bytes()
    scripts = "".join(f"{name}={place}\n" for name, place in project.get("scripts", {}).items())
    yield f"{info}/entry_points.txt", f"[console_scripts]\n{scripts}".encode()
    for name in project["license-files"]:
        yield f"{info}/licenses/{name}", (folder / name).read_bytes()
    yield f"{info}/WHEEL", WHEEL.encode()
    yield f"{info}/METADATA", _metadata(folder, project).encode()


def _metadata(folder: Path, project: Mapping[str, Any]) -> str:
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", project["name"]),
        ("Version", project["version"]),
        ("Summary", project["description"]),
        ("Requires-Python", project["requires-python"]),
        ("Description-Content-Type", "text/markdown"),
        ("License-Expression", project["license"]),
        *(("License-File", name) for name in project["license-files"]),
        *(("Classifier", text) for text in project["classifiers"]),
        *(("Requires-Dist", text) for text in project.get("dependencies", ())),
    ]
    for extra, requirements in project.get("optional-dependencies", {}).items():
        fields.append(("Provides-Extra", extra))
        fields += [("Requires-Dist", _of_extra(text, extra)) for text in requirements]
    head = "".join(f"{name}: {value}\n" for name, value in fields)
    return f"{head}\n{(folder / project['readme']).read_text()}"


def _of_extra(requirement: str, extra: str) -> str:
    name, marked, marker = requirement.partition(";")
    condition = f'({marker.strip()}) and extra == "{extra}"' if marked else f'extra == "{extra}"'
    return f"{name.strip()}; {condition}"


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = ZipInfo(path, MOMENT)
            entry.external_attr, entry.compress_type = PERMISSIONS, ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()


if __name__ == "__main__":
    made, to = wheel(), Path(sys.argv[1])
    to.mkdir(exist_ok=True)
    (to / made.name).write_bytes(made.content)
    sys.stdout.write(f"{to / made.name}\n")
