"""A service killed in the middle of everything loses and doubles nothing: the short form.

The long one is `python -m tests.stories.kill_repeatedly --kills 300`.
"""

from pathlib import Path

import pytest

from tests.stories.kill_repeatedly import kill_repeatedly

pytestmark = pytest.mark.anyio

_KILLS = 5


async def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    verdict = await kill_repeatedly(tmp_path, _KILLS, seed=20)

    assert verdict.faults == ()
    assert verdict.answered >= _KILLS
    assert verdict.events >= _KILLS
