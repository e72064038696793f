"""Screenshots of the demo for README and docs, in light and dark: `make screenshots`.

Starts `manage.py demo` over a database of its own, waits until one of its jobs is stuck and one has failed, and takes
the overview and the page of the document in headless Chromium. The pictures go to docs/images.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
SIZE: ViewportSize = {"width": 1280, "height": 860}
COLOURS = 192  # a palette keeps a picture of flat colours below 150 kB
START_SECONDS = 180
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]


def main() -> None:
    """Take every picture."""
    chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with demo() as (url, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for theme in THEMES:
            take(signed_in(browser, url=url, password=password, theme=theme), theme=theme)
        browser.close()


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Run the demo; yield its address and the password of its account."""
    with tempfile.TemporaryDirectory(prefix="progress-screenshots-") as folder:
        port, data = free_port(), Path(folder) / "demo"
        variables = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "ENV_FILE": "",
            "SECRET_KEY": "only-for-screenshots-0123456789-abcdefgh",
        }
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=variables, check=True)  # noqa: S603
        arguments = ["demo", "--port", str(port), "--portraits", "150", "--data", str(data)]
        process = subprocess.Popen([*manage, *arguments], cwd=ROOT, env=variables)  # noqa: S603
        try:
            wait_for(lambda: (data / "trainer-1.log").exists(), process=process)
            yield f"http://127.0.0.1:{port}", (data / "password").read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], *, process: subprocess.Popen[bytes]) -> None:
    """Wait until the condition holds; RuntimeError if the demo ends before or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("The demo did not start; its output is above.")
        time.sleep(0.2)


def signed_in(browser: Browser, *, url: str, password: str, theme: Theme) -> Page:
    """Open the overview of the demo's account in a theme."""
    page = browser.new_context(base_url=url, viewport=SIZE, color_scheme=theme, reduced_motion="reduce").new_page()
    page.goto("/admin/login/?next=/admin/")
    page.fill("#id_username", "demo")
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")
    return page


def take(page: Page, *, theme: Theme) -> None:
    """Save the overview and the page of a document, as soon as a job is stuck and the document has failed."""
    for text in ("unannounced", "failed: page"):
        page.get_by_text(text).first.wait_for(timeout=START_SECONDS * 1000)
    save(page, name=f"overview-{theme}")
    page.get_by_role("link", name="contract.pdf").first.click()
    page.wait_for_load_state()
    save(page, name=f"job-{theme}")


def save(page: Page, *, name: str) -> None:
    """Write one picture with a small palette."""
    page.wait_for_timeout(1500)  # the live channel has brought the state of now
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    sys.stdout.write(f"docs/images/{name}.png {(IMAGES / f'{name}.png').stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
