"""All of it in virtual time: silence, ringing and talking take none."""

import pytest

from tests.support.virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})
