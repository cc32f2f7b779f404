"""What 1C should hold of a call by now, and what it holds: values the outbox compares."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.domain.directory.entities import Ref


class ReminderState(StrEnum):
    """Whether 1C holds a reminder of ours; values are stored."""

    SENDING = "sending"  # it may be in 1C
    WRITTEN = "kept"
    DISMISSED = "gone"  # its user dismissed it in 1C: it is never created again
    WITHDRAWN = "withdrawn"  # we deleted it: it may be created again

    @property
    def may_be_in_onec(self) -> bool:
        """Return whether 1C holds it, or may."""
        return self in (ReminderState.SENDING, ReminderState.WRITTEN)


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The parts of a 1C document that we change, and that users may change too."""

    subject: str
    description: str
    responsible: Ref | None = None


@dataclass(frozen=True, slots=True)
class SentReminder:
    """A reminder of a call as it was last written for *user*."""

    user: Ref
    text: str
    state: ReminderState = ReminderState.WRITTEN


@dataclass(frozen=True, slots=True)
class DesiredReminder:
    """A reminder that 1C should hold for *user* about a call; *text* at most 255 characters.

    *unless_dismissed_by* names the user whose own reminder of this call comes first: where that
    user dismissed it in 1C, this one is not created; while it is postponed, this one waits.
    """

    user: Ref
    text: str
    unless_dismissed_by: Ref | None = None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What 1C should hold of a call by now; *revision* is the call's."""

    document_text: DocumentText
    considered: bool
    reminders: tuple[DesiredReminder, ...]
    revision: int = 0
