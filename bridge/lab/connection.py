"""A connection that a simulator breaks, as a client in the same process sees it."""

from typing import Literal

LossPhase = Literal["connect", "read", "timeout"]


class LabConnectionLost(ConnectionError):
    """The connection broke.

    `phase` is `connect` (nothing was sent), `read` (the reply is lost) or `timeout`.
    """

    def __init__(self, phase: LossPhase) -> None:
        super().__init__(f"the lab lost the connection ({phase})")
        self.phase: LossPhase = phase
