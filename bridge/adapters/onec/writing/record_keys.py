"""The key of one object or record, as an address writes it, and as a `$filter` does."""

from dataclasses import dataclass

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.query import (
    date_literal,
    guid_literal,
    text_literal,
)
from bridge.domain.directory.entities import Ref


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of a key: its *value*, and its texts in an address and in a `$filter`."""

    name: str
    value: str
    in_path: str
    in_filter: str


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The key of one object or record of *entity_set*."""

    entity_set: str
    parts: tuple[KeyPart, ...]

    @property
    def path(self) -> str:
        """Return the address below the service root."""
        parts = ",".join(part.in_path for part in self.parts)
        return f"{self.entity_set}({parts})"

    @property
    def condition(self) -> str:
        """Return the `$filter` that finds it in its set."""
        return " and ".join(f"{part.name} eq {part.in_filter}" for part in self.parts)


def phone_call_key(document: Ref) -> RecordKey:
    """Return the key of a phone call document; the name of a single key part may be left out."""
    part = KeyPart(schema.REF_KEY, document, guid_literal(document), guid_literal(document))
    return RecordKey(schema.PHONE_CALLS, (part,))


def subject_key(document: Ref) -> RecordKey:
    """Return the key of the subject record of a call."""
    return RecordKey(schema.SUBJECTS, (_by_call(schema.SUBJECT_CALL, document),))


def reminder_key(user: Ref, wall: str, document: Ref) -> RecordKey:
    """Return the key of the reminder of *document* for *user* at the wall time of its event.

    There is no shorter form of this key: it has 251 characters, 650 percent-encoded; Windows allows
    260 in a piece of a path, and whether it counts them encoded is not known.
    """
    key = (
        _by_ref(schema.REMINDER_USER, user),
        _by_time(schema.REMINDER_TIME, wall),
        _by_call(schema.REMINDER_SOURCE, document),
    )
    return RecordKey(schema.REMINDERS, key)


def _by_ref(name: str, ref: Ref) -> KeyPart:
    """Return a part of a key that is a reference of one type."""
    return KeyPart(name, ref, f"{name}={guid_literal(ref)}", guid_literal(ref))


def _by_time(name: str, wall: str) -> KeyPart:
    """Return a part of a key that is a date."""
    return KeyPart(name, wall, f"{name}={date_literal(wall)}", date_literal(wall))


def _by_call(name: str, document: Ref) -> KeyPart:
    """Return a part of a key that is a call in a field of many types.

    In an address these are two parts, both texts; in a filter a bare guid finds nothing.
    """
    in_path = f"{name}={text_literal(document)},{name}_Type={text_literal(schema.PHONE_CALL_TYPE)}"
    return KeyPart(
        name, document, in_path, f"cast({guid_literal(document)},'{schema.PHONE_CALLS}')"
    )
