"""Names of the directory by substring: SQLite's trigram index, kept small.

The index holds no text and no positions, only which rows have which three letters. So it returns
candidates, and the reader of the documents verifies them.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bridge.adapters.sqlite.file.sqlite_file import SqliteFile

_encode = msgspec.json.Encoder().encode

_LETTERS = 3

# With two blanks behind a name its last letters begin a trigram as well.
_TAIL = "  "

#: Enough to be sure of nearly every row; more would only cost time.
_MOST_TRIGRAMS = 12


def fold_name(text: str) -> str:
    """Return *text* without differences of case, of ё and е, and of blanks."""
    return " ".join(text.replace("\0", " ").casefold().replace("ё", "е").split())


def fold_names(names: Iterable[str]) -> list[str]:
    """Return names as they stand in the index."""
    return [fold_name(name) + _TAIL for name in names]


class NameIndex:
    """Which rows (`owner_row_id`) may have a name with given letters."""

    def __init__(self, file: SqliteFile):
        self._file = file

    def create(self) -> None:
        """Create the index in a file that has none."""
        self._file.execute(
            "CREATE VIRTUAL TABLE names USING fts5"
            "(name, content='', columnsize=0, detail=none, tokenize='trigram')"
        )
        self._file.execute("CREATE VIRTUAL TABLE name_trigrams USING fts5vocab('names', 'row')")
        # Sixteen times the default: a full load is a quarter faster and a quarter smaller.
        self._file.execute("INSERT INTO names (names, rank) VALUES ('hashsize', 16777216)")

    def add(self, rows: Iterable[tuple[int, str]]) -> None:
        """Index names that are not indexed yet."""
        self._file.execute_many(
            "INSERT INTO names (rowid, name) VALUES (?, ?)",
            ((row, fold_name(name) + _TAIL) for row, name in rows),
        )

    def add_many(self, first: int, step: int, names: Sequence[str]) -> None:
        """Index *names*, folded by `fold_names`, of the rows *first*, *first* + *step*, ….

        As `add`, but without the interpreter's lock.
        """
        self._file.execute(
            "INSERT INTO names (rowid, name) SELECT ?2 + key * ?3, value FROM json_each(?1)",
            (_encode(names).decode(), first, step),
        )

    def remove(self, rows: Iterable[tuple[int, str]]) -> None:
        """Remove names from the index; each must be given exactly as it was added."""
        self._file.execute_many(
            "INSERT INTO names (names, rowid, name) VALUES ('delete', ?, ?)",
            ((row, fold_name(name) + _TAIL) for row, name in rows),
        )

    def find_rows(self, name_words: Sequence[str]) -> Iterator[int]:
        """Yield rows that may hold all of *name_words* (folded), each once."""
        long = [word for word in name_words if len(word) >= _LETTERS]
        if long:
            trigrams = {w[at : at + _LETTERS] for w in long for at in range(len(w) - _LETTERS + 1)}
            yield from self._rows(sorted(trigrams)[:_MOST_TRIGRAMS])
        elif name_words:
            yield from self._rows_with_short(max(name_words, key=len))

    def _rows_with_short(self, word: str) -> Iterator[int]:
        seen: set[int] = set()
        for (trigram,) in self._file.stream(
            "SELECT term FROM name_trigrams WHERE term >= ? AND term < ?",
            (word, word + "\U0010ffff"),
        ):
            for row in self._rows([trigram]):
                if row not in seen:
                    seen.add(row)
                    yield row

    def _rows(self, trigrams: Sequence[str]) -> Iterator[int]:
        query = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
        for (row,) in self._file.stream("SELECT rowid FROM names WHERE names MATCH ?", (query,)):
            yield row
