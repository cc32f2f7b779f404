"""A pace that is kept: so many requests a second, and the next one waits its turn."""

import asyncio


class RateLimit:
    """Lets one through each *interval_s*; those who wait go in the order they came.

    Sipuni documents no limits; these are ours (facts/telephony-apis.md §1.5).
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at = float("-inf")

    async def wait_turn(self) -> None:
        """Wait until the next request may go."""
        now = asyncio.get_running_loop().time()
        mine = max(now, self._free_at)
        # Taken before the wait, so that nobody else takes the same turn.
        self._free_at = mine + self._interval_s
        if mine > now:
            await asyncio.sleep(mine - now)
