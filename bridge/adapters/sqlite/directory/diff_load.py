"""A run that brings everything anew over a directory that holds much: only differences are written.

A full pull of a base that did not change writes nothing. So its commit is short, and nobody who
waits for the same disk with a caller on the line waits for a hundred megabytes of rows that were
there before. What the run does not bring is gone in the end, as if all had been forgotten first.
"""

from collections.abc import Iterable
from itertools import islice

import msgspec

from bridge.adapters.sqlite.directory.documents import (
    KINDS,
    REF_EXPRESSION,
    TABLES,
    decode_object,
    encode_objects,
    insert_documents,
    owner_row_id,
    unread_phone_fields,
)
from bridge.adapters.sqlite.directory.index.name_index import NameIndex, fold_names
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.adapters.sqlite.directory.index.streamed_cards import StreamedCards
from bridge.adapters.sqlite.directory.object_tables import ObjectTables
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.ports.onec import DirectoryObject

# ruff: noqa: S608 - tables and expressions are constants of this house.

_BATCH = 5_000

_encode = msgspec.json.Encoder().encode


class DifferentialLoad:
    """The held tables of a run, each brought level with what `put` gives until it is settled."""

    def __init__(self, file: SqliteFile, rows: ObjectTables):
        self._file = file
        self._rows = rows
        self._names = NameIndex(file)
        self._phones = PhoneIndex(file)
        #: By kind that is not settled: one byte for each id that was held, 1 when it was brought.
        self._brought = {kind: bytearray(rows.highest_id(kind) + 1) for kind in KINDS}
        self._cards = StreamedCards(self._phones, self.finish_kind)

    def accepts(self, kind: EntityKind) -> bool:
        """Tell whether what comes of *kind* is still compared with what is held."""
        return kind in self._brought

    def put(self, kind: EntityKind, nouns: Iterable[DirectoryObject]) -> None:
        """Have these objects, and write those that differ; of one that comes twice the last."""
        self._cards.begin_kind(kind)
        rest = iter(nouns)
        while batch := list(islice(rest, _BATCH)):
            self._level(kind, {noun.ref: noun for noun in batch})

    def finish_kind(self, kind: EntityKind) -> None:
        """Bury what was held of *kind* and not brought."""
        brought = self._brought.pop(kind, None)
        if brought is None:
            return
        ids = self._file.read(f"SELECT id FROM {TABLES[kind]} WHERE id < ?", (len(brought),))
        for (doc_id,) in ids:
            if not brought[doc_id]:
                question = f"SELECT doc FROM {TABLES[kind]} WHERE id = ?"
                ((text,),) = self._file.read(question, (doc_id,))
                self._rows.delete(kind, doc_id, decode_object(kind, text))

    def finish_all_kinds(self) -> None:
        """Bury what was held and not brought, of every kind."""
        for kind in KINDS:
            self.finish_kind(kind)

    def wait(self) -> None:
        """Return when everything put is written: it is already."""

    def finish(self) -> int:
        """Settle all kinds and bring the cards level; give the number of numbers."""
        self.finish_all_kinds()
        cards = self._cards.finish()
        return self._phones.write_differences(
            self._phones.build_cards() if cards is None else cards
        )

    def discard_cards(self) -> None:
        """Make no cards of what was put: something else was changed that they depend on."""
        self._cards.discard()

    def close(self) -> None:
        """Let go; there is nothing that works beside."""

    def _level(self, kind: EntityKind, batch: dict[Ref, DirectoryObject]) -> None:
        docs = dict(zip(batch, encode_objects(kind, batch.values()), strict=True))
        held = self._held(kind, batch)
        new = [noun for ref, noun in batch.items() if ref not in held]
        for ref, (doc_id, text) in held.items():
            if docs[ref] != text:
                self._rows.put(kind, batch[ref])
            self._bring(kind, doc_id)
        first = self._add(kind, new, [docs[noun.ref] for noun in new])
        if kind is EntityKind.MANAGER:
            self._cards.add_managers((ref, doc_id) for ref, (doc_id, _) in held.items())
            self._cards.add_managers((noun.ref, at) for at, noun in enumerate(new, first))
        else:
            self._cards.add_owners(batch.values())

    def _held(
        self, kind: EntityKind, batch: dict[Ref, DirectoryObject]
    ) -> dict[Ref, tuple[int, bytes]]:
        rows = self._file.read(
            f"SELECT {REF_EXPRESSION}, id, CAST(doc AS BLOB) FROM {TABLES[kind]} "
            f"WHERE {REF_EXPRESSION} IN (SELECT value FROM json_each(?))",
            (_encode(list(batch)).decode(),),
        )
        return {ref: (doc_id, text) for ref, doc_id, text in rows}

    def _bring(self, kind: EntityKind, doc_id: int) -> None:
        """Note a row as brought; one that comes a second time would have its cards twice."""
        brought = self._brought[kind]
        if doc_id >= len(brought) or brought[doc_id]:
            self._cards.discard()
        else:
            brought[doc_id] = 1

    def _add(self, kind: EntityKind, nouns: list[DirectoryObject], docs: list[bytes]) -> int:
        """Write objects that were not held; give the id of the first."""
        first = self._rows.reserve_ids(kind, len(nouns))
        if nouns:
            insert_documents(self._file, kind, first, docs)
            self._rows.count_facts(nouns)
            names = fold_names(noun.name for noun in nouns)
            self._names.add_many(owner_row_id(kind, first), len(KINDS), names)
            self._file.execute_many(
                "INSERT INTO unread VALUES (?, ?, ?)",
                [
                    (owner_row_id(kind, doc_id), len(fields), fields[0])
                    for doc_id, noun in enumerate(nouns, first)
                    if (fields := unread_phone_fields(noun))
                ],
            )
        return first
