"""Directory nouns as JSON documents, caller cards as bytes: what stands in `directory.db`.

Documents carry the nouns' own field names and leave out what is empty. Cards are decoded on the
ringing path of every call and kept for every number, so they are small and flat:
references are 16 bytes, a partner does not repeat himself as the first step of his own chain.
"""

import dataclasses
from operator import attrgetter
from typing import Final

import msgspec

from bridge.domain.directory import (
    CallerCard,
    Candidate,
    CandidateKind,
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    OwnerStep,
    Partner,
    Ref,
)
from bridge.domain.phone import PhoneNumber, TypedPhone
from bridge.ports import Noun, SyncReport

#: Table of each kind; the order is part of the file's format (see `owner_row`).
TABLES: Final = {
    EntityKind.MANAGER: "managers",
    EntityKind.PARTNER: "partners",
    EntityKind.CONTACT: "contacts",
    EntityKind.COUNTERPARTY: "counterparties",
}

KINDS: Final = tuple(TABLES)

_PLACES = {kind: place for place, kind in enumerate(KINDS)}

_CANDIDATE_KINDS = (None, *CandidateKind)
_CUSTOMER, _ENDED = 4, 8

_GUID_LENGTH = 36
_GUID_BYTES = 16


class _Wire:
    """Encodes one class of noun without its defaults, and decodes it."""

    def __init__(self, noun: type[Noun]):
        fields = dataclasses.fields(noun)
        self._lean = msgspec.defstruct(
            f"{noun.__name__}Document",
            [
                (f.name, object)
                if f.default is dataclasses.MISSING
                else (f.name, object, f.default)
                for f in fields
            ],
            omit_defaults=True,
            gc=False,
        )
        self._values = attrgetter(*(f.name for f in fields))
        self._encode = msgspec.json.Encoder().encode
        self.decode = msgspec.json.Decoder(noun).decode

    def encode(self, noun: Noun) -> bytes:
        return self._encode(self._lean(*self._values(noun)))


_WIRES = {
    EntityKind.MANAGER: _Wire(Manager),
    EntityKind.PARTNER: _Wire(Partner),
    EntityKind.CONTACT: _Wire(ContactPerson),
    EntityKind.COUNTERPARTY: _Wire(Counterparty),
}

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple]).decode  # type: ignore[type-arg]  # flat, see below
_report = msgspec.json.Decoder(SyncReport)


def encode_noun(kind: EntityKind, noun: Noun) -> bytes:
    """Write a noun as JSON, empty fields left out."""
    return _WIRES[kind].encode(noun)


def decode_noun(kind: EntityKind, text: str | bytes) -> Noun:
    """Read a noun back; raises msgspec.MsgspecError for what is none."""
    return _WIRES[kind].decode(text)


def decode_report(text: str) -> SyncReport:
    """Read a run's report back; raises msgspec.MsgspecError for what is none."""
    return _report.decode(text)


def owner_row(kind: EntityKind, doc_id: int) -> int:
    """Number a document among all four kinds."""
    return doc_id * len(KINDS) + _PLACES[kind]


def owner_at(row: int) -> tuple[EntityKind, int]:
    """Give kind and document id back from `owner_row`."""
    return KINDS[row % len(KINDS)], row // len(KINDS)


def phones_of(noun: Noun) -> tuple[TypedPhone, ...]:
    """Give the numbers of an owner, each once, with the first extension typed behind it."""
    if isinstance(noun, Manager) or not noun.fields:
        return ()
    if len(noun.fields) == 1 and len(noun.fields[0].phones) == 1:
        return noun.fields[0].phones
    first: dict[PhoneNumber, TypedPhone] = {}
    for field in noun.fields:
        for phone in field.phones:
            first.setdefault(phone.number, phone)
    return tuple(first.values())


def unread_of(noun: Noun) -> tuple[str, ...]:
    """Give the phone fields from which no number was read."""
    if isinstance(noun, Manager):
        return ()
    return tuple([f.typed for f in noun.fields if not f.phones and f.typed.strip()])


def pack_candidate(candidate: Candidate) -> bytes:
    """Write one candidate: (marks, ref, name, chain as flat triples[, code[, extension]])."""
    kind, ref, name, chain, code, customer, ended, extension = candidate
    marks = kind | (customer and _CUSTOMER) | (ended and _ENDED)
    steps: list[object] = []
    for partner, partner_name, manager in chain:
        own = partner == ref and partner_name == name
        steps += (None, None, manager) if own else (_small(partner), partner_name, manager)
    if extension is not None:
        return _pack((marks, _small(ref), name, steps, code, extension))
    if code:
        return _pack((marks, _small(ref), name, steps, code))
    return _pack((marks, _small(ref), name, steps))


def pack_card(candidates: list[bytes]) -> bytes:
    """Write the card of candidates that are packed and in order."""
    if len(candidates) == 1:
        return b"\x91" + candidates[0]  # msgpack: an array of one
    return _pack([msgspec.Raw(candidate) for candidate in candidates])


def unpack_card(number: PhoneNumber, card: bytes) -> CallerCard:
    """Read a card back; raises msgspec.MsgspecError or TypeError for what is none."""
    return CallerCard(number, tuple([_candidate(*fields) for fields in _unpack(card)]))


def _candidate(  # noqa: PLR0917 - the card's own order
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
        chain: tuple[OwnerStep, ...] = (tuple.__new__(OwnerStep, (ref, name, steps[2])),)
    else:
        chain = tuple(
            [
                tuple.__new__(OwnerStep, (ref, name, steps[at + 2]))
                if steps[at] is None
                else tuple.__new__(OwnerStep, (_large(steps[at]), steps[at + 1], steps[at + 2]))
                for at in range(0, len(steps), 3)
            ]
        )
    kind = _CANDIDATE_KINDS[marks & 3]
    customer, ended = marks & _CUSTOMER != 0, marks & _ENDED != 0
    return tuple.__new__(Candidate, (kind, ref, name, chain, code, customer, ended, extension))


def _small(ref: str) -> bytes | str:
    """Write a guid as its 16 bytes; anything else stays text."""
    if len(ref) == _GUID_LENGTH and ref[8] == ref[13] == ref[18] == ref[23] == "-":
        digits = ref.replace("-", "")
        if len(digits) == 2 * _GUID_BYTES and digits == digits.lower():
            try:
                return bytes.fromhex(digits)
            except ValueError:
                return ref
    return ref


def _large(packed: object) -> Ref:
    if type(packed) is not bytes:
        return Ref(str(packed))
    digits = packed.hex()
    return Ref(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")
