"""Directory nouns as JSON documents, and the tables and indexes they stand in.

Documents carry the nouns' own field names and leave out what is empty.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from bridge.adapters.embedded.sqlite_bulk import VALUE, pieces
from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.domain.directory import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
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

#: The table of the last run, and its documents: the report, and what is counted across runs.
CHECKPOINT: Final = "checkpoint"
REPORT: Final = 1
TOTALS: Final = 2

# ruff: noqa: S608 - tables and expressions are constants of this house.

# What the expression indexes of the tables are on, letter for letter.
BY_REF = "json_extract(doc, '$.ref')"
BY_PARENT = "json_extract(doc, '$.parent')"
BY_PARTNER = "json_extract(doc, '$.partner')"

#: Column expressions by name of index; the parent's only where there is one: few have.
_INDEXES = {
    EntityKind.MANAGER: {},
    EntityKind.PARTNER: {"partners_by_parent": f"({BY_PARENT}) WHERE {BY_PARENT} IS NOT NULL"},
    EntityKind.CONTACT: {"contacts_by_partner": f"({BY_PARTNER})"},
    EntityKind.COUNTERPARTY: {"counterparties_by_partner": f"({BY_PARTNER})"},
}

_PLACES = {kind: place for place, kind in enumerate(KINDS)}


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

    def encode(self, nouns: Iterable[Noun]) -> list[bytes]:
        encode, lean, values = self._encode, self._lean, self._values
        return [encode(lean(*values(noun))) for noun in nouns]


_WIRES = {
    EntityKind.MANAGER: _Wire(Manager),
    EntityKind.PARTNER: _Wire(Partner),
    EntityKind.CONTACT: _Wire(ContactPerson),
    EntityKind.COUNTERPARTY: _Wire(Counterparty),
}

_report = msgspec.json.Decoder(SyncReport)


def encode_nouns(kind: EntityKind, nouns: Iterable[Noun]) -> list[bytes]:
    """Write nouns as JSON, empty fields left out."""
    return _WIRES[kind].encode(nouns)


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


def read_nouns(file: SqliteFile, kind: EntityKind, where: str = "") -> Iterator[tuple[int, Noun]]:
    """Read documents with their ids; the table must not be written meanwhile."""
    question = f"SELECT id, CAST(doc AS BLOB) FROM {TABLES[kind]} {where}"
    for doc_id, text in file.stream(question):
        yield doc_id, decode_noun(kind, text)


def add_documents(file: SqliteFile, kind: EntityKind, first: int, docs: Sequence[bytes]) -> None:
    """Write documents with the ids from *first* on, which nobody has yet."""
    file.execute(
        f"INSERT INTO {TABLES[kind]} (id, doc) "
        f"SELECT ?3 + key, CAST({VALUE} AS TEXT) FROM json_each(?2)",
        (*pieces(docs), first),
    )


def create_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Index the table of *kind*; raises StoreError when a reference is there twice."""
    table = TABLES[kind]
    file.execute(f"CREATE UNIQUE INDEX {table}_by_ref ON {table} ({BY_REF})")
    for name, columns in _INDEXES[kind].items():
        file.execute(f"CREATE INDEX {name} ON {table} {columns}")


def drop_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Have no indexes on the table of *kind*: a table is filled faster without."""
    for name in (f"{TABLES[kind]}_by_ref", *_INDEXES[kind]):
        file.execute(f"DROP INDEX IF EXISTS {name}")
