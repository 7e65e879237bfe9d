"""Find a Chromium for the browser tests, or install one: Debian's by apt as root, elsewhere playwright's own.

python tests/chromium.py        prints where it is, or says plainly what could not be installed (exit code 1)
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def system_chromium() -> str | None:
    """A browser of the system: MODELSHELF_CHROMIUM, or one on the PATH."""
    if chosen := os.environ.get("MODELSHELF_CHROMIUM"):
        return chosen
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def playwright_chromium() -> str | None:
    """The browser that playwright downloaded, if it did."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def find() -> str | None:
    """The browser to drive, or None."""
    return system_chromium() or playwright_chromium()


def install() -> str:
    """Install a browser; what went wrong, or nothing."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-q", "-y", "chromium", "fonts-dejavu-core"],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ""
        return f"apt-get could not install chromium: {done.stderr.strip().splitlines()[-1:]}"
    done = subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"playwright could not install chromium: {done.stderr.strip()[-300:]}"


def main() -> int:
    """Find or install, and say which."""
    browser = find()
    trouble = "" if browser else install()
    browser = browser or find()
    if browser:
        print(f"Chromium for the browser tests: {browser}")
        return 0
    print(
        f"No Chromium for the browser tests. {trouble}\n"
        "Install one (Debian: apt-get install chromium) or set MODELSHELF_CHROMIUM to its path.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
