"""Events of a Sipuni cabinet as they are stored: their fields, or a body that was not readable."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from bridge.adapters.pbx.sipuni.bodies import decompressed, encode_body
from bridge.adapters.pbx.sipuni.fields import vendor_field_name
from bridge.ports.pbx import RawEvent

PROVIDER: Final = "sipuni"

#: Shown for a character that can be neither stored nor shown.
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_MAX_FIELDS: Final = 100  # an event has about twenty
_MAX_NAME: Final = 64
_MAX_VALUE: Final = 2048  # the recording's address is the longest, about 150


def make_raw_event(fields: Iterable[tuple[str, str]], received_at: datetime) -> RawEvent:
    """Return an event with *fields* that can be stored and shown, as many as are sane."""
    fields = tuple(fields)
    if len(fields) > _MAX_FIELDS:
        # The fields that name the call must not be among those left out.
        fields = tuple(sorted(fields, key=lambda pair: not vendor_field_name(pair[0])))
    first = fields[:_MAX_FIELDS]
    cleaned = tuple(
        (clean_text(name, _MAX_NAME), clean_text(value, _MAX_VALUE)) for name, value in first
    )
    return RawEvent(PROVIDER, received_at, cleaned)


def make_unread_event(
    fields: Iterable[tuple[str, str]], body: bytes, content_type: str, received_at: datetime
) -> RawEvent:
    """Return an event with the *body* that could not be read, and the *fields* beside it."""
    return replace(
        make_raw_event(fields, received_at),
        body=encode_body(decompressed(body)),
        content_type=clean_text(content_type, _MAX_VALUE),
    )


def clean_text(text: str, length: int) -> str:
    """Return the first *length* characters of *text*, controls and lone surrogates replaced."""
    text = text[:length]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REPLACEMENT for char in text)
