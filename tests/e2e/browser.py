"""The system's own browser: where it is, and how to get it where there is none."""

import os
import shutil
import sys
from pathlib import Path

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)

_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)

HOW_TO_GET = (
    "The browser tests were left out: there is no Chromium or Chrome here. Debian, Ubuntu: "
    "apt-get install chromium; macOS: brew install --cask google-chrome; or name one in "
    "TEST_BROWSER=/path/to/chrome."
)

#: In a container, and as root, Chromium has no sandbox; the pages are our own.
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")


def find_browser() -> str | None:
    """Return the path of a Chromium or Chrome; None when there is none."""
    named = os.environ.get("TEST_BROWSER")
    if named:
        return named
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return found or next((place for place in _PLACES if Path(place).exists()), None)


if __name__ == "__main__":
    # For .ci/run: prints where the browser is, or fails.
    browser = find_browser()
    sys.stdout.write(f"{browser or 'there is none'}\n")
    sys.exit(browser is None)
