"""Who looks at a page, as a value, and what of a client's numbers he sees."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bridge.domain.calls.call import PhoneCall
from bridge.domain.directory.caller_card import CallerCard, Candidate
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.formatting import format_phone, mask_phone
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.audit import AuditAct, AuditRecord


class Role(StrEnum):
    """What somebody is to the bridge."""

    ADMIN = "admin"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: the administrator, or one 1C user with his extension as 1C has it now.

    *masked*: numbers of people who are not his clients are hidden from him until he reveals them.
    *address* is where he looks from, for the audit list.
    """

    role: Role
    manager: Ref | None = None
    extension: str | None = None
    name: str = ""
    masks_numbers: bool = False
    address: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether everything is his to see and to do."""
        return self.role is Role.ADMIN

    def audit_record(
        self, at: datetime, act: AuditAct, subject: str = "", words: str = ""
    ) -> AuditRecord:
        """Make the audit record of what he does."""
        return AuditRecord(at, act, self.role.value, self.name, self.address, subject, words)

    def took_part(self, call: PhoneCall) -> bool:
        """Whether *call* is his to see: it was sent to him, rang him, or he talked or dialled."""
        if self.is_admin:
            return True
        if self.manager is None:
            return False
        decision = call.decision
        people = (*decision.targets, *call.known_targets)
        if any(person.manager == self.manager for person in people):
            return True
        target = decision.target
        own = self.extension
        if own is None:
            return False
        known = {person.extension for person in people if person.manager is not None}
        if own in known:
            return False  # his telephone was somebody else's then
        ends = {call.placed_by, *call.state.rung_extensions, *call.state.talked_extensions}
        return own in ends or (target is not None and target.extension == own)

    def serves(self, owners: Iterable[Candidate], managers: Mapping[Ref, Manager]) -> bool:
        """Whether one of *owners* is his client: his partner's main manager is the viewer."""
        if self.is_admin:
            return True
        return any(_main_manager(owner, managers) == self.manager for owner in owners)

    def may_see_number(self, card: CallerCard | None, managers: Mapping[Ref, Manager]) -> bool:
        """Whether the number of *card* is shown to him in full; None: nobody's number."""
        if self.is_admin or not self.masks_numbers:
            return True
        return card is not None and self.serves(card.candidates, managers)


def format_visible_number(number: PhoneNumber, *, in_full: bool) -> str:
    """Write *number* for people: whole, or with its middle hidden."""
    return format_phone(number) if in_full else mask_phone(number)


def _main_manager(owner: Candidate, managers: Mapping[Ref, Manager]) -> Ref | None:
    for step in owner.chain:
        if step.manager is not None:
            manager = managers.get(step.manager)
            return None if manager is None else manager.ref
    return None
