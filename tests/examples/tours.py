"""The tours of the README, run as they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.examples.site import Site, environment
from tests.examples.test_getting_told import PYTHON, README, ROOT, shell


def tour(section: str) -> str:
    """The one block of a section."""
    text = README.partition(f"## {section}\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    return str(block)


def walk(section: str, *, site: Site, folder: Path) -> str:
    """Run the tour of a section with this Python and temporary files in the folder; return its output."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", (shell() + tour(section)).replace(PYTHON, sys.executable)],
        cwd=ROOT,
        env={**environment(site.database), "PROGRESS_URL": site.url, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout
