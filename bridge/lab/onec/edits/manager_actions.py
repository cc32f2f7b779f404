"""What a manager does in the forms of 1C: reminders that pop up, calls written, read and reviewed.

All of it is done as УТ's forms do it, the configuration's event handlers included; what only a form
writes, such as the record that makes a call visible in a partner's list, is written too.
Source: docs/facts/ut11.md, 'Writing a phone call' and 'Reminders'.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bridge.lab.onec.edits.infobase_access import InfobaseAccess
from bridge.lab.onec.infobase.infobase import PHONE_CALLS, REMINDERS, SUBJECTS, USERS
from bridge.lab.onec.infobase.schema import EMPTY_DATE, EMPTY_REF, UNDEFINED
from bridge.lab.onec.infobase.tables import Key, Row
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.odata.writing import write
from bridge.lab.onec.odata.writing.request import WriteRequest
from bridge.lab.onec.switches import PublicationSwitches

_CALL_TYPE: Final = f"StandardODATA.{PHONE_CALLS}"


class ManagerActions(InfobaseAccess):
    """What one manager, or any user, does in the forms of 1C."""

    # -------------------------------------------------------------- reminders

    def due_reminders(self, user_ref: str, at: datetime | None = None) -> list[Row]:
        """Return what pops up on a user's screen now (or at wall time *at*), the oldest first.

        A user without a login of the infobase sees none.
        """
        user = self.infobase.tables[USERS].rows.get(user_ref, {})
        if user.get("ИдентификаторПользователяИБ", EMPTY_REF) == EMPTY_REF:
            return []
        due = (at or self._wall_time()).isoformat(timespec="seconds")
        shown = (
            row
            for row in self.infobase.rows(REMINDERS)
            if row["Пользователь_Key"] == user_ref and row["СрокНапоминания"] <= due
        )
        return sorted(shown, key=lambda row: (row["СрокНапоминания"], row["ВремяСобытия"]))

    def dismiss_reminder(self, source_ref: str, user_ref: str | None = None) -> int:
        """Press «Прекратить» on the reminders of a source, of all users or of one.

        The records are deleted; returns how many there were.
        """
        keys = self._reminders_of(source_ref, user_ref)
        for key in keys:
            self.infobase.tables[REMINDERS].remove(key)
        return len(keys)

    def postpone_reminder(
        self, source_ref: str, minutes: int = 15, user_ref: str | None = None
    ) -> int:
        """Press «Отложить», or close the window: due *minutes* from now; the key stays.

        A reminder that is not due yet moves from its due time. Returns how many moved.
        """
        table, now = self.infobase.tables[REMINDERS], self._wall_time()
        keys = self._reminders_of(source_ref, user_ref)
        for key in keys:
            row = table.rows[key]
            since = max(now, datetime.fromisoformat(str(row["СрокНапоминания"])))
            due = (since + timedelta(minutes=minutes)).isoformat(timespec="seconds")
            table.replace(key, {**row, "СрокНапоминания": due})
        return len(keys)

    def _reminders_of(self, source_ref: str, user_ref: str | None) -> list[Key]:
        table = self.infobase.tables[REMINDERS]
        return [
            key
            for key, row in table.rows.items()
            if row.get("Источник") == source_ref and user_ref in {None, row.get("Пользователь_Key")}
        ]

    # -------------------------------------------------------------- calls

    def write_call(
        self,
        user_ref: str,
        subject: str,
        *,
        phone: str = "",
        contact_set: str = "",
        contact_ref: str = "",
        description: str = "",
        incoming: bool = False,
    ) -> str:
        """Write a «Телефонный звонок» in its form as this user, and return its reference.

        *contact_set* and *contact_ref* name a partner, contact person or user; without them 1C
        keeps *phone* as a string contact. Nothing stops a person from leaving *phone* empty.
        """
        has_contact = bool(contact_ref)
        shown = self.infobase.presentation(contact_set, contact_ref) if has_contact else phone
        body: Row = {
            "Входящий": incoming,
            "Важность": "Обычная",
            "Тема": subject,
            "Описание": description or subject,
            "АбонентКонтакт": contact_ref,
            "АбонентКонтакт_Type": f"StandardODATA.{contact_set}" if has_contact else UNDEFINED,
            "АбонентПредставление": shown,
            "АбонентКакСвязаться": phone,
            "Автор_Key": user_ref,
            "Ответственный_Key": user_ref,
        }
        ref = str(self._create(PHONE_CALLS, body))
        own = {"Взаимодействие": ref, "Взаимодействие_Type": _CALL_TYPE}
        # An empty subject becomes the call itself.
        self._create(SUBJECTS, {**own, "Предмет": ref, "Предмет_Type": _CALL_TYPE})
        return ref

    def describe_call(self, ref: str, description: str) -> None:
        """Change the Описание of a call."""
        self.edit(PHONE_CALLS, ref, Описание=description)

    def review_call(self, ref: str, *, reviewed: bool = True) -> None:
        """Set or clear the mark Рассмотрено of a call, which stands in the register of subjects.

        Raises:
            KeyError: the call has no record there, so that no list offers the mark.
        """
        table = self.infobase.tables[SUBJECTS]
        key = (ref, _CALL_TYPE)
        table.replace(key, {**table.rows[key], "Рассмотрено": reviewed})

    def visible_calls(self, contact_ref: str) -> list[Row]:
        """Return the calls that a user sees in the interaction list of a partner or contact.

        The list joins the register of subjects strictly: a call without its record is invisible.
        Source: docs/facts/ut11.md, 'Writing a phone call'.
        """
        visible = {row["Взаимодействие"] for row in self.subjects()}
        return [
            row
            for row in self.phone_calls()
            if row["АбонентКонтакт"] == contact_ref
            and row["Ref_Key"] in visible
            and row["АбонентКонтакт_Type"] != UNDEFINED
        ]

    def interaction_list(self, contact_ref: str) -> list[Row]:
        """Return the visible calls with the list's columns Рассмотрено and РассмотретьПосле.

        Each row is the complete document and these two; the oldest call comes first.
        """
        subjects = self.infobase.tables[SUBJECTS].rows
        listed = []
        for row in self.visible_calls(contact_ref):
            subject = subjects[row["Ref_Key"], _CALL_TYPE]
            reviewed = bool(subject.get("Рассмотрено", False))
            after = subject.get("РассмотретьПосле", EMPTY_DATE)
            listed.append({**row, "Рассмотрено": reviewed, "РассмотретьПосле": after})
        return sorted(listed, key=lambda row: str(row["Date"]))

    def _create(self, set_name: str, body: Row) -> Key:
        """Write as a form does: the configuration's own code runs as it does for the interface."""
        publication = Publication(self.infobase, PublicationSwitches())
        return write.create(
            WriteRequest(
                publication=publication,
                entity_set=publication.entity_set(set_name),
                body=body,
                now=self._wall_time(),
                rng=self._rng,
            )
        )
