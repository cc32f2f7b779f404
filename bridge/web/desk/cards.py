"""The call card of the desk: what an operator needs to know while it rings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.caller_names import (
    caller_name,
    candidate_name,
    how_to_reach,
)
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.caller_card import Candidate
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.formatting import format_phone
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.reporting.desk import RINGING_TIMEOUT, SHOWN_FOR, DeskStatus, find_desk_status
from bridge.domain.whole_numbers import read_whole_number
from bridge.web.access import Viewer, format_visible_number
from bridge.web.desk.labels import STATUS_LABELS
from bridge.web.desk_state.desk_calls import CallUpdate
from bridge.web.desk_state.state import OneCLink
from bridge.web.shared.labels import DIRECTION_LABELS
from bridge.web.shared.language import Localizer


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a card shows besides its call: earlier calls, missed calls, the chosen owner.

    *missed_call* is open; *closed_missed_call* is the one that this very call left.
    """

    earlier_calls: Sequence[PhoneCall] = ()
    missed_call: MissedCall | None = None
    closed_missed_call: MissedCall | None = None
    chosen_owner: Ref | None = None


@dataclass(frozen=True, slots=True)
class DeskAudience:
    """For whom a desk part is rendered: an extension and a viewer.

    Desks that see alike are equal, so *viewer* comes without an address.
    *revealed_numbers* are hidden numbers that the viewer asked to see.
    """

    extension: str
    lang: Language
    viewer: Viewer
    revealed_numbers: frozenset[PhoneNumber] = frozenset()

    def sees_number(
        self,
        number: PhoneNumber | None,
        owners: Sequence[Candidate],
        managers: Mapping[Ref, Manager],
    ) -> bool:
        """Return whether *number* of *owners* is shown in full; there may be no owner."""
        if number is None or not self.viewer.masks_numbers or number in self.revealed_numbers:
            return True
        return self.viewer.serves(owners, managers)


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """One owner of the number; *link* opens it in 1C."""

    ref: Ref
    name: str
    is_chosen: bool
    is_ended: bool
    link: str | None


@dataclass(frozen=True, slots=True)
class EarlierCallLine:
    """An earlier call of the number, as text."""

    at: datetime
    direction: str
    outcome: str
    who: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallCard:
    """A card's fields, ready to be written; times aware UTC, empty texts are left out."""

    key: str
    sequence: int
    status: DeskStatus
    state: str
    colleague: str  # the colleague who talks
    direction: str
    name: str
    company: str
    number: str
    is_masked: bool  # the number's middle, until it is revealed
    is_unknown: bool
    line: str
    manager: str
    arrived_at: datetime
    timer_from: datetime | None
    talk_time: timedelta | None
    silent_from: datetime
    removed_at: datetime
    owners: tuple[OwnerLine, ...]
    link: str | None
    missed_call: MissedCall | None
    closed_missed_call: MissedCall | None
    earlier_calls: tuple[EarlierCallLine, ...]
    notes: tuple[str, ...]
    can_call_back: bool

    @property
    def summary(self) -> str:
        """Return the card in one line, for a screen reader and a notification."""
        parts = (self.state, self.name, self.company, self.colleague)
        return ", ".join(part for part in parts if part)


def build_card(
    update: CallUpdate,
    known: CallContext,
    audience: DeskAudience,
    *,
    localizer: Localizer,
    now: datetime,
    managers: Mapping[Ref, Manager],
    open_in_onec: OneCLink,
) -> CallCard:
    """Return the card of a call as *audience* sees it at *now*."""
    call = update.call
    candidates = call.decision.candidates
    owner = next((c for c in candidates if c.ref == known.chosen_owner), call.decision.candidate)
    status = find_desk_status(call, audience.extension, now)
    whole = audience.sees_number(call.caller.number, candidates, managers)
    name, company = _names(call, owner, audience.lang, whole=whole)
    several = candidates if len(candidates) > 1 else ()
    call_state = call.state
    timer_starts = {
        DeskStatus.RINGING: call.received_at,
        DeskStatus.RINGS_COLLEAGUE: call.received_at,
        DeskStatus.CALLING: call.received_at,
        DeskStatus.TALKING: call_state.answered_at or update.shown_at,
        DeskStatus.COLLEAGUE_TALKS: call_state.answered_at or update.shown_at,
    }
    return CallCard(
        key=call.key,
        sequence=update.sequence,
        status=status,
        state=localizer.translate(STATUS_LABELS[status]),
        colleague=_colleague(call, status),
        direction=localizer.translate(DIRECTION_LABELS[call.direction]),
        name=name,
        company=company,
        number=_number(call, audience.lang, whole=whole),
        is_masked=not whole,
        is_unknown=not candidates and call.caller.number is not None,
        line=_line(call.did),
        manager=_manager_words(owner, managers),
        arrived_at=call.arrived_at,
        timer_from=timer_starts.get(status),
        talk_time=call_state.talk_time,
        silent_from=call.received_at + RINGING_TIMEOUT,
        removed_at=update.shown_at + SHOWN_FOR,
        owners=tuple(
            OwnerLine(
                ref=c.ref,
                name=candidate_name(c),
                is_chosen=c.ref == known.chosen_owner,
                is_ended=c.ended,
                link=open_in_onec(c.kind, c.ref),
            )
            for c in several
        ),
        link=None if owner is None else open_in_onec(owner.kind, owner.ref),
        missed_call=known.missed_call,
        closed_missed_call=known.closed_missed_call
        if status is DeskStatus.MISSED and known.missed_call is None
        else None,
        earlier_calls=tuple(_past(c, localizer, now) for c in known.earlier_calls),
        notes=tuple(note.text for note in call.notes),
        can_call_back=call.caller.number is not None,
    )


def main_manager_of(owner: Candidate | None, managers: Mapping[Ref, Manager]) -> Manager | None:
    """Return the main manager of *owner*: the nearest up the chain, reachable or not."""
    for step in () if owner is None else owner.chain:
        if step.manager is not None:
            return managers.get(step.manager)
    return None


def _manager_words(owner: Candidate | None, managers: Mapping[Ref, Manager]) -> str:
    manager = main_manager_of(owner, managers)
    if manager is None:
        return ""
    return f"{manager.name}, {manager.extension}" if manager.extension else manager.name


def _names(
    call: PhoneCall, owner: Candidate | None, lang: Language, *, whole: bool
) -> tuple[str, str]:
    """Return whom the card names, and the company."""
    if owner is None or not candidate_name(owner):
        number = call.caller.number
        if number is not None:
            return format_visible_number(number, in_full=whole), ""
        return caller_name(call, lang), ""
    partner = owner.partner
    name = owner.name.strip() or candidate_name(owner)
    company = "" if partner is None or partner.partner == owner.ref else partner.name.strip()
    return name, "" if company == name else company


def _number(call: PhoneCall, lang: Language, *, whole: bool) -> str:
    number = call.caller.number
    return (
        how_to_reach(call, lang) if number is None else format_visible_number(number, in_full=whole)
    )


def _line(did: str) -> str:
    number = read_whole_number(did, _LONGEST_NUMBER) if len(did) > _LONGEST_EXTENSION else None
    return did if number is None else format_phone(PhoneNumber(number))


def _colleague(call: PhoneCall, status: DeskStatus) -> str:
    """Return who talks, or talked, where that is not the viewer."""
    if status not in (DeskStatus.COLLEAGUE_TALKS, DeskStatus.ANSWERED):
        return ""
    return format_person(call, call.state.answered_by)


def format_person(call: PhoneCall, extension: str) -> str:
    """Return *extension* with the name of its 1C user as *call* recorded it."""
    name = call.target_of(extension).name
    return f"{name}, {extension}" if name and extension else name or extension


def _past(call: PhoneCall, localizer: Localizer, now: datetime) -> EarlierCallLine:
    status = find_desk_status(call, call.state.answered_by or call.placed_by, now)
    return EarlierCallLine(
        at=call.arrived_at,
        direction=localizer.translate(DIRECTION_LABELS[call.direction]),
        outcome=localizer.translate(STATUS_LABELS[status]),
        who=format_person(call, call.state.answered_by or call.placed_by),
        notes=tuple(note.text for note in call.notes),
    )


#: Longer numbers are written as numbers.
_LONGEST_EXTENSION = 5

#: E.164 has 15 digits.
_LONGEST_NUMBER = 10**15
