"""What users change in 1C by hand while a bridge runs: managers, marks, names, phones, new objects.

Nothing here goes through the interface; every change bumps `DataVersion` as a write in 1C does
and keeps the intended phones and extensions of the infobase in step.
"""

from __future__ import annotations

from typing import Final

from bridge.lab.onec.company import users
from bridge.lab.onec.company.phone_cases import PHONE_CASES
from bridge.lab.onec.edits.infobase_access import InfobaseAccess
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    USERS,
    ExtensionStorage,
    IntendedPhone,
)
from bridge.lab.onec.infobase.schema import EMPTY_DATE, EMPTY_REF
from bridge.lab.onec.infobase.tables import CONTACTS, ContactLine, Row, make_ref

_KINDS: Final = {
    PARTNERS: "ТелефонПартнера",
    CONTACT_PERSONS: "ТелефонКонтактногоЛица",
    COUNTERPARTIES: "ТелефонКонтрагента",
    USERS: "ТелефонПользователя",
}


class ManualEdits(InfobaseAccess):
    """Changes of single objects, as users make them in 1C."""

    def move_manager(self, partner_ref: str, user_ref: str) -> None:
        """Give a partner another main manager; the zero guid leaves it without one."""
        self.edit(PARTNERS, partner_ref, ОсновнойМенеджер_Key=user_ref)

    def mark(self, set_name: str, ref: str, *, marked: bool = True) -> None:
        """Mark an object for deletion, or take the mark off."""
        self.edit(set_name, ref, DeletionMark=marked)

    def rename(self, set_name: str, ref: str, description: str) -> None:
        """Give an object another name."""
        self.edit(set_name, ref, Description=description)

    def invalidate_user(self, user_ref: str, *, invalid: bool = True) -> None:
        """Mark a user as Недействителен, or take the mark off."""
        self.edit(USERS, user_ref, Недействителен=invalid)

    def end_contact(self, contact_ref: str, day: str = "2026-11-01T00:00:00") -> None:
        """End the relation with a contact person; the empty date revives it."""
        self.edit(CONTACT_PERSONS, contact_ref, ДатаПрекращенияСвязи=day or EMPTY_DATE)

    def delete(self, set_name: str, ref: str) -> None:
        """Delete an object physically; its phones are no longer intended phones."""
        self.infobase.tables[set_name].remove(ref)
        self.infobase.intended_phones = [t for t in self.infobase.intended_phones if t.ref != ref]

    def set_extension(
        self, user_ref: str, extension: str, storage: ExtensionStorage = "string"
    ) -> None:
        """Give a user another extension; an empty one takes it away."""
        table = self.infobase.tables[USERS]
        row = dict(table.rows[user_ref])
        users.write_extension(self.infobase, row, extension, storage)
        table.replace(user_ref, row)
        self.infobase.extensions.pop(user_ref, None)
        if extension:
            self.infobase.extensions[user_ref] = extension

    def change_phone(
        self,
        set_name: str,
        ref: str,
        text: str,
        *,
        e164: str | None = None,
        line: int = 1,
        writer: str = "form",
    ) -> None:
        """Type *text* into the line-th phone of an object, or add it if there is none.

        *e164* is what the writer means; *writer* is `form`, `foreign`, `exchange`, `key_value`,
        `storage`, `no_text` or `damaged`.
        """
        table = self.infobase.tables[set_name]
        row = table.rows[ref]
        kept = list(row.get(CONTACTS, ()))
        positions = [index for index, found in enumerate(kept) if self._is_phone(found)]
        kind = self.infobase.contact_kind(_KINDS[set_name]).ref
        if len(positions) >= line:
            position = positions[line - 1]
            old = kept[position]
            kind = old.kind if isinstance(old, ContactLine) else str(old["Вид_Key"])
            typed = old.text if isinstance(old, ContactLine) else str(old.get("Представление", ""))
            self.infobase.intended_phones = [
                t for t in self.infobase.intended_phones if not (t.ref == ref and t.typed == typed)
            ]
            kept[position] = ContactLine(kind, writer, text)
        else:
            kept.append(ContactLine(kind, writer, text))
        table.replace(ref, {**row, CONTACTS: kept})
        if e164:
            self.infobase.intended_phones.append(IntendedPhone(set_name, ref, e164, text, "plain"))

    def write_phone_line(
        self,
        set_name: str,
        ref: str,
        *,
        shown: str = "",
        digits: str = "",
        json_storage: str = "",
        text_storage: str = "",
    ) -> None:
        """Write one more phone line as a program does over OData: column by column."""
        table = self.infobase.tables[set_name]
        row = table.rows[ref]
        line: Row = {
            "Тип": "Телефон",
            "Вид_Key": self.infobase.contact_kind(_KINDS[set_name]).ref,
            "Представление": shown,
            "НомерТелефона": digits,
            "ЗначенияПолей": text_storage,
            "Значение": json_storage,
        }
        table.replace(ref, {**row, CONTACTS: [*row.get(CONTACTS, ()), line]})

    def add_phone_cases(self, partner_ref: str) -> dict[str, str]:
        """Write a contact person for each odd way to keep a phone; return them by their cases."""
        made = {}
        for case in PHONE_CASES:
            contact = self.add_contact(partner_ref, f"Случай: {case.name}")
            self.write_phone_line(CONTACT_PERSONS, contact, **case.columns)
            for e164 in case.intended:
                phone = IntendedPhone(CONTACT_PERSONS, contact, e164, case.name, "case")
                self.infobase.intended_phones.append(phone)
            made[case.name] = contact
        return made

    def _is_phone(self, line: ContactLine | Row) -> bool:
        if isinstance(line, ContactLine):
            kind = self.infobase.contact_kinds.get(line.kind)
            return kind is not None and kind.type == "Телефон"
        return bool(line.get("Тип") == "Телефон")

    def add_partner(
        self,
        name: str,
        *,
        manager: str = EMPTY_REF,
        parent: str = EMPTY_REF,
        phone: str = "",
        e164: str | None = None,
    ) -> str:
        """Write a new partner and return its reference."""
        row: Row = {
            "Description": name,
            "НаименованиеПолное": name,
            "Code": f"00-{self.infobase.tables[PARTNERS].next_number('Code'):08d}",
            "Клиент": True,
            "ЮрФизЛицо": "Компания",
            "ОсновнойМенеджер_Key": manager,
            "Parent_Key": parent,
        }
        return self._add(PARTNERS, row, phone, e164)

    def add_contact(
        self, partner_ref: str, name: str, *, phone: str = "", e164: str | None = None
    ) -> str:
        """Write a new contact person of a partner and return its reference."""
        row: Row = {"Description": name, "Owner_Key": partner_ref}
        return self._add(CONTACT_PERSONS, row, phone, e164)

    def add_counterparty(
        self, partner_ref: str, name: str, *, phone: str = "", e164: str | None = None
    ) -> str:
        """Write a new legal entity of a partner and return its reference."""
        row: Row = {"Description": name, "Партнер_Key": partner_ref, "ЮрФизЛицо": "ЮрЛицо"}
        return self._add(COUNTERPARTIES, row, phone, e164)

    def add_user(self, name: str, extension: str = "") -> str:
        """Write a new user with a login and return its reference."""
        row: Row = {
            "Description": name,
            "Подготовлен": True,
            "ИдентификаторПользователяИБ": make_ref(self._rng),
        }
        ref = self._add(USERS, row, "", None)
        if extension:
            self.set_extension(ref, extension)
        return ref

    def _add(self, set_name: str, row: Row, phone: str, e164: str | None) -> str:
        ref = str(self.infobase.tables[set_name].put({"Ref_Key": make_ref(self._rng), **row}))
        if phone:
            self.change_phone(set_name, ref, phone, e164=e164)
        return ref
