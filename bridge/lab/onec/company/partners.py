"""Composes the partners of a company, their contact persons and counterparties.

They have what makes difficulties in real bases: predefined partners, holdings whose
head has the good manager, managers who left, marked rows, ended contacts, orphaned counterparties.
"""
# ruff: noqa: PLR2004 - the bare numbers are shares of a population

from __future__ import annotations

from random import Random
from typing import Final

from bridge.lab.onec.company import names, typed_phones, users
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    Infobase,
    IntendedPhone,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from bridge.lab.onec.infobase.tables import CONTACTS, ContactLine, Row, make_ref

_GROUPS: Final = "Catalog_ГруппыДоступаПартнеров"
#: Every so manieth partner is the head of a holding.
_HOLDING_STEP: Final = 25


class PartnerComposer:
    """Writes the partners of a company with their contact persons and counterparties."""

    def __init__(
        self, infobase: Infobase, rng: Random, managers: users.ComposedManagers, quirks: DataQuirks
    ) -> None:
        self.infobase = infobase
        self.rng = rng
        self.roll = rng.random
        self.managers = managers
        self.quirks = quirks
        kinds = {kind.name: kind.ref for kind in infobase.contact_kinds.values() if kind.name}
        own = [kind.ref for kind in infobase.contact_kinds.values() if not kind.name]
        self.sms, self.store = own
        self.kinds = kinds
        self.heads: list[str] = []
        self.groups = self._access_groups()

    def write_all(self, count: int) -> None:
        """Write the predefined partners, *count* others, and a few orphaned counterparties."""
        self._predefined()
        for index in range(count):
            self._partner(index)
        for _ in range(max(1, count // 70)):
            self._counterparty(EMPTY_REF, "", ())

    def _access_groups(self) -> list[str]:
        table = self.infobase.tables[_GROUPS]
        titles = ("Розничные", "Оптовые", "Внутренние")
        return [
            str(table.put({"Ref_Key": make_ref(self.rng), "Description": title}))
            for title in titles
        ]

    def _predefined(self) -> None:
        titles = ("Наше предприятие", "Розничный покупатель", "Неизвестный партнер")
        table = self.infobase.tables[PARTNERS]
        pairs = zip(self.infobase.schema.predefined_partners.items(), titles, strict=True)
        for (name, code), title in pairs:
            ref = make_ref(self.rng)
            # They carry phones in real bases: a bridge that does not skip them finds a wrong owner.
            contacts, _ = self._phones(PARTNERS, ref, self.kinds["ТелефонПартнера"], 1)
            table.put(
                {
                    "Ref_Key": ref,
                    "Description": title,
                    "Code": code,
                    "Predefined": True,
                    "PredefinedDataName": name,
                    "НаименованиеПолное": title,
                    "ЮрФизЛицо": "Компания",
                    CONTACTS: tuple(contacts),
                }
            )

    def _partner(self, index: int) -> None:
        roll, rng = self.roll, self.rng
        ref = make_ref(rng)
        private = roll() < 0.15
        name, full = names.person(rng, patronymic=True) if private else names.company(rng)
        row: Row = {
            "Ref_Key": ref,
            "Description": name,
            "Code": f"00-{index + 4:08d}",
            "НаименованиеПолное": name if private else full,
            "ГруппаДоступа_Key": self.groups[int(roll() * 3)],
            "ДатаРегистрации": f"20{10 + int(roll() * 15)}-{1 + int(roll() * 12):02d}-14T00:00:00",
            "Клиент": roll() < 0.8,
            "ЮрФизЛицо": "ЧастноеЛицо" if private else "Компания",
        }
        if private:
            row["Пол"] = full
        if roll() < 0.25 or not row["Клиент"]:
            row["Поставщик"] = True
        if roll() < 0.02:
            row["DeletionMark"] = True
        self._belongs(row, index)
        contacts, shared = self._contact_lines(ref, index)
        row[CONTACTS] = tuple(contacts)
        if self.quirks.control_characters and index % 20 == 3:
            row["Description"] = f"{name[:80]}\x00\x0b"
        self.infobase.tables[PARTNERS].put(row, version=int(roll() * 9))
        self._people(ref, shared)
        chance = roll()
        for _ in range(3 if chance < 0.05 else 2 if chance < 0.2 else 1 if chance < 0.9 else 0):
            self._counterparty(ref, name, shared)

    def _belongs(self, row: Row, index: int) -> None:
        """Return a partner a main manager and, to some, a holding above."""
        roll, rng = self.roll, self.rng
        manager = self.managers.draw(rng)
        if index % _HOLDING_STEP == 0:
            # The head of a holding always has a manager who can take calls.
            self.heads.append(row["Ref_Key"])
            manager = self.managers.draw_reachable(rng)
            row["Description"] = f"Холдинг {row['Description']}"[:100]
            row.pop("DeletionMark", None)
        elif roll() < 0.12:
            row["Parent_Key"] = self.heads[int(roll() * len(self.heads))]
            if roll() < 0.5:
                manager = self.managers.draw_unreachable(rng)
        if manager != EMPTY_REF:
            row["ОсновнойМенеджер_Key"] = manager

    def _contact_lines(
        self, ref: str, index: int
    ) -> tuple[list[ContactLine], tuple[typed_phones.ComposedPhone, ...]]:
        roll = self.roll
        chance = roll()
        count = 2 if chance < 0.15 else 1 if chance < 0.75 else 0
        kind = self.store if roll() < 0.03 else self.kinds["ТелефонПартнера"]
        contacts, shared = self._phones(PARTNERS, ref, kind, count)
        if roll() < 0.6:
            mail = f"office{index}@firm.example"
            contacts.append(ContactLine(self.kinds["EmailПартнера"], "form", mail))
        if roll() < 0.7:
            street = names.STREETS[int(roll() * len(names.STREETS))]
            text = f"РОССИЯ, Москва, {street}, дом {1 + int(roll() * 90)}"
            contacts.append(ContactLine(self.kinds["АдресПартнера"], "form", text))
        return contacts, shared

    def _people(self, partner: str, shared: tuple[typed_phones.ComposedPhone, ...]) -> None:
        chance = self.roll()
        for _ in range(3 if chance < 0.1 else 2 if chance < 0.3 else 1 if chance < 0.75 else 0):
            self._contact_person(partner, shared)

    def _contact_person(self, partner: str, shared: tuple[typed_phones.ComposedPhone, ...]) -> None:
        roll, rng = self.roll, self.rng
        ref = make_ref(rng)
        name, sex = names.person(rng)
        row: Row = {
            "Ref_Key": ref,
            "Description": name,
            "Owner_Key": partner,
            "Пол": sex,
            "ДолжностьПоВизитке": names.TITLES[int(roll() * len(names.TITLES))],
            "ДатаРегистрацииСвязи": f"20{12 + int(roll() * 12)}-03-01T00:00:00",
        }
        if roll() < 0.06:
            row["ДатаПрекращенияСвязи"] = f"202{int(roll() * 5)}-09-30T00:00:00"
        if roll() < 0.02:
            row["DeletionMark"] = True
        if roll() < 0.5:
            row["Автор"] = self.managers.draw_reachable(rng)
            row["Автор_Type"] = "StandardODATA.Catalog_Пользователи"
        if roll() < 0.04:
            # People of one firm write the firm's number down for each of them.
            contacts = self._again(CONTACT_PERSONS, ref, shared)
        else:
            count = 2 if roll() < 0.25 else 1
            mobile = self.kinds["МобильныйТелефонКонтактногоЛица"]
            kind = mobile if roll() < 0.6 else self.kinds["ТелефонКонтактногоЛица"]
            kind = self.sms if roll() < 0.03 else kind
            contacts, _ = self._phones(CONTACT_PERSONS, ref, kind, count)
        if roll() < 0.5:
            mail = f"{ref[:8]}@mail.example"
            contacts.append(ContactLine(self.kinds["EmailКонтактногоЛица"], "form", mail))
        row[CONTACTS] = tuple(contacts)
        self.infobase.tables[CONTACT_PERSONS].put(row, version=int(roll() * 5))

    def _counterparty(
        self, partner: str, name: str, shared: tuple[typed_phones.ComposedPhone, ...]
    ) -> None:
        roll, rng = self.roll, self.rng
        ref = make_ref(rng)
        own, full = names.company(rng)
        inn = f"77{int(roll() * 10**8):08d}"
        row: Row = {
            "Ref_Key": ref,
            "Description": name or own,
            "НаименованиеПолное": full,
            "ИНН": inn,
            "КПП": f"7701{int(roll() * 10**5):05d}",
            "ЮрФизЛицо": "ЮрЛицо" if roll() < 0.8 else "ИндивидуальныйПредприниматель",
            "ЮридическоеФизическоеЛицо": "ЮридическоеЛицо",
        }
        if partner != EMPTY_REF:
            row["Партнер_Key"] = partner
        if roll() < 0.02:
            row["DeletionMark"] = True
        if shared and roll() < 0.25:
            contacts = self._again(COUNTERPARTIES, ref, shared)
        else:
            kind = self.kinds["ТелефонКонтрагента"]
            contacts, _ = self._phones(COUNTERPARTIES, ref, kind, 1 if roll() < 0.4 else 0)
        if roll() < 0.05:
            fax = typed_phones.draw_phone(rng)
            contacts.append(ContactLine(self.kinds["ФаксКонтрагенты"], "form", fax.text))
        row[CONTACTS] = tuple(contacts)
        self.infobase.tables[COUNTERPARTIES].put(row, version=int(roll() * 4))

    def _phones(
        self, owner_set: str, ref: str, kind: str, count: int
    ) -> tuple[list[ContactLine], tuple[typed_phones.ComposedPhone, ...]]:
        drawn = tuple(typed_phones.draw_phone(self.rng) for _ in range(count))
        return [self._line(owner_set, ref, kind, phone) for phone in drawn], drawn

    def _again(
        self, owner_set: str, ref: str, shared: tuple[typed_phones.ComposedPhone, ...]
    ) -> list[ContactLine]:
        person = owner_set == CONTACT_PERSONS
        kind = self.kinds["ТелефонКонтактногоЛица" if person else "ТелефонКонтрагента"]
        return [self._line(owner_set, ref, kind, phone) for phone in shared]

    def _line(
        self, owner_set: str, ref: str, kind: str, phone: typed_phones.ComposedPhone
    ) -> ContactLine:
        text = phone.text
        if self.quirks.control_characters and self.roll() < 0.02:
            text = f"{text}\x00\x1f"
        intended = self.infobase.intended_phones
        for e164 in phone.intended:
            intended.append(IntendedPhone(owner_set, ref, e164, text, phone.manner))
        return ContactLine(kind, typed_phones.draw_writer(self.rng), text)
