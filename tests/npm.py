"""npm packages for tests: installed once for each version of their list, in the folder for temporary files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path


def missing_npm() -> str:
    """Return why no test with npm packages can run here; empty where one can."""
    return "" if shutil.which("node") and shutil.which("npm") else "there are no node and npm on the PATH"


def installed(*files: Path) -> Path:
    """Return a directory with these files and the packages of package.json, which is one of them."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"progress-npm-{digest}"
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=directory.parent) as made:
            for file in files:
                shutil.copy(file, made)
            options = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(["npm", "install", *options], cwd=made, check=True, timeout=300)
            _publish(Path(made), directory)
    return directory


def _publish(made: Path, directory: Path) -> None:
    """Give the directory its name in one step; another process of the run may have been first."""
    copy = made.with_name(f"{made.name}-whole")
    shutil.copytree(made, copy, symlinks=True)
    try:
        copy.rename(directory)
    except OSError:
        shutil.rmtree(copy)
