"""Days without 1C, in virtual time: the short form of `python -m tests.stories.long_outage`."""

from pathlib import Path

import pytest

from tests.stories.long_outage import run_long_outage

pytestmark = pytest.mark.anyio


async def test_days_without_1c_cost_no_memory_and_1c_no_peace(tmp_path: Path) -> None:
    seen = await run_long_outage(tmp_path, waiting=300, days=2)

    assert max(seen.objects) <= min(seen.objects) * 1.02
    assert seen.requests_an_hour <= 60
    assert (seen.documents, seen.doubled, seen.left) == (seen.waiting, 0, 0)
