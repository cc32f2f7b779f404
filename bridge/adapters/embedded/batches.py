"""Many rows in one statement: their values go over as one piece of bytes and a list of places.

A row that Python gives by itself costs three times what SQLite needs to write it, and Python's lock
is taken and given back for each. A batch is taken apart by SQLite alone.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

_encode = msgspec.json.Encoder().encode

#: A place is offset and length in one number; SQLite's values end at a gigabyte, 30 bits.
_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1

#: SQL: where a value begins in the bytes `?1`, and its length, as `json_each(?2)` gives places.
AT: Final = f"(value >> {_BITS})"
LENGTH: Final = f"(value & {_MASK})"

#: SQL: the value itself.
VALUE: Final = f"substr(?1, {AT}, {LENGTH})"


def pieces(values: Sequence[bytes]) -> tuple[bytes, str]:
    """Join *values*; give the bytes, and the places as a JSON array."""
    lengths = [len(value) for value in values]
    offsets = accumulate(lengths, initial=1)
    places = [at << _BITS | length for at, length in zip(offsets, lengths, strict=False)]
    return b"".join(values), _encode(places).decode()
