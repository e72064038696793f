"""The process of the OpenID provider, and the accounts that it knows."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.servers import PATIENCE, free_port

HERE = Path(__file__).parent
PACKAGE, SCRIPT = HERE / "package.json", HERE / "provider.mjs"
CLIENT_ID, CLIENT_SECRET = "progress-site", "a-secret-of-the-test"


def missing_provider() -> str:
    """Return why no OpenID provider can run here; empty where one can."""
    return "" if shutil.which("node") and shutil.which("npm") else "there are no node and npm on the PATH"


class Provider:
    """A provider at a port of its own. `accounts` maps the name that someone types there to the claims."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.issuer = f"http://localhost:{self.port}"
        self._accounts = directory / "accounts.json"
        self.set_accounts({})

    def set_accounts(self, accounts: dict[str, dict[str, Any]]) -> None:
        """Replace the accounts: the provider reads them at each sign-in."""
        self._accounts.write_text(json.dumps(accounts))

    @contextmanager
    def serving(self, site: str) -> Iterator[None]:
        """Run the provider, with the addresses of this site registered, until the end of the block."""
        arguments = [str(self.port), str(self._accounts), f"{site}/account/company/callback/", f"{site}/admin/login/"]
        command = ["node", SCRIPT.name, *arguments]
        process = subprocess.Popen(command, cwd=installed(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait(process)
            yield
        finally:
            process.kill()
            process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, "the provider ended at once; run it by hand to read why"
            try:
                urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5).close()
            except OSError:
                assert time.monotonic() < until, f"the provider does not listen after {PATIENCE} s"
                time.sleep(0.05)
            else:
                return


def installed() -> Path:
    """Return a directory with the script and its packages; install them once for each version of both."""
    digest = hashlib.sha256(PACKAGE.read_bytes() + SCRIPT.read_bytes()).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"progress-oidc-{digest}"
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=directory.parent) as made:
            for file in (PACKAGE, SCRIPT):
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
