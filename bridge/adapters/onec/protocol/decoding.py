"""Bodies of 1C's answers decoded: JSON with what 1C puts into it, counts and references."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from bridge.domain.directory.entities import EMPTY_REF, Ref
from bridge.domain.whole_numbers import MAX_WHOLE_NUMBER, read_whole_number
from bridge.errors import OneCInvalidResponse

T = TypeVar("T")

_BOM: Final = b"\xef\xbb\xbf"


def without_bom(body: bytes) -> bytes:
    """Return *body* without the byte order mark that 1C puts before some of its answers."""
    return body.removeprefix(_BOM)


def is_json(body: bytes) -> bool:
    """Return whether *body* begins as a JSON answer does, whole or cut off."""
    return without_bom(body).lstrip().startswith((b"{", b"["))


def lenient_json_decoder(decoder: msgspec.json.Decoder[T]) -> Callable[[bytes], T]:
    """Return a function that decodes as *decoder* does, and what 1C may send and JSON forbids.

    Control characters inside texts, broken UTF-8 and lone surrogates are all seen in 1C's data.
    The function raises ValueError.
    """

    def decode(body: bytes) -> T:
        raw = without_bom(body)
        try:
            try:
                return decoder.decode(raw)
            except ValueError:
                loose: Any = json.loads(raw.decode("utf-8", "replace"), strict=False)
                text = json.dumps(loose, ensure_ascii=False)
                return decoder.decode(text.encode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error

    return decode


def decode_count(body: bytes) -> int:
    """Return the bare number that `$count` answers, behind its byte order mark.

    Raises:
        ValueError: it is no number.
    """
    number = read_whole_number(without_bom(body).decode("ascii", "replace").strip())
    if number is None:
        raise ValueError("not a count")
    return number


def require_count(entity_set: str, count: str | int) -> int:
    """Return the count that stands beside rows of *entity_set*.

    Raises:
        OneCInvalidResponse: it is no count.
    """
    number = read_whole_number(count.strip()) if isinstance(count, str) else count
    if number is None or not 0 <= number <= MAX_WHOLE_NUMBER:
        raise OneCInvalidResponse(entity_set, "a count that cannot be read")
    return number


def ref_or_none(text: str | None) -> Ref | None:
    """Return a reference in lower case; None for null, nothing and the zero guid."""
    if not text or text == EMPTY_REF:
        return None
    return Ref(text.lower())
