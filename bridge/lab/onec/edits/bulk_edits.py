"""What users change in a whole column of 1C at once, by mistake or by a new rule of the company."""

from __future__ import annotations

from typing import Final

from bridge.lab.onec.company import users
from bridge.lab.onec.edits.infobase_access import InfobaseAccess
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    PROPERTIES,
    USERS,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from bridge.lab.onec.infobase.tables import CONTACTS, ContactLine

_OWNERS: Final = {
    PARTNERS: "ОсновнойМенеджер_Key",
    CONTACT_PERSONS: "Owner_Key",
    COUNTERPARTIES: "Партнер_Key",
}


class BulkEdits(InfobaseAccess):
    """Changes that make the values of many rows useless and leave every row in place."""

    def rename_attribute(self, title: str) -> None:
        """Give the attribute of extensions another title; no user is touched."""
        self.edit(
            PROPERTIES,
            self.infobase.extension_property,
            Description=title,
            Заголовок=title,
            Имя=title.title().replace(" ", ""),
        )

    def empty_attribute(self, count: int = -1) -> int:
        """Empty the attribute of extensions of all users, or of *count*; return how many."""
        return self._write_extensions(count, "")

    def retype_attribute(self, type_name: str = "DateTime") -> int:
        """Change the type of the attribute as 1C does: values that do not fit are emptied.

        *type_name* is `DateTime`, `Boolean` or the name of a catalogue; a date is left where a
        value was.
        """
        ref = self.infobase.extension_property
        self.edit(PROPERTIES, ref, ValueType=users.value_type(type_name))
        value = "2026-11-25T00:00:00" if type_name == "DateTime" else ""
        return self._write_extensions(-1, value)

    def empty_owners(self, set_name: str, count: int = -1) -> int:
        """Empty the main managers of partners, or the partners of contacts and counterparties.

        Of all rows, or of *count*; return how many.
        """
        table, column = self.infobase.tables[set_name], _OWNERS[set_name]
        refs = [ref for ref, row in table.rows.items() if row.get(column, EMPTY_REF) != EMPTY_REF]
        refs = refs if count < 0 else refs[:count]
        for ref in refs:
            self.edit(set_name, str(ref), **{column: EMPTY_REF})
        return len(refs)

    def garble_phones(self, set_name: str, text: str = "см. карточку") -> int:
        """Write *text* into every telephone of a set; return how many owners."""
        table = self.infobase.tables[set_name]
        changed = 0
        for ref, row in list(table.rows.items()):
            if lines := row.get(CONTACTS, ()):
                kept = [ContactLine(str(_kind_of(line)), "form", text) for line in lines]
                table.replace(ref, {**row, CONTACTS: kept})
                self.infobase.intended_phones = [
                    phone for phone in self.infobase.intended_phones if phone.ref != ref
                ]
                changed += 1
        return changed

    def _write_extensions(self, count: int, value: str) -> int:
        table = self.infobase.tables[USERS]
        refs = [str(ref) for ref in table.rows if str(ref) in self.infobase.extensions]
        refs = refs if count < 0 else refs[:count]
        for ref in refs:
            row = dict(table.rows[ref])
            users.write_extension(self.infobase, row, value, "string")
            table.replace(ref, row)
            del self.infobase.extensions[ref]
        return len(refs)


def _kind_of(line: object) -> object:
    return line.kind if isinstance(line, ContactLine) else line["Вид_Key"]  # type: ignore[index]
