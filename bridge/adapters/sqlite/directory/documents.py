"""Directory nouns as JSON documents, and the tables and indexes they stand in.

Documents carry the nouns' own field names and leave out what is empty.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from bridge.adapters.sqlite.file.bulk import VALUE, join_values
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, SqliteFile
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
)
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import SyncReport

#: Table of each kind; the order is part of the file's format (see `owner_row`).
TABLES: Final = {
    EntityKind.MANAGER: "managers",
    EntityKind.PARTNER: "partners",
    EntityKind.CONTACT: "contacts",
    EntityKind.COUNTERPARTY: "counterparties",
}

KINDS: Final = tuple(TABLES)

#: The table of the last run, and its documents: the report, and what is counted across runs.
CHECKPOINT_TABLE: Final = "checkpoint"
REPORT_ID: Final = 1
TOTALS_ID: Final = 2

# ruff: noqa: S608 - tables and expressions are constants of this house.

# What the expression indexes of the tables are on, letter for letter.
REF_EXPRESSION = "json_extract(doc, '$.ref')"
PARENT_EXPRESSION = "json_extract(doc, '$.parent')"
PARTNER_EXPRESSION = "json_extract(doc, '$.partner')"

#: Column expressions by name of index; the parent's only where there is one: few have.
_INDEXES = {
    EntityKind.MANAGER: {},
    EntityKind.PARTNER: {
        "partners_by_parent": f"({PARENT_EXPRESSION}) WHERE {PARENT_EXPRESSION} IS NOT NULL"
    },
    EntityKind.CONTACT: {"contacts_by_partner": f"({PARTNER_EXPRESSION})"},
    EntityKind.COUNTERPARTY: {"counterparties_by_partner": f"({PARTNER_EXPRESSION})"},
}

#: Keys of format 1 and today's, as they stand in a document.
_OLD_KEYS = {
    '"fields":': '"phone_fields":',
    '"marked":': '"deletion_mark":',
    '"listed":': '"value_ref":',
}
_UPGRADED = "doc"
for _old, _new in _OLD_KEYS.items():
    _UPGRADED = f"replace({_UPGRADED}, '{_old}', '{_new}')"

_PLACES = {kind: place for place, kind in enumerate(KINDS)}


class _Wire:
    """Encodes one class of noun without its defaults, and decodes it."""

    def __init__(self, noun: type[DirectoryObject]):
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

    def encode(self, nouns: Iterable[DirectoryObject]) -> list[bytes]:
        encode, lean, values = self._encode, self._lean, self._values
        return [encode(lean(*values(noun))) for noun in nouns]


_WIRES = {
    EntityKind.MANAGER: _Wire(Manager),
    EntityKind.PARTNER: _Wire(Partner),
    EntityKind.CONTACT: _Wire(ContactPerson),
    EntityKind.COUNTERPARTY: _Wire(Counterparty),
}

_report = msgspec.json.Decoder(SyncReport)


def encode_objects(kind: EntityKind, nouns: Iterable[DirectoryObject]) -> list[bytes]:
    """Write nouns as JSON, empty fields left out."""
    return _WIRES[kind].encode(nouns)


def decode_object(kind: EntityKind, text: str | bytes) -> DirectoryObject:
    """Read a noun back; raises msgspec.MsgspecError for what is none."""
    return _WIRES[kind].decode(text)


def decode_report(text: str) -> SyncReport:
    """Read a run's report back; raises msgspec.MsgspecError for what is none."""
    return _report.decode(text)


def migrate_directory(file: SqliteFile) -> None:
    """Give the documents of a directory of format 1 today's keys; inside the writer's transaction.

    The text of a key cannot stand inside a value: a quote in a value is written with a backslash.
    """
    for table in TABLES.values():
        file.execute(f"UPDATE {table} SET doc = {_UPGRADED}")
    file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def decode_object_of_any_format(kind: EntityKind, text: str) -> DirectoryObject:
    """Read an object of a file that the sync process may not have upgraded yet."""
    for old, new in _OLD_KEYS.items():
        text = text.replace(old, new)
    return decode_object(kind, text)


def owner_row_id(kind: EntityKind, doc_id: int) -> int:
    """Number a document among all four kinds."""
    return doc_id * len(KINDS) + _PLACES[kind]


def owner_of_row_id(row: int) -> tuple[EntityKind, int]:
    """Give kind and document id back from `owner_row`."""
    return KINDS[row % len(KINDS)], row // len(KINDS)


def distinct_phones(noun: DirectoryObject) -> tuple[ParsedPhone, ...]:
    """Give the numbers of an owner, each once, with the first extension typed behind it."""
    if isinstance(noun, Manager) or not noun.phone_fields:
        return ()
    if len(noun.phone_fields) == 1 and len(noun.phone_fields[0].phones) == 1:
        return noun.phone_fields[0].phones
    first: dict[PhoneNumber, ParsedPhone] = {}
    for field in noun.phone_fields:
        for phone in field.phones:
            first.setdefault(phone.number, phone)
    return tuple(first.values())


def unread_phone_fields(noun: DirectoryObject) -> tuple[str, ...]:
    """Give the phone fields from which no number was read."""
    if isinstance(noun, Manager):
        return ()
    return tuple([f.text for f in noun.phone_fields if not f.phones and f.text.strip()])


def read_objects(
    file: SqliteFile, kind: EntityKind, where: str = ""
) -> Iterator[tuple[int, DirectoryObject]]:
    """Read documents with their ids; the table must not be written meanwhile."""
    question = f"SELECT id, CAST(doc AS BLOB) FROM {TABLES[kind]} {where}"
    for doc_id, text in file.stream(question):
        yield doc_id, decode_object(kind, text)


def insert_documents(file: SqliteFile, kind: EntityKind, first: int, docs: Sequence[bytes]) -> None:
    """Write documents with the ids from *first* on, which nobody has yet."""
    file.execute(
        f"INSERT INTO {TABLES[kind]} (id, doc) "
        f"SELECT ?3 + key, CAST({VALUE} AS TEXT) FROM json_each(?2)",
        (*join_values(docs), first),
    )


def create_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Index the table of *kind*; raises StoreError when a reference is there twice."""
    table = TABLES[kind]
    file.execute(f"CREATE UNIQUE INDEX {table}_by_ref ON {table} ({REF_EXPRESSION})")
    for name, columns in _INDEXES[kind].items():
        file.execute(f"CREATE INDEX {name} ON {table} {columns}")


def drop_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Have no indexes on the table of *kind*: a table is filled faster without."""
    for name in (f"{TABLES[kind]}_by_ref", *_INDEXES[kind]):
        file.execute(f"DROP INDEX IF EXISTS {name}")
