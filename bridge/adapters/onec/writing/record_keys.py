"""Where one object or record stands: its key as an address spells it, and as a filter does."""

from dataclasses import dataclass

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import date_literal, guid_literal, text_literal
from bridge.domain.directory.entities import Ref


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of a key: its *value*, as it stands in an address, and in a `$filter`."""

    name: str
    value: str
    in_path: str
    in_filter: str


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Where one object or record stands."""

    entity_set: str
    parts: tuple[KeyPart, ...]

    @property
    def path(self) -> str:
        """The address below the service root."""
        parts = ",".join(part.in_path for part in self.parts)
        return f"{self.entity_set}({parts})"

    @property
    def condition(self) -> str:
        """The `$filter` by which it is found among the others of its set."""
        return " and ".join(f"{part.name} eq {part.in_filter}" for part in self.parts)


def phone_call_key(document: Ref) -> RecordKey:
    """Say where a phone call document stands; the name of a lone key part may be left out."""
    part = KeyPart(schema.REF_KEY, document, guid_literal(document), guid_literal(document))
    return RecordKey(schema.PHONE_CALLS, (part,))


def subject_key(document: Ref) -> RecordKey:
    """Say where the subject record of a call stands."""
    return RecordKey(schema.SUBJECTS, (_by_call(schema.SUBJECT_CALL, document),))


def reminder_key(user: Ref, wall: str, document: Ref) -> RecordKey:
    """Say where the reminder of *document* for *user* at the wall time of its event stands.

    No spelling of this key is shorter: 251 characters, 650 of them percent-encoded, of the 260
    that Windows allows a piece of a path; which of them it counts is not known.
    """
    key = (
        _by_ref(schema.REMINDER_USER, user),
        _by_time(schema.REMINDER_TIME, wall),
        _by_call(schema.REMINDER_SOURCE, document),
    )
    return RecordKey(schema.REMINDERS, key)


def _by_ref(name: str, ref: Ref) -> KeyPart:
    """Make the part of a key that is a reference of one type."""
    return KeyPart(name, ref, f"{name}={guid_literal(ref)}", guid_literal(ref))


def _by_time(name: str, wall: str) -> KeyPart:
    """Make the part of a key that is a date."""
    return KeyPart(name, wall, f"{name}={date_literal(wall)}", date_literal(wall))


def _by_call(name: str, document: Ref) -> KeyPart:
    """Make the part of a key that is a call in a field of many types.

    In an address these are two parts, both texts; in a filter a bare guid finds nothing at all.
    """
    addressed = (
        f"{name}={text_literal(document)},{name}_Type={text_literal(schema.PHONE_CALL_TYPE)}"
    )
    return KeyPart(
        name, document, addressed, f"cast({guid_literal(document)},'{schema.PHONE_CALLS}')"
    )
