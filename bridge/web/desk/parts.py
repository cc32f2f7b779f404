"""What the desk is built of: its board and its book of debts, which listen to the house."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bridge.domain.calls import PhoneCall
from bridge.domain.directory import CandidateKind, Ref
from bridge.domain.missed import MissedDebt
from bridge.ports import Event
from bridge.web.desk.board import Board
from bridge.web.desk.debts import DebtBook

#: Gives the address that opens an owner of a number in 1C; None where there is no web client.
OpenInOneC = Callable[[CandidateKind, Ref], str | None]


def no_web_client(kind: CandidateKind, ref: Ref) -> None:
    """Give no link: BRIDGE_ONEC_WEB_URL is not set."""
    del kind, ref


@dataclass(frozen=True, slots=True)
class DeskParts:
    """The desk's parts."""

    board: Board
    book: DebtBook
    open_in_onec: OpenInOneC = no_web_client

    def publish(self, event: Event) -> None:
        """Take note of what happened in the house."""
        self.board.publish(event)
        self.book.publish(event)

    def recall(self, calls: Iterable[PhoneCall], debts: Iterable[MissedDebt]) -> None:
        """Take up what was before a restart: calls, the oldest first, and the open debts."""
        self.book.recall(debts)
        self.board.recall(calls)
