"""Composes the kinds of contact information (phones, faxes, addresses) that an infobase has."""

from __future__ import annotations

from random import Random

from bridge.lab.onec.infobase.infobase import CONTACT_KINDS, CONTACT_PERSONS, PARTNERS, Infobase
from bridge.lab.onec.infobase.schema import EMPTY_REF
from bridge.lab.onec.infobase.tables import ContactKind, Row, make_ref


def compose_contact_kinds(infobase: Infobase, rng: Random) -> None:
    """Write the kinds of contact information: predefined folders and items, two users' own."""
    table = infobase.tables[CONTACT_KINDS]
    own_names = "ИмяПредопределенногоВида" in table.schema.properties

    def put(name: str, title: str, folder: str, type_name: str) -> str:
        ref = make_ref(rng)
        row: Row = {"Ref_Key": ref, "Description": title, "Parent_Key": folder}
        # BSP 3 creates kinds by code and names them in an attribute; 2.4 has predefined items.
        if name:
            row |= {"Predefined": True, "PredefinedDataName": name}
        if type_name:
            row |= {"IsFolder": False, "Тип": type_name, "Используется": True}
            row["РеквизитДопУпорядочивания"] = len(table) + 1
            if own_names:
                row["ИмяПредопределенногоВида"] = name
            infobase.contact_kinds[ref] = ContactKind(ref, name, type_name)
        else:
            row["IsFolder"] = True
        table.put(row)
        return ref

    types = {"phone": "Телефон", "fax": "Факс", "email": "АдресЭлектроннойПочты"}
    folders = {}
    for owner, kinds in infobase.schema.contact_kinds.items():
        folders[owner] = folder = put(
            kinds["folder"], f"Информация: {kinds['folder']}", EMPTY_REF, ""
        )
        for group in ("phone", "fax", "email", "other"):
            for name in kinds.get(group, ()):
                if name.endswith("(11.5)"):
                    continue
                other = "Другое" if name.startswith("Другая") else "Адрес"
                put(name, _title(name), folder, types.get(group, other))
    # Users add kinds freely: a phone is recognised by Тип, never by kind
    # (docs/facts/ut11.md, 'Kinds of contact information').
    put("", "Телефон для СМС", folders[CONTACT_PERSONS], "Телефон")
    put("", "Телефон склада", folders[PARTNERS], "Телефон")


def _title(name: str) -> str:
    title = "".join(f" {ch.lower()}" if ch.isupper() else ch for ch in name).strip()
    return title[:1].upper() + title[1:]
