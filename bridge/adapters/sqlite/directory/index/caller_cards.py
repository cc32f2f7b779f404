"""Caller cards: which owners a number leads to, and how a card is packed.

The rules:

- a marked object is no caller, nor is a predefined partner; a contact person or counterparty of a
  marked partner still is one, and the partner's manager answers them;
- a predefined partner (НашеПредприятие, РозничныйПокупатель, …) is no holding and has no manager
  who answers its callers: chains end before it, its contact persons are callers without a partner.

Cards are decoded on the ringing path of every call and kept for every number, so they are small
and flat: references are 16 bytes, a manager is a row number of this file (the reference where 1C
does not list the manager), and a partner is not repeated as the first step of its own chain.
"""

from binascii import unhexlify
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from bridge.adapters.sqlite.directory.documents import distinct_phones
from bridge.domain.directory.caller_card import (
    CallerCard,
    Candidate,
    CandidateKind,
    OwnerStep,
    build_candidate,
    build_owner_chain,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    EMPTY_REF,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    may_be_caller,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.onec import DirectoryObject

_CANDIDATE_KINDS = (None, *CandidateKind)
_CUSTOMER, _ENDED = 4, 8
_PARTNER = int(CandidateKind.PARTNER)

#: How msgpack begins an array of one.
_ONE = b"\x91"

_GUID_LENGTH = 36
_GUID_DASHES = "----"  # every fifth sign from the eighth on
_GUID_BYTES = 16

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple]).decode  # type: ignore[type-arg]  # flat, see below


class PartnerChains:
    """Partners as far as cards of others need them; shared strings are kept once."""

    def __init__(self, manager_rows: Mapping[Ref, int]):
        self.manager_rows = manager_rows
        self._steps: dict[Ref, tuple[str, Ref | None, Ref | None]] = {}
        self._code_and_customer: dict[Ref, tuple[str, bool]] = {}
        self._manager_refs: dict[Ref, Ref] = {}

    def add(self, partner: Partner) -> None:
        """Add one partner; a predefined one is in no chain."""
        if partner.predefined:
            return
        manager = partner.manager and self._manager_refs.setdefault(
            partner.manager, partner.manager
        )
        self._steps[partner.ref] = (partner.name, partner.parent, manager)
        self._code_and_customer[partner.ref] = (partner.code, partner.customer)

    def has(self, ref: Ref) -> bool:
        """Return whether the partner was added."""
        return ref in self._steps

    def build_candidate(self, owner: PhoneOwner) -> Candidate:
        """Return the candidate of *owner*, whose partners were all added."""
        if isinstance(owner, Partner):
            chain = build_owner_chain(owner.ref, self._steps)
            return build_candidate(owner, chain, None, customer=owner.customer, code=owner.code)
        chain = build_owner_chain(owner.partner, self._steps)
        code, customer = self._code_and_customer[chain[0].partner] if chain else ("", False)
        return build_candidate(owner, chain, None, customer=customer, code=code)

    def pack_owner(self, owner: PhoneOwner, extension: str | None) -> bytes:
        """Return the packed candidate of *owner*."""
        if isinstance(owner, Partner) and owner.parent is None:
            # Nearly all owners of a large base, and by far the shortest chain: one step.
            manager = owner.manager
            row = None if manager is None else _pack_manager(manager, self.manager_rows)
            marks = _PARTNER | _CUSTOMER if owner.customer else _PARTNER
            return _pack_fields(
                marks, owner.ref, owner.name, [None, None, row], owner.code, extension
            )
        candidate = self.build_candidate(owner)._replace(extension=extension)
        return pack_candidate(candidate, self.manager_rows)


class PackedCards:
    """All cards of a rebuild, compact: packed candidates, and which of them a number has."""

    def __init__(self, partners: PartnerChains):
        self._partners = partners
        self._cards: dict[PhoneNumber, bytes] = {}
        #: Numbers of several owners, with a card of each.
        self._shared: dict[PhoneNumber, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._cards)

    def add(self, owner: DirectoryObject) -> None:
        """Add the numbers of *owner*, if it may be a caller."""
        if isinstance(owner, Manager) or not may_be_caller(owner):
            return
        phones = distinct_phones(owner)
        if not phones:
            return
        plain = _ONE + self._partners.pack_owner(owner, None)
        for number, extension in phones:
            card = (
                plain if extension is None else _ONE + self._partners.pack_owner(owner, extension)
            )
            there = self._cards.setdefault(number, card)
            if there is not card:
                self._shared.setdefault(number, [there]).append(card)

    def sorted_batches(self, size: int) -> Iterator[list[tuple[PhoneNumber, bytes]]]:
        """Yield numbers and cards in the order of the numbers, *size* at a time."""
        cards = self._cards
        cards.update({number: _joined(alone) for number, alone in self._shared.items()})
        numbers = sorted(cards)
        for at in range(0, len(numbers), size):
            yield [(number, cards[number]) for number in numbers[at : at + size]]


def _joined(alone: list[bytes]) -> bytes:
    """Return one card for all owners of a number, made of their cards."""
    return pack_card([card.removeprefix(_ONE) for card in sorted(alone, key=_sort_key)])


def _sort_key(card: bytes) -> tuple[object, ...]:
    (fields,) = _unpack(card)
    return candidate_sort_key(_candidate(WITHOUT_MANAGERS, *fields))


def pack_candidate(candidate: Candidate, manager_rows: Mapping[Ref, int]) -> bytes:
    """Write one candidate: (marks, ref, name, chain as flat triples[, code[, extension]])."""
    kind, ref, name, chain, code, customer, ended, extension = candidate
    marks = kind | (customer and _CUSTOMER) | (ended and _ENDED)
    steps: list[object] = []
    for partner, partner_name, manager in chain:
        packed = None if manager is None else _pack_manager(manager, manager_rows)
        own = partner == ref and partner_name == name
        steps += (None, None, packed) if own else (_small(partner), partner_name, packed)
    return _pack_fields(marks, ref, name, steps, code, extension)


def _pack_fields(  # noqa: PLR0917 - the card's own order
    marks: int, ref: Ref, name: str, steps: list[object], code: str, extension: str | None
) -> bytes:
    if extension is not None:
        return _pack((marks, _small(ref), name, steps, code, extension))
    if code:
        return _pack((marks, _small(ref), name, steps, code))
    return _pack((marks, _small(ref), name, steps))


def pack_card(candidates: list[bytes]) -> bytes:
    """Write the card of candidates that are packed and in order."""
    if len(candidates) == 1:
        return _ONE + candidates[0]
    return _pack([msgspec.Raw(candidate) for candidate in candidates])


class UnknownManagerRow(LookupError):
    """A card names a row of a manager that is not known yet: a run has just committed."""


class ManagerRefs(dict[object, Ref | None]):
    """The reference of a manager by what a card holds; *rows* are known row numbers."""

    def __init__(self, rows: Mapping[int, Ref]) -> None:
        super().__init__()
        self.update(rows.items())
        self[None] = None

    def __missing__(self, packed: object) -> Ref:
        """Return the reference that stands in the card itself.

        Raises:
            UnknownManagerRow: it is a row number.
        """
        if type(packed) is int:
            raise UnknownManagerRow(packed)
        return _large(packed)


class _AnyManager(ManagerRefs):
    """Takes every row for a manager whom 1C does not list."""

    def __missing__(self, packed: object) -> Ref:
        return EMPTY_REF if type(packed) is int else _large(packed)


#: Where the owners of a card are needed, and not their managers.
WITHOUT_MANAGERS: Final = _AnyManager({})


def with_unknown_rows(known: ManagerRefs) -> ManagerRefs:
    """Return *known* with every other row taken for a manager whom 1C does not list."""
    return _AnyManager({row: ref for row, ref in known.items() if type(row) is int and ref})


def unpack_card(number: PhoneNumber, card: bytes, managers: ManagerRefs) -> CallerCard:
    """Read a card back.

    Raises:
        MsgspecError, TypeError: it is no card.
        UnknownManagerRow: it names a row that *managers* do not have.
    """
    return CallerCard(number, tuple([_candidate(managers, *fields) for fields in _unpack(card)]))


def _candidate(  # noqa: PLR0917 - the card's own order
    managers: ManagerRefs,
    marks: int,
    packed: bytes | str,
    name: str,
    steps: list[object],
    code: str = "",
    extension: str | None = None,
) -> Candidate:
    ref = _large(packed)
    # tuple.__new__ spares the keyword-aware constructors of NamedTuple, a third of the decoding.
    if len(steps) == 3 and steps[0] is None:  # noqa: PLR2004 - one triple: a partner himself
        chain: tuple[OwnerStep, ...] = (tuple.__new__(OwnerStep, (ref, name, managers[steps[2]])),)
    else:
        chain = tuple(
            [
                tuple.__new__(OwnerStep, (ref, name, managers[steps[at + 2]]))
                if steps[at] is None
                else tuple.__new__(
                    OwnerStep, (_large(steps[at]), steps[at + 1], managers[steps[at + 2]])
                )
                for at in range(0, len(steps), 3)
            ]
        )
    kind = _CANDIDATE_KINDS[marks & 3]
    customer, ended = marks & _CUSTOMER != 0, marks & _ENDED != 0
    return tuple.__new__(Candidate, (kind, ref, name, chain, code, customer, ended, extension))


def _pack_manager(manager: Ref, rows: Mapping[Ref, int]) -> int | bytes | str:
    row = rows.get(manager)
    return _small(manager) if row is None else row


def _small(ref: str) -> bytes | str:
    """Write a guid as its 16 bytes; anything else stays text."""
    if len(ref) == _GUID_LENGTH and ref[8:24:5] == _GUID_DASHES:
        digits = ref.replace("-", "")
        if len(digits) == 2 * _GUID_BYTES and digits == digits.lower():
            try:
                return unhexlify(digits)
            except ValueError:
                return ref
    return ref


def _large(packed: object) -> Ref:
    if type(packed) is not bytes:
        return Ref(str(packed))
    digits = packed.hex()
    return Ref(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")
