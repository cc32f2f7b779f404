"""Composes the users of an infobase, and the attribute that holds their extensions.

«Внутренний номер» is an additional attribute of users; its value may be a string, a number, an
element of a list, a long text, or a record of a register (docs/facts/ut11.md, 'Extensions of
managers').
"""
# ruff: noqa: PLR2004 - the bare numbers are shares of a population

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from bridge.lab.onec.company import names
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import (
    EXTRA_VALUES,
    PROPERTIES,
    PROPERTY_SETS,
    PROPERTY_VALUES,
    USERS,
    Infobase,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from bridge.lab.onec.infobase.tables import CONTACTS, ContactLine, Row, make_ref

ATTRIBUTE: Final = "Внутренний номер"
EXTRA_ATTRIBUTES: Final = "ДополнительныеРеквизиты"
_USERS_SET: Final = "Справочник_Пользователи"
_CALLS_SET: Final = "Документ_ТелефонныйЗвонок"
_PARTNERS_SET: Final = "Справочник_Партнеры"


@dataclass(frozen=True, slots=True)
class ComposedManagers:
    """Users sorted by whether a call may reach them."""

    reachable: tuple[str, ...]
    unreachable: tuple[str, ...]

    def draw(self, rng: Random) -> str:
        """Draw the main manager of a partner: mostly one who can take calls."""
        chance = rng.random()
        if chance < 0.88:
            return self.draw_reachable(rng)
        return EMPTY_REF if chance < 0.92 else self.draw_unreachable(rng)

    def draw_reachable(self, rng: Random) -> str:
        """Draw a valid user with an extension."""
        return self.reachable[int(rng.random() * len(self.reachable))]

    def draw_unreachable(self, rng: Random) -> str:
        """Draw a user no call may go to: invalid, technical, marked or without extension."""
        return self.unreachable[int(rng.random() * len(self.unreachable))]


def value_type(*types: str, length: int = 0) -> Row:
    """Return the complex value `ValueType` as 1C sends it."""
    return {
        "Types": list(types),
        "NumberQualifiers": {"AllowedSign": "Any", "Digits": "10", "FractionDigits": "0"},
        "StringQualifiers": {"Length": str(length), "AllowedLength": "Variable"},
        "DateQualifiers": {"DateFractions": "DateTime"},
        "BinaryDataQualifiers": {"Length": "0", "AllowedLength": "Variable"},
    }


def compose_users(infobase: Infobase, rng: Random, quirks: DataQuirks) -> ComposedManagers:
    """Write users, the property sets and the extensions; return who may be a manager."""
    marked, foreign = _properties(infobase, rng, quirks)
    table = infobase.tables[USERS]
    reachable: list[str] = []
    unreachable: list[str] = []
    count = 30 + int(rng.random() * 30)
    kind = infobase.contact_kind("ТелефонПользователя").ref
    for index in range(count):
        ref = make_ref(rng)
        name, _ = names.person(rng, patronymic=True)
        row: Row = {
            "Ref_Key": ref,
            "Description": name,
            "Подготовлен": True,
            "ИдентификаторПользователяИБ": make_ref(rng),
        }
        extension = str(101 + index)
        blocked_by = _BLOCKED_BY[index] if index < len(_BLOCKED_BY) else ""
        if blocked_by and blocked_by != "no extension":
            row[blocked_by] = True
        if blocked_by == "Служебный":
            row["Description"] = f"Служебный пользователь {index}"
        if index % 9 == 8:
            del row["ИдентификаторПользователяИБ"]
        (unreachable if blocked_by else reachable).append(ref)
        if blocked_by != "no extension":
            if quirks.attribute:
                # The twin takes the extension of the previous user.
                if quirks.twin_extensions and index == len(_BLOCKED_BY) + 1:
                    extension = str(100 + index)
                infobase.extensions[ref] = extension
                write_extension(infobase, row, extension, _storage(quirks, index))
            row[CONTACTS] = (ContactLine(kind, "form", f"+7 (495) 000-00-00, доб. {extension}"),)
        # Two decoys: a marked attribute of the same title, and one of another set.
        row[EXTRA_ATTRIBUTES] = [
            *row.get(EXTRA_ATTRIBUTES, ()),
            _value_line(marked, "999"),
            _value_line(foreign, "М"),
        ]
        table.put(row, version=int(rng.random() * 20))
    return ComposedManagers(tuple(reachable), tuple(unreachable))


_BLOCKED_BY: Final = (
    "Недействителен", "Служебный", "DeletionMark", "no extension", "no extension",
    "Недействителен", "no extension",
)  # fmt: skip
_MIX: Final = ("string", "string", "number", "list", "text", "string")


def _storage(quirks: DataQuirks, index: int) -> str:
    return (
        _MIX[index % len(_MIX)] if quirks.extension_storage == "mixed" else quirks.extension_storage
    )


def _value_line(prop: str, text: str) -> Row:
    return {"Свойство_Key": prop, "Значение": text, "Значение_Type": "Edm.String"}


def write_extension(infobase: Infobase, row: Row, extension: str, storage: str) -> None:
    """Put *extension* into the sparse *row* of a user, in the given kind of value.

    An earlier value of the attribute goes. The caller keeps the row and bumps its version.
    """
    prop = infobase.extension_property
    rest = [line for line in row.get(EXTRA_ATTRIBUTES, ()) if line["Свойство_Key"] != prop]
    registry = infobase.tables[EXTRA_VALUES]
    for key in [k for k in registry.rows if k[0] == row["Ref_Key"] and k[1] == prop]:
        registry.remove(key)
    line = _value_line(prop, extension)
    if not extension:
        row[EXTRA_ATTRIBUTES] = rest
        return
    if storage == "register":
        registry.put(
            {
                "Объект": row["Ref_Key"],
                "Объект_Type": f"StandardODATA.{USERS}",
                "Свойство_Key": prop,
                "Значение": extension,
                "Значение_Type": "Edm.String",
            }
        )
        row[EXTRA_ATTRIBUTES] = rest
        return
    if storage == "number" and extension.isdigit():
        line |= {"Значение": int(extension), "Значение_Type": "Edm.Double"}
    elif storage == "text":
        line |= {"ТекстоваяСтрока": extension, "Значение": extension}
    elif storage == "list":
        line |= {
            "Значение": _listed_value(infobase, extension),
            "Значение_Type": f"StandardODATA.{PROPERTY_VALUES}",
        }
    row[EXTRA_ATTRIBUTES] = [*rest, line]


def _listed_value(infobase: Infobase, extension: str) -> str:
    table = infobase.tables[PROPERTY_VALUES]
    rng = Random(f"{infobase.seed}/value/{extension}")  # noqa: S311 - composed data
    ref = make_ref(rng)
    if ref not in table.rows:
        table.put(
            {
                "Ref_Key": ref,
                "Description": extension,
                "ПолноеНаименование": extension,
                "Owner_Key": infobase.extension_property,
            }
        )
    return ref


def _properties(infobase: Infobase, rng: Random, quirks: DataQuirks) -> tuple[str, str]:
    """Write the attribute among decoys, and the sets; return two decoys of the users' set."""
    new_library = infobase.schema.library_is_3
    fixed = infobase.schema.fixed_sets
    users_set = fixed[_USERS_SET] if new_library else make_ref(rng)
    calls_set = fixed[_CALLS_SET] if new_library else make_ref(rng)
    partners_set = make_ref(rng)
    register = quirks.extension_storage == "register"
    marked = _property(infobase, rng, ATTRIBUTE, (users_set, "Пользователи"), DeletionMark=True)
    foreign = _property(infobase, rng, "Категория", (users_set, "Пользователи"))
    rows: list[Row] = [
        {"Свойство_Key": marked, "ПометкаУдаления": True},
        {"Свойство_Key": foreign},
    ]
    records: list[Row] = []
    if quirks.attribute:
        kinds = ["String"]
        if quirks.extension_storage == "mixed":
            kinds += ["Number", "CatalogRef.ЗначенияСвойствОбъектов"]
        infobase.extension_property = _property(
            infobase,
            rng,
            ATTRIBUTE,
            (users_set, "Пользователи"),
            ЭтоДополнительноеСведение=register,
            ValueType=value_type(*kinds, length=10),
        )
        (records if register else rows).append({"Свойство_Key": infobase.extension_property})
    decoy = _property(infobase, rng, ATTRIBUTE, (partners_set, "Партнеры"))
    _property_set(infobase, users_set, (_USERS_SET, "Пользователи"), rows, records)
    _property_set(infobase, calls_set, (_CALLS_SET, "Телефонный звонок"), [], [])
    _property_set(
        infobase, partners_set, (_PARTNERS_SET, "Партнеры"), [{"Свойство_Key": decoy}], []
    )
    return marked, foreign


def _property(
    infobase: Infobase, rng: Random, title: str, owner: tuple[str, str], **extra: object
) -> str:
    table = infobase.tables[PROPERTIES]
    ref = make_ref(rng)
    set_ref, set_title = owner
    identifier = title.title().replace(" ", "")
    row: Row = {
        "Ref_Key": ref,
        # BSP 2.4 puts the name of the set into brackets (docs/facts/ut11.md, 'Extensions of
        # managers').
        "Description": title if infobase.schema.library_is_3 else f"{title} ({set_title})",
        "Заголовок": title,
        "Имя": f"{identifier}_{ref.replace('-', '')}",
        "НаборСвойств_Key": set_ref,
        "Виден": True,
        "Доступен": True,
        "ValueType": value_type("String", length=10),
        **extra,
    }
    kind = "ДополнительныеСведения" if row.get("ЭтоДополнительноеСведение") else EXTRA_ATTRIBUTES
    # The attribute was renamed between 11.5.20 and 11.5.27 and is absent before.
    computed = {
        "ВидСвойств": kind,
        "ВидСвойства": kind,
        "ИдентификаторДляФормул": f"{identifier}{len(table) or ''}",
    }
    row |= {name: text for name, text in computed.items() if name in table.schema.properties}
    table.put(row)
    return ref


def _property_set(
    infobase: Infobase,
    ref: str,
    names_of_set: tuple[str, str],
    rows: list[Row],
    records: list[Row],
) -> None:
    name, title = names_of_set
    row: Row = {
        "Ref_Key": ref,
        "Description": title,
        "IsFolder": False,
        "Используется": True,
        "КоличествоРеквизитов": str(sum(not line.get("ПометкаУдаления") for line in rows)),
        "КоличествоСведений": str(len(records)),
        EXTRA_ATTRIBUTES: rows,
        "ДополнительныеСведения": records,
    }
    if infobase.schema.library_is_3:
        row["ИмяПредопределенногоНабора"] = name
        for line in (*rows, *records):
            line["ИмяПредопределенногоНабора"] = name
    else:
        row |= {"Predefined": True, "PredefinedDataName": name}
    infobase.tables[PROPERTY_SETS].put(row)
