"""The viewer of a page, and which numbers and calls the viewer may see."""

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
    """What a viewer is to the bridge."""

    ADMIN = "admin"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A viewer: the administrator, or one 1C user with the extension that 1C has now.

    *masks_numbers*: numbers of other managers' clients are hidden until they are revealed.
    *address* is where the request came from, for the audit list.
    """

    role: Role
    manager: Ref | None = None
    extension: str | None = None
    name: str = ""
    masks_numbers: bool = False
    address: str = ""

    @property
    def is_admin(self) -> bool:
        """Return whether the viewer may see and do everything."""
        return self.role is Role.ADMIN

    def audit_record(
        self, at: datetime, act: AuditAct, subject: str = "", message: str = ""
    ) -> AuditRecord:
        """Return the audit record of what the viewer does."""
        return AuditRecord(at, act, self.role.value, self.name, self.address, subject, message)

    def took_part(self, call: PhoneCall) -> bool:
        """Return whether *call* was sent to the viewer, rang there, or was talked or dialled."""
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
            return False  # the extension was another manager's then
        ends = {call.placed_by, *call.state.rung_extensions, *call.state.talked_extensions}
        return own in ends or (target is not None and target.extension == own)

    def serves(self, owners: Iterable[Candidate], managers: Mapping[Ref, Manager]) -> bool:
        """Return whether the viewer is the main manager of one of *owners*."""
        if self.is_admin:
            return True
        return any(_main_manager(owner, managers) == self.manager for owner in owners)

    def may_see_number(self, card: CallerCard | None, managers: Mapping[Ref, Manager]) -> bool:
        """Return whether the viewer sees the number of *card* in full; None: an unknown number."""
        if self.is_admin or not self.masks_numbers:
            return True
        return card is not None and self.serves(card.candidates, managers)


def format_visible_number(number: PhoneNumber, *, in_full: bool) -> str:
    """Return *number* for people: whole, or with its middle hidden."""
    return format_phone(number) if in_full else mask_phone(number)


def _main_manager(owner: Candidate, managers: Mapping[Ref, Manager]) -> Ref | None:
    for step in owner.chain:
        if step.manager is not None:
            manager = managers.get(step.manager)
            return None if manager is None else manager.ref
    return None
