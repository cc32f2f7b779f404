"""What the configuration's own code does when an object or record is written.

Calls: the register of contacts is rewritten and counters recalculated; the register of subjects,
which only the form writes, is not touched. Reminders: the presentation of the source is replaced.
Property sets: counters. In data-load mode all of it is skipped (docs/facts/ut11.md, 'Writing a
phone call').
"""

from __future__ import annotations

import re

from bridge.lab.onec.infobase.infobase import (
    CALL_CONTACTS,
    CONTACT_STATES,
    PHONE_CALLS,
    PROPERTIES,
    PROPERTY_SETS,
    REMINDERS,
    STRING_CONTACTS,
    SUBJECTS,
)
from bridge.lab.onec.infobase.schema import EMPTY_DATE, EMPTY_REF, UNDEFINED
from bridge.lab.onec.infobase.tables import Row, make_ref
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.writing.request import WriteRequest

_CALL_TYPE = f"StandardODATA.{PHONE_CALLS}"
_EXTRAS = ("ДополнительныеРеквизиты", "ДополнительныеСведения")


def before_write(write: WriteRequest, row: Row) -> None:
    """Run ПередЗаписью of an object; may change *row* or refuse it.

    Raises:
        ODataRefusal: a rule of the configuration refuses it (500/-1).
    """
    if write.is_data_load:
        return
    if write.entity_set.name == PROPERTIES:
        _check_property(write, row)
    elif write.entity_set.name == PROPERTY_SETS:
        _recount(row)


def on_write(write: WriteRequest, row: Row) -> None:
    """Run ПриЗаписи of an object."""
    if write.entity_set.name == PHONE_CALLS and not write.is_data_load:
        _note_contact(write, row)


def on_delete(write: WriteRequest, row: Row) -> None:
    """Drop what belongs to a deleted call; references from elsewhere dangle."""
    if write.entity_set.name == PHONE_CALLS:
        _forget_contacts(write, str(row["Ref_Key"]))


def before_record_write(write: WriteRequest, row: Row) -> None:
    """Run ПередЗаписью of a register's record set.

    Raises:
        ODataRefusal: a reminder without a user, or its source is refused.
    """
    if write.entity_set.name != REMINDERS:
        return
    if row.get("Пользователь_Key", EMPTY_REF) == EMPTY_REF:
        raise errors.by_handler('Поле "Пользователь" не заполнено')
    if write.publication.switches.reminders_need_owner and row.get("Источник") == EMPTY_REF:
        raise errors.by_handler('Поле "Источник" не заполнено')
    if write.is_data_load:
        return
    infobase = write.publication.infobase
    kind = str(row.get("Источник_Type", UNDEFINED))
    if kind != UNDEFINED:
        shown = infobase.presentation(write.publication.owner_of_type(kind), str(row["Источник"]))
        row["ПредставлениеИсточника"] = shown[:100]
    else:
        row["ПредставлениеИсточника"] = ""
    by_subject = row.get("СпособУстановкиВремениНапоминания") == "ОтносительноВремениПредмета"
    if infobase.schema.clears_source_attribute and not by_subject:
        row["ИмяРеквизитаИсточника"] = ""


# ------------------------------------------------------------------ calls


def _note_contact(write: WriteRequest, row: Row) -> None:
    infobase = write.publication.infobase
    call = str(row["Ref_Key"])
    contact, kind = row.get("АбонентКонтакт", ""), row.get("АбонентКонтакт_Type", UNDEFINED)
    shown = str(row.get("АбонентПредставление", ""))[:100]
    if not contact and shown:
        contact, kind = _string_contact(write, shown), f"StandardODATA.{STRING_CONTACTS}"
    _forget_contacts(write, call)
    if not contact:
        return
    infobase.tables[CALL_CONTACTS].put(
        {
            "Взаимодействие": call,
            "Взаимодействие_Type": _CALL_TYPE,
            "Контакт": contact,
            "Контакт_Type": kind,
        }
    )
    _recalculate(write, contact, kind)


def _forget_contacts(write: WriteRequest, call: str) -> None:
    table = write.publication.infobase.tables[CALL_CONTACTS]
    for key in table.where("Взаимодействие", call):
        table.remove(key)


def _string_contact(write: WriteRequest, shown: str) -> str:
    infobase = write.publication.infobase
    table = infobase.tables[STRING_CONTACTS]
    found = table.where("Description", shown)
    if found:
        return str(found[0])
    return str(table.put({"Ref_Key": make_ref(write.rng), "Description": shown}))


def _recalculate(write: WriteRequest, contact: str, kind: str) -> None:
    """Count the contact's interactions that are not reviewed, as they stand at this moment."""
    infobase = write.publication.infobase
    calls, subjects = infobase.tables[PHONE_CALLS], infobase.tables[SUBJECTS]
    pending, last = 0, EMPTY_DATE
    contacts = infobase.tables[CALL_CONTACTS]
    for key in contacts.where("Контакт", contact):
        row = contacts.rows[key]
        subject = subjects.rows.get((row["Взаимодействие"], row["Взаимодействие_Type"]), {})
        pending += not subject.get("Рассмотрено", False)
        call = calls.rows.get(row["Взаимодействие"])
        if call is not None:
            last = max(last, str(calls.value(call, "Date")))
    infobase.tables[CONTACT_STATES].put(
        {
            "Контакт": contact,
            "Контакт_Type": kind,
            "КоличествоНеРассмотрено": pending,
            "ДатаПоследнегоВзаимодействия": last,
        }
    )


# ------------------------------------------------------------------ additional attributes


def _check_property(write: WriteRequest, row: Row) -> None:
    table, ref = write.table, row["Ref_Key"]
    for other in table.rows.values():
        if other["Ref_Key"] != ref and row.get("Имя") and other.get("Имя") == row["Имя"]:
            raise errors.by_handler("Дополнительный реквизит с таким именем уже существует.")
    if "ИдентификаторДляФормул" not in write.entity_set.properties:
        return
    if not row.get("ИдентификаторДляФормул"):
        title = str(row.get("Заголовок", "")).title()
        row["ИдентификаторДляФормул"] = re.sub(r"\W", "", title)[:150]
    taken = {
        other.get("ИдентификаторДляФормул")
        for other in table.rows.values()
        if other["Ref_Key"] != ref
    }
    name, number = row["ИдентификаторДляФормул"], 1
    while row["ИдентификаторДляФормул"] in taken:
        row["ИдентификаторДляФормул"] = f"{name}{number}"
        number += 1


def _recount(row: Row) -> None:
    own_name = row.get("ИмяПредопределенногоНабора")
    for section, column in zip(
        _EXTRAS, ("КоличествоРеквизитов", "КоличествоСведений"), strict=True
    ):
        lines = [dict(line) for line in row.get(section, ())]
        for line in lines:
            if own_name is not None:
                line["ИмяПредопределенногоНабора"] = own_name
        row[section] = lines
        row[column] = str(sum(not line.get("ПометкаУдаления", False) for line in lines))
