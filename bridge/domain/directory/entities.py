"""Objects of the directory: partners, contact persons, counterparties, managers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, NewType

from bridge.domain.phone.phone import ParsedPhone

if TYPE_CHECKING:
    #: `Ref_Key` of a 1C object: a lower-case guid. 1C's forms show upper case; compare lower.
    Ref = NewType("Ref", str)

    #: `DataVersion`: opaque, compared for equality only.
    #: Source: docs/facts/onec-odata.md, 'DataVersion'.
    Version = NewType("Version", str)
else:
    # The call of a NewType is Python's: it took a tenth of the time in which a row is read.
    Ref = Version = str

#: The zero guid, 1C's empty reference.
EMPTY_REF = Ref("00000000-0000-0000-0000-000000000000")


class EntityKind(StrEnum):
    """What the pull keeps in the directory, one listing each."""

    MANAGER = "manager"
    PARTNER = "partner"
    CONTACT = "contact"
    COUNTERPARTY = "counterparty"

    @property
    def plural(self) -> str:
        """Return the name of several of them, as people read it."""
        return _PLURALS[self]


_PLURALS = {
    EntityKind.MANAGER: "managers",
    EntityKind.PARTNER: "partners",
    EntityKind.CONTACT: "contact persons",
    EntityKind.COUNTERPARTY: "counterparties",
}


class PhoneField(NamedTuple):
    """One phone row of a tabular section: the text people see, and the numbers read from it."""

    text: str
    phones: tuple[ParsedPhone, ...]


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """The raw value of the extension attribute: *text*, or a reference to a list value."""

    text: str = ""
    value_ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Manager:
    """A 1C user: who answers calls. *extension* is None when 1C holds none."""

    ref: Ref
    version: Version
    name: str
    extension: str | None = None
    #: Недействителен: the user has left; Служебный: a technical account; neither gets calls.
    invalid: bool = False
    service: bool = False
    deletion_mark: bool = False
    #: As read from ДополнительныеРеквизиты, before list values and the register are consulted.
    attribute: AttributeValue | None = None

    @property
    def is_reachable(self) -> bool:
        """Return whether a call may be sent to this manager."""
        return bool(self.extension) and not (self.invalid or self.service or self.deletion_mark)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner (Партнеры); *parent* is its holding, *manager* the main manager."""

    ref: Ref
    version: Version
    name: str
    code: str = ""
    parent: Ref | None = None
    manager: Ref | None = None
    customer: bool = False
    deletion_mark: bool = False
    #: НашеПредприятие, РозничныйПокупатель, НеизвестныйПартнер: never a caller.
    predefined: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """A contact person of a partner; *ended* when the relation is over (still matched)."""

    ref: Ref
    version: Version
    name: str
    partner: Ref | None = None
    position: str = ""
    ended: date | None = None
    deletion_mark: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A legal entity (Контрагенты) of a partner; a call points at the partner, never at it."""

    ref: Ref
    version: Version
    name: str
    partner: Ref | None = None
    tax_id: str = ""
    deletion_mark: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionSources:
    """Where extensions are kept besides the users themselves.

    *attribute_ref* is the attribute (None: 1C has none of that title); *register_values* are by
    user, where it is kept as additional information; *list_values* are the texts of list values.
    Source: docs/facts/ut11.md, 'Extensions of managers'.
    """

    attribute_ref: Ref | None = None
    register_values: Mapping[Ref, AttributeValue] | None = None
    list_values: Mapping[Ref, str] | None = None


PhoneOwner = Partner | ContactPerson | Counterparty


class ExtensionOwner(NamedTuple):
    """Who answers an extension; *shared* when 1C names several users and none may be guessed."""

    manager: Manager | None
    shared: tuple[Manager, ...] = ()


def may_be_caller(owner: PhoneOwner) -> bool:
    """Return whether the numbers of *owner* lead to it at all."""
    return not owner.deletion_mark and not (isinstance(owner, Partner) and owner.predefined)


def with_extension(manager: Manager, sources: ExtensionSources) -> Manager:
    """Return *manager* with the extension that 1C holds now."""
    value = (
        manager.attribute
        if sources.register_values is None
        else sources.register_values.get(manager.ref)
    )
    text = ""
    if value is not None:
        text = (
            value.text
            if value.value_ref is None
            else (sources.list_values or {}).get(value.value_ref, "")
        )
    return replace(manager, extension=text.strip() or None)


def find_extension_owner(extension: str, managers: Mapping[Ref, Manager]) -> ExtensionOwner:
    """Return the 1C user behind *extension*; of two users with one extension none is guessed."""
    found = tuple(m for m in managers.values() if m.is_reachable and m.extension == extension)
    if len(found) == 1:
        return ExtensionOwner(found[0])
    return ExtensionOwner(None, found)
