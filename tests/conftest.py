"""Fixtures every test may need: the async backend, and the switch for benchmarks."""

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark"):
        return
    kept = [item for item in items if "benchmark" not in item.keywords]
    dropped = [item for item in items if "benchmark" in item.keywords]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
