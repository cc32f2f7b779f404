"""One browser for all browser tests, and a window of its own for each."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.browser import ARGUMENTS, HOW_TO_GET, find_browser


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
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
