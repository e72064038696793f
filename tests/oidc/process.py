"""The process of the OpenID provider, and the accounts that it knows."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.npm import installed
from tests.servers import PATIENCE, free_port

HERE = Path(__file__).parent
PACKAGE, SCRIPT = HERE / "package.json", HERE / "provider.mjs"
CLIENT_ID, CLIENT_SECRET = "progress-site", "a-secret-of-the-test"


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
        process = subprocess.Popen(
            command, cwd=installed(PACKAGE, SCRIPT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
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
