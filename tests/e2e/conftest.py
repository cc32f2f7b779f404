"""One browser for the tests of a file, and a window of its own for each test.

Not for the whole session: an async fixture keeps the loop it was made in for as long as it lives,
and tests elsewhere that bring a loop of their own, with virtual time, would run in that one.
"""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.browser import ARGUMENTS, HOW_TO_GET, find_browser


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:  # noqa: ARG001 - it makes the loop
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser(), args=list(ARGUMENTS)
        )
        yield browser
        await browser.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_browser() is not None:
        return
    dropped = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
        config.stash[_LEFT_OUT] = len(dropped)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(HOW_TO_GET, yellow=True)


_LEFT_OUT = pytest.StashKey[int]()
