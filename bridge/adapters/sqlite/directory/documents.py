"""Directory objects as JSON documents, and the tables and indexes they stand in.

Documents have the field names of the objects' classes and leave out what has its default value.
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

#: Table of each kind; the order is part of the file's format (see `owner_row_id`).
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

# ruff: noqa: S608 - tables and expressions are constants of ours.

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

_POSITIONS = {kind: position for position, kind in enumerate(KINDS)}


class _Codec:
    """Encodes one class of object without its defaults, and decodes it."""

    def __init__(self, directory_object: type[DirectoryObject]):
        fields = dataclasses.fields(directory_object)
        self._lean = msgspec.defstruct(
            f"{directory_object.__name__}Document",
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
        self.decode = msgspec.json.Decoder(directory_object).decode

    def encode(self, objects: Iterable[DirectoryObject]) -> list[bytes]:
        encode, lean, values = self._encode, self._lean, self._values
        return [encode(lean(*values(directory_object))) for directory_object in objects]


_CODECS = {
    EntityKind.MANAGER: _Codec(Manager),
    EntityKind.PARTNER: _Codec(Partner),
    EntityKind.CONTACT: _Codec(ContactPerson),
    EntityKind.COUNTERPARTY: _Codec(Counterparty),
}

_report = msgspec.json.Decoder(SyncReport)


def encode_objects(kind: EntityKind, objects: Iterable[DirectoryObject]) -> list[bytes]:
    """Return the documents of objects, defaults left out."""
    return _CODECS[kind].encode(objects)


def decode_object(kind: EntityKind, text: str | bytes) -> DirectoryObject:
    """Decode an object; raises msgspec.MsgspecError for what is none."""
    return _CODECS[kind].decode(text)


def decode_report(text: str) -> SyncReport:
    """Decode the report of a run; raises msgspec.MsgspecError for what is none."""
    return _report.decode(text)


def migrate_directory(file: SqliteFile) -> int:
    """Upgrade the documents of a directory of format 1; inside the writer's transaction.

    Return their number. The text of a key cannot stand inside a value: a quote in a value is
    written with a backslash.
    """
    documents = sum(
        file.execute(f"UPDATE {table} SET doc = {_UPGRADED}") for table in TABLES.values()
    )
    file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    return documents


def decode_object_of_any_format(kind: EntityKind, text: str) -> DirectoryObject:
    """Read an object of a file that the sync process may not have upgraded yet."""
    for old, new in _OLD_KEYS.items():
        text = text.replace(old, new)
    return decode_object(kind, text)


def owner_row_id(kind: EntityKind, doc_id: int) -> int:
    """Return the number of a document among all four kinds."""
    return doc_id * len(KINDS) + _POSITIONS[kind]


def owner_of_row_id(row: int) -> tuple[EntityKind, int]:
    """Return kind and document id of an `owner_row_id`."""
    return KINDS[row % len(KINDS)], row // len(KINDS)


def distinct_phones(directory_object: DirectoryObject) -> tuple[ParsedPhone, ...]:
    """Return the numbers of an owner, each once, with the first extension typed behind it."""
    if isinstance(directory_object, Manager) or not directory_object.phone_fields:
        return ()
    if (
        len(directory_object.phone_fields) == 1
        and len(directory_object.phone_fields[0].phones) == 1
    ):
        return directory_object.phone_fields[0].phones
    first: dict[PhoneNumber, ParsedPhone] = {}
    for field in directory_object.phone_fields:
        for phone in field.phones:
            first.setdefault(phone.number, phone)
    return tuple(first.values())


def unread_phone_fields(directory_object: DirectoryObject) -> tuple[str, ...]:
    """Return the phone fields from which no number was read."""
    if isinstance(directory_object, Manager):
        return ()
    return tuple([f.text for f in directory_object.phone_fields if not f.phones and f.text.strip()])


def read_objects(
    file: SqliteFile, kind: EntityKind, where: str = ""
) -> Iterator[tuple[int, DirectoryObject]]:
    """Yield objects with their ids; the table must not be written meanwhile."""
    question = f"SELECT id, CAST(doc AS BLOB) FROM {TABLES[kind]} {where}"
    for doc_id, text in file.stream(question):
        yield doc_id, decode_object(kind, text)


def insert_documents(file: SqliteFile, kind: EntityKind, first: int, docs: Sequence[bytes]) -> None:
    """Insert documents with the ids from *first* on, which are unused."""
    file.execute(
        f"INSERT INTO {TABLES[kind]} (id, doc) "
        f"SELECT ?3 + key, CAST({VALUE} AS TEXT) FROM json_each(?2)",
        (*join_values(docs), first),
    )


def insert_unread_phones(
    file: SqliteFile, kind: EntityKind, first: int, objects: Iterable[DirectoryObject]
) -> None:
    """Insert the unread phone fields of objects that have the ids from *first* on."""
    rows = [
        (owner_row_id(kind, doc_id), len(fields), fields[0])
        for doc_id, one in enumerate(objects, first)
        if (fields := unread_phone_fields(one))
    ]
    if rows:
        file.execute_many("INSERT INTO unread VALUES (?, ?, ?)", rows)


def create_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Index the table of *kind*; raises StoreError when a reference is there twice."""
    table = TABLES[kind]
    file.execute(f"CREATE UNIQUE INDEX {table}_by_ref ON {table} ({REF_EXPRESSION})")
    for name, columns in _INDEXES[kind].items():
        file.execute(f"CREATE INDEX {name} ON {table} {columns}")


def drop_indexes(file: SqliteFile, kind: EntityKind) -> None:
    """Drop the indexes of the table of *kind*: it is filled faster without."""
    for name in (f"{TABLES[kind]}_by_ref", *_INDEXES[kind]):
        file.execute(f"DROP INDEX IF EXISTS {name}")
