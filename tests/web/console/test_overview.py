"""The administrator's page: what it shows, what its buttons do, what it refuses to load."""

import html
import re
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import get_args

import pytest

import bridge.web
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.delivery.texts import Language
from bridge.domain.routing.decision import EvidenceStep, Finding
from bridge.ports.alarms import ActiveAlarm, AlarmName
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.directory import SyncReport
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from bridge.web.shared.language import Localizer
from tests.support.builders import NOON, call, decision, question
from tests.web.web_fixture import WebFixture, partial_report, web_with_known_caller

pytestmark = pytest.mark.anyio

STATIC = Path(bridge.web.__file__).parent / "static"


async def shown(web: WebFixture, path: str = "/") -> str:
    async with web.admin() as admin:
        answer = await admin.get(path)
    assert answer.status_code == 200
    return answer.text


async def test_a_call_shows_who_to_whom_and_why() -> None:
    made = call()
    steps = (EvidenceStep(Finding.MANAGER_CHOSEN, "Анна Петрова", "205"),)
    made = replace(made, decision=replace(made.decision, evidence=steps))
    web = WebFixture()
    web.ledger.stored[made.key] = made

    page = await shown(web)

    assert "Иванов Пётр (ООО Ромашка)" in page
    assert "+7 (903) 555-01-23" in page
    assert re.search(r"205</b>\s+Анна Петрова", page)
    assert "<li>the call goes to Анна Петрова, 205</li>" in page


async def test_unknown_callers_test_calls_and_the_scheme_s_calls_are_shown_too() -> None:
    web = WebFixture()
    for n, caller in enumerate(["+79990000000", "anonymous", "nonsense", None]):
        asked = question(caller, "" if caller is None else "200", asked_time=str(n))
        made = call(asked, decision())
        web.ledger.stored[made.key] = made

    page = await shown(web)

    assert "+7 (999) 000-00-00" in page
    assert "a test from the PBX cabinet" in page
    assert "the PBX scheme" in page


async def test_before_the_first_call_the_page_says_so() -> None:
    page = await shown(WebFixture())

    assert "No calls yet" in page


@pytest.mark.parametrize("lang", ["ru", "en"])
async def test_the_state_of_the_service_is_shown_in_its_own_words(lang: Language) -> None:
    web = web_with_known_caller(
        lang=lang,
        onec_availability=OneCAvailability(False, "Сеансы заблокированы: обновление"),
        alarms=(ActiveAlarm("store_slow", "the disk took over 100 ms", NOON),),
    )
    web.directory.stale = True
    web.add_entry(call(), state=EntryState.DEAD, last_error="Поле «Автор» не заполнено", attempts=3)

    page = await shown(web)

    assert f'<html lang="{lang}">' in page
    assert "Сеансы заблокированы: обновление" in page
    assert "the disk took over 100 ms" in page
    assert "Поле «Автор» не заполнено" in page
    assert ("1 минуту назад" if lang == "ru" else "1 minute ago") in page
    assert ("устарели" if lang == "ru" else "stale") in page
    assert ("попыток: 3" if lang == "ru" else "attempts: 3") in page


async def test_a_service_without_an_index_says_what_to_do() -> None:
    web = WebFixture()
    web.directory.proven_at = None

    assert "Run onec-bridge sync" in await shown(web)


async def test_an_entity_set_that_was_not_compared_is_shown_with_what_to_do() -> None:
    web = WebFixture()
    web.directory.last_report = partial_report()

    page = await shown(web)

    assert "not compared: contact persons" in page
    assert "publish it in 1C: Администрирование" in page


async def test_what_is_wrong_in_1c_s_data_is_shown() -> None:
    web = WebFixture()
    web.directory.last_report = SyncReport(
        NOON,
        1,
        full=False,
        changed=False,
        numbers=0,
        entities=(),
        shared_extensions={"205": ("Анна", "Борис")},
        managers_without_extension=4,
    )

    page = await shown(web)

    assert "Extension 205 belongs to several: Анна, Борис" in page
    assert "1C has no attribute for extensions" in page
    assert "Managers without an extension: 4" in page


async def test_a_final_look_is_no_pending_entry() -> None:
    web = WebFixture()
    web.add_entry(call(), stage=DeliveryStage.VERIFY)

    assert "/retry" not in await shown(web)


async def test_refused_entries_are_not_hidden_behind_waiting_ones() -> None:
    web = WebFixture()
    for n in range(30):
        at = NOON + timedelta(minutes=n)
        web.add_entry(call(question(asked_time=str(n), received_at=at)), created_at=at)
    dead = web.add_entry(
        call(question(asked_time="dead")), state=EntryState.DEAD, created_at=NOON - timedelta(1)
    )

    page = await shown(web)

    assert page.index(f"/console/outbox/{dead.key}/retry") < page.index("waiting")


@pytest.mark.parametrize(("button", "left"), [("retry", EntryState.DUE), ("drop", None)])
async def test_the_buttons_do_what_they_say_and_lead_back(
    button: str, left: EntryState | None
) -> None:
    web = WebFixture()
    entry = web.add_entry(call(), state=EntryState.DEAD)
    async with web.admin() as admin:
        answer = await admin.post(
            f"/console/outbox/{entry.key}/{button}", headers={"Origin": "http://127.0.0.1"}
        )

    assert (answer.status_code, answer.headers["location"]) == (303, "/console/outbox")
    kept = web.ledger.outbox.get(entry.key)
    assert (None if kept is None else kept.state) == left


async def test_a_button_cannot_be_pushed_by_following_a_link() -> None:
    async with WebFixture().admin() as admin:
        answer = await admin.get("/console/outbox/any/drop")

    assert answer.status_code == 405


async def test_parts_of_the_page_are_what_the_page_shows() -> None:
    made = call()
    web = WebFixture()
    web.ledger.stored[made.key] = made

    page = await shown(web)
    part = await shown(web, f"/console/rows/{made.key}")
    state = await shown(web, "/console/state")

    assert part.strip() in page
    assert state.strip() in page
    async with web.admin() as admin:
        assert (await admin.get("/console/rows/none")).status_code == 404


async def test_the_stream_goes_on_from_what_the_page_shows() -> None:
    web = WebFixture()
    web.event_feed.publish(OneCAvailability(True, "up"))

    assert 'data-after="life1-1"' in await shown(web)


async def test_what_1c_and_callers_say_is_never_markup() -> None:
    web = WebFixture(onec_availability=OneCAvailability(False, "<script>alert(1)</script>"))
    made = call(question("<img src=x onerror=alert(1)>"), decision())
    web.add_entry(made, state=EntryState.DEAD, last_error='"><script>alert(2)</script>')

    page = await shown(web)

    assert "<img" not in page
    assert page.count("<script") == 1


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_the_page_loads_nothing_from_elsewhere_and_nothing_inline(path: str) -> None:
    async with WebFixture().admin() as admin:
        answer = await admin.get(path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"<style|<script(?! src=\"/static/)|\son\w+=|\sstyle=", answer.text)
    assert not re.search(r"(src|href|action)=\"(?!/|#)", answer.text)


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.iterdir()))
async def test_what_the_page_loads_is_there(name: str) -> None:
    async with WebFixture().client() as somebody:
        answer = await somebody.get(f"/static/{name}")

    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "://" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_ink_is_readable_on_every_ground() -> None:
    css = (STATIC / "console.css").read_text("utf-8")
    schemes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(schemes) == 3  # light, dark, paper
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", scheme))
        grounds = [colours[g] for g in ("ground", "card", "bad-ground", "new")]
        inks = [colours[i] for i in ("ink", "soft", "accent", "good", "warn", "bad")]
        worst = min(contrast(ink, ground) for ink in inks for ground in grounds)
        assert worst >= 4.5


@pytest.mark.parametrize("name", get_args(AlarmName))
async def test_an_alarm_says_in_the_reader_s_language_what_it_means(name: AlarmName) -> None:
    web = web_with_known_caller(
        lang="ru", alarms=(ActiveAlarm(name, "the words of the trouble", NOON),)
    )

    page = html.unescape(await shown(web))

    assert Localizer("ru", UTC).translate(ALARM_TEXTS[name].advice) in page
    assert "the words of the trouble" in page
