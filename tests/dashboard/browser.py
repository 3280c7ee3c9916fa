"""A real Chromium for tests of pages; pages must not reach the network nor write errors.

`python -m tests.dashboard.browser` installs Debian's, where that is possible (`make test-setup`).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY = "name => document.documentElement.dataset.ready === name"
WIDE, NARROW = (1440, 1000), (400, 860)


_MISSING = (
    "No Chromium on PATH for the tests of pages: install it (Debian: `apt install chromium`; "
    "`make test-setup` does so where it is root on Debian), or set CHROMIUM to the path of a "
    "Chromium or Chrome."
)
# Debian's browser comes without a font.
_PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-noto-core")


def executable() -> str:
    """Path of the browser. Fails with the way out: these tests are never skipped."""
    found = _found()
    if not found:
        raise AssertionError(_MISSING)
    return found


def _found() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's browser if there is none. Exits with the way out where it cannot."""
    if _found():
        return
    if os.geteuid() != 0 or not _is_debian():
        sys.exit(_MISSING)
    print("Installing Debian's Chromium for the tests of pages", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ["update", "-qq"],
        ["install", "-qq", "--yes", "--no-install-recommends", *_PACKAGES],
    ):
        done = subprocess.run(
            ["apt-get", *arguments],
            env=quiet,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"{done.stdout[-2000:]}\napt-get {arguments[0]} failed. {_MISSING}")
    if not _found():
        sys.exit(_MISSING)


def _is_debian() -> bool:
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(),
            args=[
                # Root may not use the sandbox; the pages are our own.
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Any,
    path: Path,
    *,
    tab: str,
    size: tuple[int, int] = WIDE,
    theme: str = "light",
) -> Iterator[Any]:
    """A page at a tab (and `?` filters), drawn.

    Fails at the end if it asked the network or wrote to the console.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        timezone_id="America/Los_Angeles",
        reduced_motion="reduce",
    )
    requests: list[str] = []
    said: list[str] = []
    try:
        context.set_default_timeout(180_000)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(path.as_uri() + f"#{tab}")
        ready(page, tab.split("?")[0])
        yield page
        outside = [url for url in requests if not url.startswith(("file:", "data:"))]
        assert outside == [], outside
        assert said == [], said
    finally:
        context.close()


def ready(page: Any, tab: str) -> None:
    """Wait until all that one sees of a tab is drawn."""
    page.wait_for_function(READY, arg=tab)


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than the window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, wider)


if __name__ == "__main__":
    install()
