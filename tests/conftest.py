"""Fixtures every test may need: the async backend, and the switch for benchmarks."""

import os
from collections.abc import Sequence

import pytest
from hypothesis import settings

# A busy machine makes an example slow, not wrong.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmark", action="store_true", help="run the speed comparisons too")


def pytest_configure() -> None:
    """Let child processes keep their compiled modules: compiling them is half of a start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run the tests: none for files named one by one or benchmarks.

    One more than there are cores: many tests wait for a disk, a browser or another process.
    """
    named: Sequence[str] = config.args
    if config.getoption("--benchmark") or any(".py" in one for one in named):
        return 0
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark"):
        return
    kept = [item for item in items if "benchmark" not in item.keywords]
    dropped = [item for item in items if "benchmark" in item.keywords]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
