"""A small company to test with: typed builders whose defaults make one ordinary call."""

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from bridge.domain.calls.call import PhoneCall, call_from_question
from bridge.domain.directory.caller_card import (
    CallerCard,
    Candidate,
    build_candidate,
    build_owner_chain,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    Manager,
    Partner,
    PhoneField,
    PhoneOwner,
    Ref,
    Version,
)
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_caller,
)
from bridge.domain.phone.fields import read_phones
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Rule, Target

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NUMBER = PhoneNumber(79035550123)
RULES = PhoneRules()


def ref(name: str) -> Ref:
    """Give the reference of the 1C object called *name*: always the same one."""
    return Ref(str(uuid.uuid5(uuid.NAMESPACE_OID, name)))


def fields(*typed: str) -> tuple[PhoneField, ...]:
    return tuple(PhoneField(text, read_phones(text, RULES)) for text in typed)


def manager(
    name: str = "Анна Петрова",
    extension: str | None = "205",
    *,
    invalid: bool = False,
    service: bool = False,
    deletion_mark: bool = False,
) -> Manager:
    return Manager(ref(name), Version("1"), name, extension, invalid, service, deletion_mark)


def partner(
    name: str = "ООО Ромашка",
    *,
    manager: str | None = "Анна Петрова",
    parent: str | None = None,
    code: str = "00-00000007",
    customer: bool = True,
    phones: Iterable[str] = (),
) -> Partner:
    return Partner(
        ref(name),
        Version("1"),
        name,
        code=code,
        parent=None if parent is None else ref(parent),
        manager=None if manager is None else ref(manager),
        customer=customer,
        phone_fields=fields(*phones),
    )


def contact(
    name: str = "Иванов Пётр",
    *,
    partner: str | None = "ООО Ромашка",
    ended: date | None = None,
    phones: Iterable[str] = ("+7 (903) 555-01-23",),
) -> ContactPerson:
    owner = None if partner is None else ref(partner)
    return ContactPerson(
        ref(name), Version("1"), name, partner=owner, ended=ended, phone_fields=fields(*phones)
    )


def counterparty(
    name: str = "Ромашка-Сервис ООО",
    *,
    partner: str | None = "ООО Ромашка",
    phones: Iterable[str] = (),
) -> Counterparty:
    owner = None if partner is None else ref(partner)
    return Counterparty(ref(name), Version("1"), name, partner=owner, phone_fields=fields(*phones))


def rows(*managers: Manager) -> dict[Ref, Manager]:
    """Return *managers* as the directory gives them."""
    return {manager.ref: manager for manager in managers}


def candidate(owner: PhoneOwner, partners: Iterable[Partner] = ()) -> Candidate:
    """Make of *owner* what the phone index makes of him."""
    known = {p.ref: p for p in partners}
    start = owner.ref if isinstance(owner, Partner) else owner.partner
    if isinstance(owner, Partner):
        known.setdefault(owner.ref, owner)
    chain = build_owner_chain(start, {p.ref: (p.name, p.parent, p.manager) for p in known.values()})
    belongs_to = None if start is None else known.get(start)
    return build_candidate(
        owner,
        chain,
        None,
        customer=belongs_to is not None and belongs_to.customer,
        code="" if belongs_to is None else belongs_to.code,
    )


def card(
    *owners: PhoneOwner,
    partners: Iterable[Partner] = (),
    number: PhoneNumber = NUMBER,
) -> CallerCard:
    """Make the card of a number that is written at *owners*."""
    partners = tuple(partners)
    found = [candidate(owner, partners) for owner in owners]
    return CallerCard(number, tuple(sorted(found, key=candidate_sort_key)))


def question(
    caller: str | None = "+79035550123",
    did: str = "74852550102",
    *,
    asked_time: str = "1772625600",
    arrived_at: datetime | None = NOON,
    received_at: datetime = NOON + timedelta(milliseconds=300),
    provider: str = "sipuni",
) -> RouteQuestion:
    return RouteQuestion(
        provider=provider,
        caller=read_caller(caller, RULES),
        did=did,
        received_at=received_at,
        pbx_time_text=asked_time,
        arrived_at=arrived_at,
    )


def decision(
    *candidates: Candidate, target: Target | None = None, rule: Rule | None = None
) -> RouteDecision:
    """Make a decision for *target*; for nobody when there is none."""
    if target is None:
        return RouteDecision(rule or Rule.NOBODY, candidates=candidates)
    return RouteDecision(rule or Rule.CONTACT_MANAGER, (target,), candidates=candidates)


def call(
    asked: RouteQuestion | None = None,
    decided: RouteDecision | None = None,
) -> PhoneCall:
    """Make a call; by default a known contact's, sent to his manager."""
    if decided is None:
        owner = candidate(contact(), [partner()])
        decided = decision(owner, target=Target("205", manager().ref, manager().name))
    return call_from_question(asked or question(), decided)


def unreadable_caller(kind: CallerKind, raw: str) -> Caller:
    return Caller(kind, raw, extension=raw if kind is CallerKind.INTERNAL else None)
