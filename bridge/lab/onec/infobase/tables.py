"""The rows of one entity set, kept sparse: only what differs from 1C's empty values.

A row completes itself when it is read. Composed contact information is kept as short lines
(kind, writer, text) and grows into the fifteen columns of 1C on reading, so that a company of
200 000 partners fits into memory. Version numbers are counters; their shape on the wire is the
publication's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from bridge.lab.onec.infobase import phone_columns
from bridge.lab.onec.infobase.schema import EntitySet

Row = dict[str, Any]
Key = str | tuple[object, ...]

CONTACTS = "КонтактнаяИнформация"
_PHONES = frozenset({"Телефон", "Факс"})


class ContactLine(NamedTuple):
    """One composed row of contact information: its kind, who wrote it, the text."""

    kind: str
    writer: str
    text: str


class ContactKind(NamedTuple):
    """A kind of contact information: reference, predefined name, `Тип`."""

    ref: str
    name: str
    type: str


def make_ref(rng: Random) -> str:
    """Draw a reference in the lower-case form the interface sends."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class WriteCounter:
    """Counts the writes of the whole database; the lower half of every row's version."""

    def __init__(self) -> None:
        self.count = 0

    def count_write(self) -> int:
        """Return the number of the next write."""
        self.count += 1
        return self.count


class EntityTable:
    """All rows of one set, by `Ref_Key` or by the tuple of a register's key."""

    def __init__(
        self, schema: EntitySet, clock: WriteCounter, kinds: dict[str, ContactKind]
    ) -> None:
        self.schema = schema
        self.rows: dict[Key, Row] = {}
        self.write_counter = clock
        #: Number of the last write to this table.
        self.revision = 0
        self._kinds = kinds
        self._versions: dict[Key, int] = {}
        self._indexes: dict[str, dict[object, dict[Key, None]]] = {}
        self._serials: dict[tuple[str, str], int] = {}
        self._template = schema.template()
        self._folder = schema.template(folder=True)
        self._lines = {name: s.template() for name, s in schema.sections.items()}
        contacts = schema.sections.get(CONTACTS)
        self._has_json = contacts is not None and "Значение" in contacts.properties

    def __len__(self) -> int:
        return len(self.rows)

    def key_of(self, row: Row) -> Key:
        """Return the key *row* is kept under."""
        if not self.schema.is_register:
            return str(row["Ref_Key"])
        return tuple(self.value(row, name) for name in self.schema.key)

    def put(self, row: Row, *, version: int = 0) -> Key:
        """Store *row*, replacing one of the same key; *version* is the count of its writes."""
        key = self.key_of(row)
        self._unindex(key)
        self.rows[key] = row
        self._index(key)
        self._versions[key] = version << 32 | self._tick()
        return key

    def replace(self, key: Key, row: Row) -> None:
        """Replace an existing row and count one more write of it."""
        self._unindex(key)
        self.rows[key] = row
        self._index(key)
        self.touch(key)

    def touch(self, key: Key) -> None:
        """Count one more write of a row, as 1C does also when nothing changed."""
        self._versions[key] = ((self._versions[key] >> 32) + 1) << 32 | self._tick()

    def remove(self, key: Key) -> Row:
        """Delete a row physically and return it."""
        self._tick()
        self._unindex(key)
        del self._versions[key]
        return self.rows.pop(key)

    def where(self, column: str, value: object) -> list[Key]:
        """Return the keys of the rows whose *column* is *value*, by an index kept from now on."""
        if column not in self._indexes:
            self._indexes[column] = {}
            for key, row in self.rows.items():
                self._indexes[column].setdefault(self.value(row, column), {})[key] = None
        return list(self._indexes[column].get(value, ()))

    def next_number(self, column: str, year: str = "") -> int:
        """Issue the next number of *column*; numbers of documents start anew every year."""
        if (column, year) not in self._serials:
            tails = (
                str(row.get(column, ""))[-8:]
                for row in self.rows.values()
                if str(row.get("Date", "")).startswith(year)
            )
            numbers = [int(tail) for tail in tails if tail.isascii() and tail.isdigit()]
            self._serials[column, year] = max(numbers, default=0)
        self._serials[column, year] += 1
        return self._serials[column, year]

    def _tick(self) -> int:
        self.revision = self.write_counter.count_write()
        return self.revision

    def _index(self, key: Key) -> None:
        for column, index in self._indexes.items():
            index.setdefault(self.value(self.rows[key], column), {})[key] = None

    def _unindex(self, key: Key) -> None:
        row = self.rows.get(key)
        if row is not None:
            for column, index in self._indexes.items():
                index.get(self.value(row, column), {}).pop(key, None)

    def version(self, key: Key) -> tuple[int, int]:
        """Return how often the row was written, and the number of its last write."""
        packed = self._versions[key]
        return packed >> 32, packed & 0xFFFFFFFF

    def value(self, row: Row, name: str) -> Any:
        """Return one attribute of a sparse row; null where a folder has none."""
        if name in row:
            return row[name]
        return (self._folder if row.get("IsFolder") else self._template)[name]

    def complete_row(self, key: Key) -> Row:
        """Return the complete row in the order of `$metadata`, sections expanded.

        `DataVersion` is left empty and wide numbers are numbers: the wire's shapes come later.
        """
        return self.complete(self.rows[key])

    def complete(self, row: Row) -> Row:
        """Return a sparse *row* with all columns; see `complete_row`."""
        found = {**(self._folder if row.get("IsFolder") else self._template), **row}
        for name in self.schema.sections:
            found[name] = self.section(row, name)
        return found

    def section(self, row: Row, name: str) -> list[Row]:
        """Return the completed lines of one tabular section of a sparse row."""
        kept = row.get(name)
        if not kept:
            return []
        template, ref = self._lines[name], row["Ref_Key"]
        numbered = enumerate(kept, 1)
        if name != CONTACTS:
            return [{**template, **line, "Ref_Key": ref, "LineNumber": n} for n, line in numbered]
        listed: set[str] = set()
        found = []
        for number, line in numbered:
            columns = line if isinstance(line, dict) else self._contact(line, listed)
            found.append({**template, **columns, "Ref_Key": ref, "LineNumber": number})
        return found

    def section_rows(self, name: str) -> Iterator[tuple[Key, Row]]:
        """Yield all lines of one section in all objects, keyed by owner and line number."""
        for key, row in self.rows.items():
            for line in self.section(row, name):
                yield (key, line["LineNumber"]), line

    def _contact(self, line: ContactLine, listed: set[str]) -> Row:
        kind = self._kinds.get(line.kind)
        columns: Row = {"Вид_Key": line.kind, "Тип": kind.type if kind else ""}
        if line.kind not in listed:
            listed.add(line.kind)
            columns["ВидДляСписка_Key"] = line.kind
        if columns["Тип"] in _PHONES:
            return columns | phone_columns.columns_of(
                line.text, line.writer, has_json=self._has_json
            )
        columns["Представление"] = line.text
        if columns["Тип"] == "АдресЭлектроннойПочты":
            columns["АдресЭП"] = line.text[:100]
            columns["ДоменноеИмяСервера"] = line.text.partition("@")[2][:100]
        elif columns["Тип"] == "Адрес":
            country, _, rest = line.text.partition(", ")
            columns |= {"Страна": country, "Город": rest.partition(", ")[0]}
        return columns
