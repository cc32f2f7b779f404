"""A hidden number is shown to whom asks for it, to that manager alone, and the audit has it."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Partner, PhoneOwner, Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import Target
from bridge.ports.audit import AuditAct
from bridge.ports.events import CallRecorded, MissedCallChanged
from bridge.web.desk.revealed_numbers import REVEALED_FOR, RevealedNumbers
from tests.support.builders import NOON, NUMBER, call, card, manager, partner, question
from tests.web.services_in_memory import DirectoryInMemory
from tests.web.signed_in_managers import ANNA, BORIS, as_manager, web_with_managers
from tests.web.web_fixture import WebFixture

pytestmark = pytest.mark.anyio

OTHER = PhoneNumber(79161112233)
WHOLE, HIDDEN = "+7 (916) 111-22-33", "+7916*****33"
LUTIK = partner("ИП Лютик", manager="Борис Орлов", phones=("+7 916 111-22-33",))
AS_SCRIPT = {"Accept": "application/json"}


class Searched(DirectoryInMemory):
    """Finds the one partner."""

    def find_by_name(self, text: str, limit: int = 20) -> tuple[PhoneOwner | Manager, ...]:
        return (LUTIK,)[:limit] if text in LUTIK.name else ()

    def partner(self, ref: Ref) -> Partner | None:
        return LUTIK if ref == LUTIK.ref else None


def desk_web(*, masked: bool = True) -> WebFixture:
    made = web_with_managers(masked=masked, directory=Searched())
    made.directory.cards[OTHER] = card(LUTIK, number=OTHER)
    return made


def ring(at: WebFixture, caller: str = f"+{OTHER}") -> PhoneCall:
    """Let a client of Boris's, or a stranger, ring at Anna's."""
    begun = call(question(caller, asked_time=caller))
    known = at.directory.look_up(PhoneNumber(int(caller)))
    owners = () if known is None else known.candidates
    begun = replace(begun, decision=replace(begun.decision, candidates=owners))
    at.ledger.stored[begun.key] = begun
    at.desk_state.publish(CallRecorded(begun))
    return begun


def miss(at: WebFixture, missed: PhoneCall) -> None:
    owner = Target("205", ANNA.ref, ANNA.name)
    key, client = missed.key, missed.client_key
    missed_call = MissedCall(key, client, "ИП Лютик", (OTHER,), (key,), key, owner, NOON, NOON)
    at.desk_state.publish(MissedCallChanged(missed_call))


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


async def test_no_number_is_in_the_page_before_it_was_asked_for() -> None:
    at = desk_web()
    known, stranger = ring(at), ring(at, "+79261112233")
    miss(at, known)
    async with as_manager(at, ANNA) as anna:
        page = (await anna.get("/desk?q=Лютик")).text

    for shown in (known, stranger):
        assert f'action="/desk/calls/{shown.key}/number?extension=205"' in page
    assert page.count(HIDDEN) >= 2
    assert "9161112233" not in digits(page)
    assert "9261112233" not in digits(page)


async def test_who_asks_sees_it_from_then_on_and_it_is_kept_that_he_asked_once() -> None:
    at = desk_web()
    shown = ring(at)
    miss(at, shown)
    path = f"/desk/calls/{shown.key}/number"
    async with as_manager(at, ANNA, **AS_SCRIPT) as anna:
        revealed = (await anna.post(path)).json()
        again = (await anna.post(path)).json()
        page = (await anna.get("/desk")).text

    assert revealed["words"].startswith(WHOLE)
    assert "audit list" in revealed["words"]
    assert WHOLE in revealed["card"]
    assert WHOLE in revealed["missed"]
    assert "Show the number" not in revealed["card"] + revealed["missed"]
    assert again["card"] == revealed["card"]
    assert page.count(WHOLE) == 2
    assert [(r.act, r.who, r.subject, r.words) for r in at.audit.appended] == [
        (AuditAct.NUMBER_REVEALED, ANNA.name, shown.key, HIDDEN)
    ]


async def test_it_is_shown_to_nobody_else() -> None:
    at = desk_web()
    carl = manager("Карл Третий", "205")
    at.directory.staff[carl.ref] = carl
    shown = ring(at)
    async with as_manager(at, ANNA) as anna, as_manager(at, carl) as other:
        await anna.post(f"/desk/calls/{shown.key}/number")
        assert WHOLE in (await anna.get("/desk")).text
        page = (await other.get("/desk")).text

    assert HIDDEN in page
    assert WHOLE not in page


async def test_the_next_day_it_is_hidden_again() -> None:
    at = desk_web()
    shown = ring(at)
    async with as_manager(at, ANNA) as anna:
        await anna.post(f"/desk/calls/{shown.key}/number")
        at.now += REVEALED_FOR + timedelta(seconds=1)
        page = (await anna.get("/desk?q=Лютик")).text

    assert HIDDEN in page
    assert WHOLE not in page


async def test_a_number_found_by_name_is_asked_for_too() -> None:
    at = desk_web()
    form = {"q": "Лютик", "of": LUTIK.ref, "place": "0"}
    async with as_manager(at, ANNA) as anna:
        before = (await anna.get("/desk/search?q=Лютик")).text
        revealed = (await anna.post("/desk/number", data=form, headers=AS_SCRIPT)).json()
        by_form = await anna.post("/desk/number", data=form)
        page = await anna.get(by_form.headers["Location"])

    assert "Show the number" in before
    assert WHOLE in revealed["found"]
    assert by_form.status_code == 303
    assert WHOLE in page.text
    assert [(r.act, r.subject, r.words) for r in at.audit.appended] == [
        (AuditAct.NUMBER_REVEALED, HIDDEN, "ИП Лютик")
    ]


async def test_without_a_script_the_button_leads_back_to_the_page() -> None:
    at = desk_web()
    shown = ring(at)
    async with as_manager(at, ANNA) as anna:
        answer = await anna.post(f"/desk/calls/{shown.key}/number")
        page = await anna.get(answer.headers["Location"])

    assert answer.status_code == 303
    assert WHOLE in page.text


async def test_what_was_never_hidden_has_no_button_and_leaves_no_record() -> None:
    unmasked, masked = desk_web(masked=False), desk_web()
    his, hers = ring(unmasked), ring(masked, f"+{NUMBER}")
    async with (
        as_manager(unmasked, ANNA) as anna,
        as_manager(masked, ANNA) as strict,
        masked.admin() as admin,
    ):
        pages = [
            (await anna.get("/desk")).text,
            (await strict.get("/desk")).text,  # her own client
            (await admin.get("/desk?extension=205")).text,
        ]
        revealed = [
            await anna.post(f"/desk/calls/{his.key}/number"),
            await admin.post(f"/desk/calls/{hers.key}/number?extension=205"),
        ]

    assert not any("Show the number" in page for page in pages)
    assert {answer.status_code for answer in revealed} == {303}
    assert unmasked.audit.appended == masked.audit.appended == []


async def test_nobody_is_shown_what_his_desk_does_not_show() -> None:
    at = desk_web()
    shown = ring(at)
    withheld = call(question("anonymous", asked_time="9"))
    at.ledger.stored[withheld.key] = withheld
    at.desk_state.publish(CallRecorded(withheld))
    path = f"/desk/calls/{shown.key}/number"
    async with (
        as_manager(at, BORIS) as boris,
        as_manager(at, ANNA, **{"Sec-Fetch-Site": "cross-site"}) as foreign,
        at.client(peer="203.0.113.9") as stranger,
        as_manager(at, ANNA) as anna,
    ):
        answers = [
            await boris.post(path),
            await foreign.post(path),
            await stranger.post(path),
            await anna.get(path),
            await anna.post(f"/desk/calls/{withheld.key}/number"),
            await anna.post("/desk/number", data={"q": "Лютик", "of": "nobody", "place": "0"}),
        ]
        page = (await anna.get("/desk")).text

    assert [answer.status_code for answer in answers] == [404, 403, 401, 405, 409, 409]
    assert not any("9161112233" in digits(answer.text) for answer in answers)
    assert HIDDEN in page
    assert at.audit.appended == []


async def test_where_it_cannot_be_kept_that_he_asked_nothing_is_shown() -> None:
    at = desk_web()
    shown = ring(at)
    at.audit.full_disk = True
    async with as_manager(at, ANNA) as anna:
        answer = await anna.post(f"/desk/calls/{shown.key}/number")
        page = (await anna.get("/desk")).text

    assert answer.status_code == 503
    assert WHOLE not in page


def test_of_very_many_numbers_the_one_asked_for_first_is_hidden_again() -> None:
    reveals = RevealedNumbers(lambda: NOON)
    many = [PhoneNumber(79160000000 + place) for place in range(501)]
    for number in many:
        reveals.add(ANNA.ref, number)

    assert reveals.of_manager(ANNA.ref) == frozenset(many[1:])
    assert reveals.of_manager(BORIS.ref) == reveals.of_manager(None) == frozenset()
