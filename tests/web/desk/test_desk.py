"""The desk's addresses: who sits where, what a manager sees of numbers and may do."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import Target
from bridge.ports.audit import AuditAct
from bridge.ports.events import CallRecorded, MissedCallChanged
from bridge.web.access import Role, Viewer
from bridge.web.desk.cards import DeskAudience
from bridge.web.desk.rendering import DeskRenderer
from bridge.web.desk.stream import desk_lines
from bridge.web.shared.event_stream import MAX_STREAMS_OF_ONE
from bridge.web.shared.pages import PageRenderer
from tests.support.builders import NOON, NUMBER, call, card, partner, question, ref
from tests.support.fakes.order_button import FakeOriginator
from tests.web.signed_in_managers import ANNA, BORIS, as_manager, web_with_managers
from tests.web.web_fixture import WebFixture

pytestmark = pytest.mark.anyio

SEATED = "/desk?extension=205"


def desk_web(*, masked: bool = False, **changes: Any) -> WebFixture:
    made = web_with_managers(masked=masked, **changes)
    made.call_ordering = FakeOriginator(made.clock)
    return made


def record(at: WebFixture, shown: PhoneCall | None = None) -> PhoneCall:
    shown = shown or call()
    at.ledger.stored[shown.key] = shown
    at.desk_state.publish(CallRecorded(shown))
    return shown


def read_events(text: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Read a stream's text into (id, event, data)."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


async def test_a_manager_sits_at_his_own_telephone_whatever_he_asks_for() -> None:
    at = desk_web()
    mine = record(at)
    async with as_manager(at, BORIS) as boris:
        page = await boris.get(SEATED)
        assert page.status_code == 200
        assert mine.key not in page.text
        assert 'data-extension="207"' in page.text
        assert (await boris.get(f"/desk/calls/{mine.key}?extension=205")).status_code == 404
        note = await boris.post(f"/desk/calls/{mine.key}/note", data={"text": "his?"})
        assert note.status_code == 404
    async with as_manager(at, ANNA) as anna:
        assert mine.key in (await anna.get("/desk")).text


async def test_the_administrator_chooses_a_desk() -> None:
    async with desk_web().admin() as admin:
        page = (await admin.get("/desk")).text
        assert "/desk?extension=205" in page
        assert "Борис Орлов, 207" in page


async def test_a_manager_without_extension_sees_the_reason() -> None:
    at = desk_web()
    at.directory.staff[BORIS.ref] = replace(BORIS, extension=None)
    async with as_manager(at, BORIS) as boris:
        page = (await boris.get("/desk")).text
        assert "1C has no extension for you" in page
        assert "Ask the administrator to enter it in your user card in 1C" in page
        assert 'href="/desk">Look again' in page
        assert (await boris.get("/desk/stream")).status_code == 404
        at.directory.staff[BORIS.ref] = BORIS
        assert 'data-extension="207"' in (await boris.get("/desk")).text


async def test_two_people_with_one_extension_are_warned_and_lose_no_call() -> None:
    at = desk_web()
    at.directory.staff[BORIS.ref] = replace(BORIS, extension="205")
    shown = record(at)
    names = "several people have extension 205: Анна Петрова, Борис Орлов"
    async with as_manager(at, BORIS) as boris, at.admin() as admin:
        page = (await boris.get("/desk")).text
        over_his_shoulder = (await admin.get(SEATED)).text
        links = (await admin.get("/desk")).text

    assert names in page
    assert "Ask the administrator to give each of you an own extension" in page
    assert "Борис Орлов, extension 205" in page
    assert shown.key in page
    assert names in over_his_shoulder
    assert "Leave the extension with one of them" in over_his_shoulder
    assert links.count("shared with others") == 2


async def test_an_extension_of_one_is_not_talked_about() -> None:
    at = desk_web()
    async with as_manager(at, ANNA) as anna, at.admin() as admin:
        assert "several people" not in (await anna.get("/desk")).text
        assert "shared with others" not in (await admin.get("/desk")).text


async def test_a_stranger_sees_nothing() -> None:
    at = desk_web()
    for path in (SEATED, "/desk/stream", "/desk/search?q=a", "/desk/calls/x"):
        async with at.client(peer="203.0.113.9") as stranger:
            assert (await stranger.get(path)).status_code == 401


async def test_another_sites_form_does_nothing() -> None:
    at = desk_web()
    shown = record(at)
    async with as_manager(at, ANNA, **{"Sec-Fetch-Site": "cross-site"}) as anna:
        answer = await anna.post(f"/desk/calls/{shown.key}/note", data={"text": "x"})
        assert answer.status_code == 403
    assert at.ledger.stored[shown.key].notes == ()


async def test_numbers_of_other_managers_clients_are_masked() -> None:
    at = desk_web(masked=True)
    his = partner("ИП Лютик", manager="Борис Орлов", phones=("+7 916 111-22-33",))
    other = PhoneNumber(79161112233)
    at.directory.cards[other] = card(his, number=other)
    record(at)
    owner = at.directory.cards[other].candidates
    strange = call(question("+79161112233", asked_time="2"))
    record(at, replace(strange, decision=replace(strange.decision, candidates=owner)))
    async with as_manager(at, ANNA) as anna:
        page = (await anna.get("/desk")).text
        assert "+7 (903) 555-01-23" in page
        assert "111-22-33" not in page
        assert "ИП Лютик" in page
    async with at.admin() as admin:
        assert "+7 (916) 111-22-33" in (await admin.get(SEATED)).text


async def test_the_stream_goes_on_from_the_id_the_browser_saw() -> None:
    at = desk_web()
    first = record(at)
    seen = at.desk_state.calls.updates_since("205", "").last_id
    second = record(at, call(question("+79161112233", asked_time="2")))

    lines = await first_lines(at, seen)
    assert [kind for _, kind, _ in lines] == ["card", "missed", "beat"]
    assert second.key in str(lines[0][2]["card"])
    assert first.key not in str(lines[0][2]["card"])
    whole = await first_lines(at, "another-1")
    assert whole[0][1] == "board"
    assert len(whole[0][2]["cards"]) == 2


async def first_lines(at: WebFixture, after: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return what a stream sends at once, until its first beat."""
    rendering = DeskRenderer(at.services(), PageRenderer("en", UTC))
    viewer = DeskAudience("205", "en", Viewer(Role.ADMIN))
    stream = ""
    lines = desk_lines(
        at.desk_state.calls,
        "205",
        after,
        write_card=lambda posted: rendering.render_card(posted, viewer),
        missed_calls=lambda: at.desk_state.missed_calls.of_extension("205"),
        write_missed_calls=lambda missed_calls: rendering.render_missed_calls(missed_calls, viewer),
        heartbeat_s=15,
        time_text=lambda: at.clock().isoformat(),
    )
    async for line in lines:
        stream += line
        if "event: beat" in line:
            break
    await lines.aclose()
    return read_events(stream)


async def test_a_missed_call_s_card_shows_that_the_client_was_called_back() -> None:
    at = desk_web()
    missed = record(at, replace(call(), state=CallState(Disposition.MISSED)))
    owner = Target("205", ANNA.ref, ANNA.name)
    key = missed.key
    missed_call = MissedCall(
        key, missed.client_key, "Иванов", (NUMBER,), (key,), key, owner, NOON, NOON
    )
    async with as_manager(at, ANNA) as anna:
        seen = []
        for change in ({}, {"closed_at": NOON, "closed_by": "later"}, {"closed_at": NOON}):
            at.desk_state.publish(MissedCallChanged(replace(missed_call, **change)))
            seen.append((await anna.get(f"/desk/calls/{key}")).text)

    assert "Waits since" in seen[0]
    assert "Called back: somebody has talked to the client" in seen[1]
    assert "the reminder was dismissed in 1C" in seen[2]
    assert not any("Waits since" in text for text in seen[1:])


async def test_a_withheld_number_is_shown_once() -> None:
    at = desk_web()
    withheld = call(question("anonymous"))
    record(at, replace(withheld, decision=replace(withheld.decision, candidates=())))
    async with as_manager(at, ANNA) as anna:
        page = (await anna.get("/desk")).text
    read_events = page.count("Unknown caller, number withheld")
    assert read_events
    assert page.count("number withheld") == read_events


async def test_what_somebody_does_is_in_the_audit_list() -> None:
    at = desk_web()
    shown = record(at)
    async with as_manager(at, ANNA) as anna:
        for path, form in (
            ("note", {"text": "счёт"}),
            ("owner", {"owner": at.directory.cards[NUMBER].candidates[0].ref}),
            ("callback", {}),
        ):
            answer = await anna.post(f"/desk/calls/{shown.key}/{path}", data=form)
            assert answer.status_code == 303
    assert [r.act for r in at.audit.appended] == [
        AuditAct.NOTE_WRITTEN,
        AuditAct.OWNER_CHOSEN,
        AuditAct.CALL_ORDERED,
    ]
    assert {r.who for r in at.audit.appended} == {ANNA.name}
    assert not any("5550123" in str(r) for r in at.audit.appended)
    assert at.ledger.stored[shown.key].notes[0].by == ANNA.name


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/desk/calls/{key}/note", {"text": "  "}, 422),
        ("/desk/calls/none/note", {"text": "x"}, 404),
        ("/desk/calls/{key}/owner", {"owner": ref("somebody else")}, 409),
        ("/desk/order", {"q": "нет такого", "of": "x", "place": "0"}, 409),
        ("/desk/order", {"q": "+79035550123", "of": ref("Иванов Пётр"), "place": "7"}, 409),
        ("/desk/order", {"q": "+79035550123", "of": ref("Иванов Пётр"), "place": "-1"}, 409),
        ("/desk/order", {}, 409),
    ],
)
async def test_what_makes_no_sense_is_refused(path: str, form: dict[str, str], status: int) -> None:
    at = desk_web()
    shown = record(at)
    async with at.admin() as admin:
        answer = await admin.post(f"{path.format(key=shown.key)}?extension=205", data=form)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert at.audit.appended == []


async def test_an_order_that_the_pbx_refused_says_why() -> None:
    at = desk_web()
    at.call_ordering = FakeOriginator(at.clock, OrderState.REFUSED, "no money")
    shown = record(at)
    async with at.admin() as admin:
        answer = await admin.post(f"/desk/calls/{shown.key}/callback?extension=205")
    assert answer.status_code == 409
    assert "no money" in answer.json()["error"]


async def test_without_a_pbx_there_is_no_call_button() -> None:
    at = desk_web()
    at.call_ordering = None
    shown = record(at)
    async with at.admin() as admin:
        assert "callback" not in (await admin.get(SEATED)).text
        answer = await admin.post(f"/desk/calls/{shown.key}/callback?extension=205")
    assert answer.status_code == 404


async def test_pages_allow_no_inline_script_and_no_other_host() -> None:
    at = desk_web()
    record(at)
    async with at.admin() as admin:
        page = await admin.get(SEATED)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "http://" not in page.text


async def test_too_many_desks_of_one_telephone_are_refused() -> None:
    at = desk_web()
    for _ in range(MAX_STREAMS_OF_ONE):
        at.stream_limits.acquire("telephone 205")
    async with at.admin() as admin:
        answer = await admin.get("/desk/stream?extension=205")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
