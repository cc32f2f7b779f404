"""An event loop whose clock jumps: a test may wait for half a minute and take none.

    @pytest.fixture
    def anyio_backend() -> tuple[str, dict[str, object]]:
        return ("asyncio", {"loop_factory": VirtualLoop})

Only for what lives in one thread of one process: who waits for a socket or a thread is overtaken.
"""

import asyncio
import selectors
from datetime import datetime, timedelta
from selectors import SelectorKey

from tests.support import builders as b


class _Jumping(selectors.SelectSelector):
    """Instead of waiting for a timer it lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that begins at zero seconds and never waits."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def virtual_now() -> datetime:
    """Tell the time of day by the loop's clock; it is noon when the loop begins."""
    return b.NOON + timedelta(seconds=asyncio.get_running_loop().time())
