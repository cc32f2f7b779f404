"""What 1C should hold of a call by now, and what it holds: values the outbox compares."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.domain.directory.entities import Ref


class ReminderState(StrEnum):
    """Whether 1C holds a reminder of ours."""

    SENDING = "sending"  # it may be there
    WRITTEN = "kept"
    DISMISSED = "gone"  # its user dismissed it: it is never made again
    WITHDRAWN = "withdrawn"  # we took it away: it may be made again

    @property
    def may_be_in_onec(self) -> bool:
        """Return whether 1C holds it, or may."""
        return self in (ReminderState.SENDING, ReminderState.WRITTEN)


@dataclass(frozen=True, slots=True)
class DocumentText:
    """What of a call its document tells: the parts that we change, and people may too."""

    subject: str
    description: str
    responsible: Ref | None = None


@dataclass(frozen=True, slots=True)
class SentReminder:
    """A reminder of this call as we last wrote it for *user*."""

    user: Ref
    text: str
    state: ReminderState = ReminderState.WRITTEN


@dataclass(frozen=True, slots=True)
class DesiredReminder:
    """A reminder that 1C should hold for *user* about a call; *text* at most 255 characters.

    *unless_gone* names the user whose own reminder of this call comes first: where he dismissed
    it in 1C, this one is not made; while he postponed it, this one waits.
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
