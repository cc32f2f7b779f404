"""The database of a company as 1C UT 11 keeps it, and what only the simulator knows about it.

Beside the rows the infobase keeps what cannot be read from 1C: which number the writer of every
phone meant (`intended_phones`) and which extension every user has (`extensions`). Tests compare
the bridge with these, never with a second parser.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bridge.lab.onec.infobase.schema import (
    EMPTY_REF,
    EntitySet,
    ReleaseSchema,
)
from bridge.lab.onec.infobase.tables import ContactKind, EntityTable, Row, WriteCounter

PARTNERS = "Catalog_Партнеры"
CONTACT_PERSONS = "Catalog_КонтактныеЛицаПартнеров"
COUNTERPARTIES = "Catalog_Контрагенты"
USERS = "Catalog_Пользователи"
STRING_CONTACTS = "Catalog_СтроковыеКонтактыВзаимодействий"
CONTACT_KINDS = "Catalog_ВидыКонтактнойИнформации"
PROPERTY_SETS = "Catalog_НаборыДополнительныхРеквизитовИСведений"
PROPERTY_VALUES = "Catalog_ЗначенияСвойствОбъектов"
PROPERTIES = "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"
PHONE_CALLS = "Document_ТелефонныйЗвонок"
ORDERS = "Document_ЗаказКлиента"
REMINDERS = "InformationRegister_НапоминанияПользователя"
SUBJECTS = "InformationRegister_ПредметыПапкиВзаимодействий"
CALL_CONTACTS = "InformationRegister_КонтактыВзаимодействий"
CONTACT_STATES = "InformationRegister_СостоянияКонтактовВзаимодействий"
EXTRA_VALUES = "InformationRegister_ДополнительныеСведения"

ExtensionStorage = Literal["mixed", "string", "number", "list", "text", "register"]


class IntendedPhone(NamedTuple):
    """The number that the writer of one phone meant.

    `owner_set` and `ref` name the owner, `manner` the way of typing: `plain`, `extension`, `two`,
    `prefix`, `kazakhstan`, `foreign`, `fullwidth`, `plus_eight`, `needs_area` (belongs to the
    company's home town, code 495). Owners may be marked, ended or predefined.
    """

    owner_set: str
    ref: str
    e164: str
    typed: str
    manner: str


class Infobase:
    """The tables of one infobase, the intended phones and the extensions."""

    def __init__(self, schema: ReleaseSchema, seed: int) -> None:
        self.schema = schema
        self.seed = seed
        self.write_counter = WriteCounter()
        self.contact_kinds: dict[str, ContactKind] = {}
        self.tables: dict[str, EntityTable] = {
            name: EntityTable(entity_set, self.write_counter, self.contact_kinds)
            for name, entity_set in schema.sets.items()
        }
        #: Schema of every address, tabular sections included.
        self.entity_sets: dict[str, EntitySet] = schema.all_sets()
        self.intended_phones: list[IntendedPhone] = []
        self.extensions: dict[str, str] = {}
        self.extension_property = EMPTY_REF

    def table(self, name: str) -> EntityTable:
        """Return the table of the entity set *name*."""
        return self.tables[name]

    def row(self, set_name: str, ref: str) -> Row:
        """Return one complete row by reference."""
        return self.tables[set_name].complete_row(ref)

    def rows(self, set_name: str) -> list[Row]:
        """Return all complete rows of a set, in the order they were written."""
        table = self.tables[set_name]
        return [table.complete(row) for row in table.rows.values()]

    def find(self, set_name: str, **values: object) -> list[str]:
        """Return references of the rows whose attributes equal *values*."""
        table = self.tables[set_name]
        return [
            str(row["Ref_Key"])
            for row in table.rows.values()
            if all(table.value(row, name) == value for name, value in values.items())
        ]

    def contact_kind(self, predefined_name: str) -> ContactKind:
        """Return the kind of contact information with this predefined name."""
        return next(kind for kind in self.contact_kinds.values() if kind.name == predefined_name)

    def may_take_calls(self, user_ref: str) -> bool:
        """Return whether this user may get calls: valid, not technical, not marked."""
        user = self.tables[USERS].rows.get(user_ref)
        return user is not None and not (
            user.get("Недействителен") or user.get("Служебный") or user.get("DeletionMark")
        )

    def responsible_extension(self, partner_ref: str) -> str | None:
        """Return the extension responsible for a partner, by the simulator's own reading.

        It is that of the main manager; if the manager may not take calls or has no extension, the
        parent partner's.
        """
        partners = self.tables[PARTNERS].rows
        seen: set[str] = set()
        while partner_ref in partners and partner_ref not in seen:
            seen.add(partner_ref)
            row = partners[partner_ref]
            manager = row.get("ОсновнойМенеджер_Key", EMPTY_REF)
            if self.may_take_calls(manager) and manager in self.extensions:
                return self.extensions[manager]
            partner_ref = row.get("Parent_Key", EMPTY_REF)
        return None

    def presentation(self, set_name: str, ref: str) -> str:
        """Return the text 1C shows for a reference; an object not found shows its guid."""
        table = self.tables.get(set_name)
        row = table.rows.get(ref) if table is not None else None
        if table is None or row is None:
            return "" if ref == EMPTY_REF else f"<Объект не найден> ({ref})"
        if table.schema.kind != "Document":
            return str(table.value(row, "Description"))
        day = _russian_date(str(table.value(row, "Date")))
        title = _DOCUMENT_TITLES.get(set_name, set_name.partition("_")[2])
        return f"{title} {table.value(row, 'Number')} от {day}"


_DOCUMENT_TITLES = {PHONE_CALLS: "Телефонный звонок", ORDERS: "Заказ клиента"}


def _russian_date(iso: str) -> str:
    day, _, time = iso.partition("T")
    year, month, number = day.split("-")
    return f"{number}.{month}.{year} {time.removeprefix('0')}"
