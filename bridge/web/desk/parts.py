"""What the desk is built of: its board and book, which listen to the house, and its buttons."""

from dataclasses import dataclass

from bridge.ports import Event
from bridge.web.desk.board import Board
from bridge.web.desk.debts import DebtBook
from bridge.web.desk.surface import Notes, OpenInOneC, Orders, no_web_client


@dataclass(frozen=True, slots=True)
class DeskParts:
    """The desk's parts; where no PBX takes orders there is no call button.

    *book* has to be run while the service lives.
    """

    board: Board
    book: DebtBook
    orders: Orders | None = None
    notes: Notes | None = None
    open_in_onec: OpenInOneC = no_web_client

    def publish(self, event: Event) -> None:
        """Take note of what happened in the house."""
        self.board.publish(event)
        self.book.publish(event)
