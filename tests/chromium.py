"""Find a Chromium for the browser tests, or get one: the system's, Debian's where root, else Playwright's own.

`python -m tests.chromium --install` prints the path it found or installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """Path of a Chromium on this machine, or None. BORTLAB_CHROMIUM names one of your own."""
    named = os.environ.get("BORTLAB_CHROMIUM")
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.exists() else None


def install() -> str:
    """The Chromium to use, installed first where there is none."""
    path = find()
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "chromium"], check=False, env=quiet, stdout=subprocess.DEVNULL
        )
        path = find()
    if path is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
        path = find()
    if path is None:
        raise SystemExit(
            "No Chromium for the browser tests: neither on the PATH, nor from apt-get, nor from `playwright install`. "
            "Install one, or name one in BORTLAB_CHROMIUM."
        )
    return path


if __name__ == "__main__":
    print(install() if "--install" in sys.argv else find() or "no Chromium path")
