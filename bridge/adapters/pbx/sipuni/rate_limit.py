"""A limit on requests a second: the next request waits for its turn."""

import asyncio


class RateLimit:
    """Lets one request through each *interval_s* seconds, in the order they came.

    Sipuni documents no limits; these are ours. Source: docs/facts/sipuni.md, 'API'.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at = float("-inf")

    async def wait_turn(self) -> None:
        """Wait until the next request may be sent."""
        now = asyncio.get_running_loop().time()
        turn_at = max(now, self._free_at)
        # Taken before the wait, so that no other request takes the same turn.
        self._free_at = turn_at + self._interval_s
        if turn_at > now:
            await asyncio.sleep(turn_at - now)
