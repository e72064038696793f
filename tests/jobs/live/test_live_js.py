"""The browser's side of the live connection, in Node where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="needs Node to run live.js")
def test_the_states_of_the_live_connection() -> None:
    script = Path(__file__).with_name("live.test.mjs")
    done = subprocess.run([str(NODE), "--test", str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
