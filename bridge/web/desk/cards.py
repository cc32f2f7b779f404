"""A call's card as the desk shows it: everything an operator wants to know while it rings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import KEPT, SILENCE, Standing, standing
from bridge.domain.directory import Candidate, Manager, Ref
from bridge.domain.missed import MissedDebt
from bridge.domain.phone import PhoneNumber, format_phone
from bridge.domain.texts import Language
from bridge.domain.whole_numbers import read_whole
from bridge.domain.writeback import caller_name, candidate_name, how_to_reach
from bridge.web.access import Viewer, show_number
from bridge.web.console.words import DIRECTIONS
from bridge.web.desk.board import Posted
from bridge.web.desk.parts import OpenInOneC
from bridge.web.desk.words import STANDINGS
from bridge.web.language import Speech


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside a call: earlier calls of its number, its debts, whose number it is.

    *debt* is open, *paid* is the one that this very call left and that is closed.
    """

    past: Sequence[PhoneCall] = ()
    debt: MissedDebt | None = None
    paid: MissedDebt | None = None
    choice: Ref | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """From where a card is looked at: one telephone's desk, and who sits there.

    Desks that see alike are equal, so *viewer* comes without the address he looks from.
    *revealed* are the hidden numbers he asked to see.
    """

    extension: str
    lang: Language
    viewer: Viewer
    revealed: frozenset[PhoneNumber] = frozenset()

    def whole(
        self,
        number: PhoneNumber | None,
        owners: Sequence[Candidate],
        managers: Mapping[int, Manager],
    ) -> bool:
        """Whether *number* of *owners* is shown in full; of nobody, where there are none."""
        if number is None or not self.viewer.masked or number in self.revealed:
            return True
        return self.viewer.serves(owners, managers)


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """One owner of the number; *link* opens him in 1C."""

    ref: Ref
    name: str
    chosen: bool
    ended: bool
    link: str | None


@dataclass(frozen=True, slots=True)
class PastLine:
    """An earlier call of the number, in words."""

    at: datetime
    direction: str
    outcome: str
    who: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A card's fields, ready to be written; times aware UTC, empty texts are left out."""

    key: str
    change: int
    standing: Standing
    state: str
    who: str  # the colleague who talks
    direction: str
    name: str
    company: str
    number: str
    hidden: bool  # the number's middle, until he asks for it
    stranger: bool
    line: str
    manager: str
    arrived_at: datetime
    ticks_from: datetime | None
    lasted: timedelta | None
    silent_at: datetime
    gone_at: datetime
    owners: tuple[OwnerLine, ...]
    link: str | None
    debt: MissedDebt | None
    paid: MissedDebt | None
    past: tuple[PastLine, ...]
    notes: tuple[str, ...]
    callable: bool

    @property
    def said(self) -> str:
        """Say the card in one breath, for a screen reader and a notification."""
        parts = (self.state, self.name, self.company, self.who)
        return ", ".join(part for part in parts if part)


def show_card(
    posted: Posted,
    known: Known,
    sight: Sight,
    *,
    speech: Speech,
    now: datetime,
    managers: Mapping[int, Manager],
    open_in_onec: OpenInOneC,
) -> Card:
    """Make the card of a call as *sight* sees it at *now*."""
    call = posted.call
    candidates = call.decision.candidates
    owner = next((c for c in candidates if c.ref == known.choice), call.decision.candidate)
    stands = standing(call, sight.extension, now)
    whole = sight.whole(call.caller.number, candidates, managers)
    name, company = _names(call, owner, sight.lang, whole=whole)
    several = candidates if len(candidates) > 1 else ()
    life = call.life
    running = {
        Standing.RINGING: call.received_at,
        Standing.PASSED: call.received_at,
        Standing.CALLING: call.received_at,
        Standing.TALKING: life.answered_at or posted.at,
        Standing.TAKEN: life.answered_at or posted.at,
    }
    return Card(
        key=call.key,
        change=posted.change,
        standing=stands,
        state=speech.say(STANDINGS[stands]),
        who=_colleague(call, stands),
        direction=speech.say(DIRECTIONS[call.direction]),
        name=name,
        company=company,
        number=_number(call, sight.lang, whole=whole),
        hidden=not whole,
        stranger=not candidates and call.caller.number is not None,
        line=_line(call.did),
        manager=_manager_words(owner, managers),
        arrived_at=call.arrived_at,
        ticks_from=running.get(stands),
        lasted=life.talk,
        silent_at=call.received_at + SILENCE,
        gone_at=posted.at + KEPT,
        owners=tuple(
            OwnerLine(
                ref=c.ref,
                name=candidate_name(c),
                chosen=c.ref == known.choice,
                ended=c.ended,
                link=open_in_onec(c.kind, c.ref),
            )
            for c in several
        ),
        link=None if owner is None else open_in_onec(owner.kind, owner.ref),
        debt=known.debt,
        paid=known.paid if stands is Standing.MISSED and known.debt is None else None,
        past=tuple(_past(c, speech, now) for c in known.past),
        notes=tuple(note.text for note in call.notes),
        callable=call.caller.number is not None,
    )


def manager_of(owner: Candidate | None, managers: Mapping[int, Manager]) -> Manager | None:
    """Find who serves *owner*: the main manager nearest up his chain, reachable or not."""
    for step in () if owner is None else owner.chain:
        if step.manager is not None:
            return managers.get(step.manager)
    return None


def _manager_words(owner: Candidate | None, managers: Mapping[int, Manager]) -> str:
    manager = manager_of(owner, managers)
    if manager is None:
        return ""
    return f"{manager.name}, {manager.extension}" if manager.extension else manager.name


def _names(
    call: PhoneCall, owner: Candidate | None, lang: Language, *, whole: bool
) -> tuple[str, str]:
    """Give whom the card names, and the company he belongs to."""
    if owner is None or not candidate_name(owner):
        number = call.caller.number
        if number is not None:
            return show_number(number, whole=whole), ""
        return caller_name(call, lang), ""
    partner = owner.partner
    name = owner.name.strip() or candidate_name(owner)
    company = "" if partner is None or partner.partner == owner.ref else partner.name.strip()
    return name, "" if company == name else company


def _number(call: PhoneCall, lang: Language, *, whole: bool) -> str:
    number = call.caller.number
    return how_to_reach(call, lang) if number is None else show_number(number, whole=whole)


def _line(did: str) -> str:
    number = read_whole(did, _LONGEST_NUMBER) if len(did) > _LONGEST_EXTENSION else None
    return did if number is None else format_phone(PhoneNumber(number))


def _colleague(call: PhoneCall, stands: Standing) -> str:
    """Name who talks, or talked, where that is not the one who looks."""
    if stands not in (Standing.TAKEN, Standing.ANSWERED):
        return ""
    return person_words(call, call.life.answered_by)


def person_words(call: PhoneCall, extension: str) -> str:
    """Name the 1C user behind *extension* as *call* knew him, with the extension."""
    name = call.person(extension).name
    return f"{name}, {extension}" if name and extension else name or extension


def _past(call: PhoneCall, speech: Speech, now: datetime) -> PastLine:
    stands = standing(call, call.life.answered_by or call.placed_by, now)
    return PastLine(
        at=call.arrived_at,
        direction=speech.say(DIRECTIONS[call.direction]),
        outcome=speech.say(STANDINGS[stands]),
        who=person_words(call, call.life.answered_by or call.placed_by),
        notes=tuple(note.text for note in call.notes),
    )


#: Longer numbers are written as numbers.
_LONGEST_EXTENSION = 5

#: E.164 has 15 digits.
_LONGEST_NUMBER = 10**15
