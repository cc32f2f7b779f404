"""What lasts is logged twice: when it begins and when it is over."""


class Edge:
    """Notices when a condition begins and when it ends, so that each is logged once."""

    def __init__(self) -> None:
        self._is_active = False

    @property
    def is_active(self) -> bool:
        """Return whether the condition lasts."""
        return self._is_active

    def begins(self) -> bool:
        """Set the condition; return whether it was not set before."""
        began, self._is_active = not self._is_active, True
        return began

    def ends(self) -> bool:
        """Unset the condition; return whether it was set before."""
        ended, self._is_active = self._is_active, False
        return ended
