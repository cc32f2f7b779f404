"""The console's pages: what each shows, what its buttons do, and what is recorded of it."""

import csv
import gzip
import html
import re
from dataclasses import replace
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

import bridge.web
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.delivery.texts import Language
from bridge.domain.reporting.data_quality import (
    DataQualityIssue,
    DataQualityIssueKind,
    DataQualityIssues,
)
from bridge.domain.routing.decision import EvidenceStep, Finding, RouteDecision, Rule, Target
from bridge.errors import Loss, StoreError
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.ports.stores.calls import CallFilter, CallSearch
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from bridge.web.console.calls import read_search
from bridge.web.shared.labels import STAGE_LABELS
from tests.support.builders import (
    NOON,
    NUMBER,
    RULES,
    call,
    candidate,
    contact,
    decision,
    manager,
    partner,
    question,
    rows,
)
from tests.web.web_fixture import WebFixture, partial_report, web_with_known_caller

pytestmark = pytest.mark.anyio


PAGES = ["", "calls", "figures", "outbox", "sync", "doctor", "people", "audit"]


TABLES = ["calls", "figures", "outbox", "sync", "doctor", "audit"]


STATIC = Path(bridge.web.__file__).parent / "static"


ANNA = manager()


def answered(n: int = 0, **state: Any) -> PhoneCall:
    at = NOON - timedelta(minutes=n)
    made = call(question(asked_time=str(n), arrived_at=at, received_at=at))
    lived = CallState(
        Disposition.ANSWERED,
        talked_extensions=("205",),
        wait_time=timedelta(seconds=7),
        talk_time=timedelta(seconds=65),
        **state,
    )
    return replace(made, state=lived)


def busy_web(**changes: Any) -> WebFixture:
    """Return an application that has something to show on every page."""
    web = web_with_known_caller(**changes)
    for n in range(3):
        made = answered(n)
        web.ledger.stored[made.key] = made
    web.add_entry(answered(9), state=EntryState.DEAD, last_error="Поле «Автор» не заполнено")
    web.directory.last_report = partial_report()
    web.sync_runs.append(SyncRun(NOON - timedelta(minutes=5), 2.0, partial_report()))
    web.data_quality.unmanaged = DataQualityIssues(
        DataQualityIssueKind.NO_MANAGER,
        1,
        2,
        [DataQualityIssue(DataQualityIssueKind.NO_MANAGER, "ООО Ничей", "00-1", 2)],
    )
    return web


async def shown(web: WebFixture, path: str, method: str = "GET") -> httpx.Response:
    async with web.admin() as admin:
        return await admin.request(method, path, headers={"Origin": "http://127.0.0.1"})


# ---------------------------------------------------------------- all of them
@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("web", [busy_web, WebFixture], ids=["busy", "empty"])
@pytest.mark.parametrize("page", PAGES)
async def test_every_page_is_whole_and_loads_nothing_from_elsewhere(
    page: str, web: type[WebFixture], lang: Language
) -> None:
    answer = await shown(web(lang=lang), f"/console/{page}" if page else "/")

    text = answer.text
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in text
    assert text.count("<h1") == 1
    assert 'href="#main"' in text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"<style|<script(?! src=\"/static/)|\son\w+=|\sstyle=", text)
    assert not re.search(r"(src|href|action)=\"(?!/|#)", text)
    assert len(set(re.findall(r'\sid="([^"]*)"', text))) == len(re.findall(r'\sid="', text))
    for field in re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]*>', text):
        name = re.search(r'\sid="([^"]*)"', field)
        assert name is not None, field
        assert f'for="{name[1]}"' in text


@pytest.mark.parametrize("page", [*PAGES, *(f"{table}.csv" for table in TABLES)])
async def test_no_page_is_for_strangers(page: str) -> None:
    async with busy_web().client(peer="203.0.113.7") as stranger:
        answer = await stranger.get(f"/console/{page}" if page else "/")

    assert answer.status_code == 401


@pytest.mark.parametrize(("lang", "between"), [("ru", ";"), ("en", ",")])
@pytest.mark.parametrize("table", TABLES)
async def test_a_table_opens_in_the_reader_s_spreadsheet_and_its_leaving_is_recorded(
    table: str, lang: Language, between: str
) -> None:
    web = busy_web(lang=lang)

    answer = await shown(web, f"/console/{table}.csv")

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(StringIO(answer.content.decode("utf-8-sig")), delimiter=between))
    assert len(read) > 1
    assert max(len(row) for row in read) > 1
    assert [r.act for r in web.audit.appended] == [AuditAct.CALLS_EXPORTED]


def test_scripts_and_styles_of_all_pages_are_small() -> None:
    files = [path.read_bytes() for path in STATIC.iterdir() if path.suffix in {".css", ".js"}]

    assert sum(len(gzip.compress(content)) for content in files) <= 100 * 1024


# ---------------------------------------------------------------- calls
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, CallSearch()),
        ({"q": "8 (903) 555-01-23"}, CallSearch(CallFilter(number=NUMBER))),
        ({"q": "555-01"}, CallSearch(digits="55501")),
        ({"q": "Ромашка 2"}, CallSearch(name="Ромашка 2")),
        ({"outcome": "missed"}, CallSearch(CallFilter(dispositions=(Disposition.MISSED,)))),
        ({"outcome": "nonsense", "direction": "sideways", "from": "soon"}, CallSearch()),
        (
            {"from": "2026-03-04", "to": "2026-03-04"},
            CallSearch(
                CallFilter(since=NOON - timedelta(hours=12), until=NOON + timedelta(hours=12))
            ),
        ),
        ({"to": "9999-12-31"}, CallSearch()),
    ],
)
def test_a_search_is_read_as_a_person_means_it(asked: dict[str, str], expected: CallSearch) -> None:
    assert read_search(asked, UTC, RULES) == expected


async def test_the_list_shows_what_was_asked_for_and_keeps_the_question() -> None:
    web = busy_web()

    found = await shown(web, "/console/calls?q=иванов&outcome=answered")
    nothing = await shown(web, "/console/calls?q=иванов&outcome=missed")

    assert found.text.count("+7 (903) 555-01-23") == 4
    assert 'value="иванов"' in found.text
    assert "answered" in found.text
    assert "No calls found" in nothing.text


async def test_long_lists_go_on_page_by_page_with_their_filter() -> None:
    web = WebFixture()
    for n in range(60):
        made = answered(n)
        web.ledger.stored[made.key] = made

    first = await shown(web, "/console/calls?outcome=answered")
    following = re.search(r'href="(/console/calls\?[^"]*after=[^"]*)"', first.text)
    assert following is not None
    second = await shown(web, html.unescape(following[1]))

    keys = [
        set(re.findall(r"/console/calls/([0-9a-f]{20})", page.text)) for page in (first, second)
    ]
    assert len(keys[0]) == 50
    assert len(keys[1]) == 10
    assert not keys[0] & keys[1]


async def test_a_formula_in_a_name_is_a_text_in_the_table() -> None:
    web = WebFixture()
    owner = candidate(contact("=cmd|'/c calc'!A1"), [partner()])
    made = call(decided=decision(owner, target=Target("205")))
    web.ledger.stored[made.key] = made

    answer = await shown(web, "/console/calls.csv")

    assert "'=cmd" in answer.text
    assert ",=cmd" not in answer.text
    assert "+7 (903) 555-01-23" in answer.text
    assert "'+7" not in answer.text


FORMULAS = ["==cmd|'/c calc'!A1", "+cmd|' /c calc'!A1", " =1+1", "\t=1", "@SUM(1)", "-2+3", "=1"]


@pytest.mark.parametrize("typed", FORMULAS)
async def test_a_formula_sent_as_a_number_is_a_text_in_every_table(typed: str) -> None:
    web = WebFixture()
    made = call(question(typed))
    web.add_entry(made)

    texts = [(await shown(web, f"/console/{table}.csv")).text for table in ("outbox", "calls")]
    cells = [cell for text in texts for row in csv.reader(StringIO(text)) for cell in row]

    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "@", "-", "+c"))]


@pytest.mark.parametrize("stage", DeliveryStage)
async def test_the_outbox_table_names_every_stage(stage: DeliveryStage) -> None:
    web = WebFixture()
    made = answered()
    web.add_entry(made, stage=stage)

    answer = await shown(web, "/console/outbox.csv")

    assert answer.status_code == 200
    assert STAGE_LABELS[stage] in answer.text


# ---------------------------------------------------------------- a call's page
async def call_page(web: WebFixture, made: PhoneCall, query: str = "") -> str:
    web.ledger.stored.setdefault(made.key, made)
    return html.unescape((await shown(web, f"/console/calls/{made.key}{query}")).text)


async def test_a_call_page_shows_question_decision_state_and_what_1c_got() -> None:
    web = web_with_known_caller()
    made = answered(recording="https://sipuni.example/rec/1")
    steps = (EvidenceStep(Finding.MANAGER_CHOSEN, "Анна Петрова", "205"),)
    decided = replace(made.decision, evidence=steps, proven_at=NOON - timedelta(seconds=90))
    made = replace(made, decision=decided)
    web.add_entry(made, state=EntryState.DEAD, attempts=3, last_error="Поле «Автор» не заполнено")

    page = await call_page(web, made)

    assert "the call goes to Анна Петрова, 205" in page
    assert "+79035550123" in page
    assert "Иванов Пётр (ООО Ромашка)" in page
    assert "1:05" in page
    assert "Поле «Автор» не заполнено" in page
    assert "attempts: 3" in page
    assert f"/console/outbox/{made.key}/retry" in page
    assert 'href="https://sipuni.example/rec/1"' in page


async def test_a_recording_that_is_no_address_is_no_link() -> None:
    page = await call_page(WebFixture(), answered(recording="javascript:alert(1)"))

    assert "javascript" not in page


async def test_a_replay_shows_where_the_call_would_go_today_and_what_differs() -> None:
    same = web_with_known_caller()
    old = call(decided=decision(target=Target("900"), rule=Rule.DEFAULT))

    unchanged = await call_page(same, replace(call(), decision=now(same)), "?replay=1")
    changed = await call_page(web_with_known_caller(), old, "?replay=1")
    unasked = await call_page(web_with_known_caller(), old)

    assert "It would go to the same place: 205" in unchanged
    assert "differs" not in unchanged
    assert "It would go elsewhere: then 900 (by default), now 205" in changed
    assert 'class="differs"' in changed
    assert "Check against current data" in unasked
    assert not same.answering.questions  # nothing was recorded


def now(web: WebFixture) -> RouteDecision:
    return web.answering.explain("+79035550123", "74852550102")[1]


async def test_an_unknown_call_is_a_page_that_says_so() -> None:
    async with WebFixture().admin() as admin:
        answer = await admin.get("/console/calls/none", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "There is no such call" in answer.text


async def test_an_unknown_address_is_answered_in_the_reader_s_language_alone() -> None:
    async with WebFixture(lang="ru").admin() as admin:
        answer = await admin.get("/nothing", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "Здесь ничего нет" in answer.text
    assert "Not Found" not in answer.text


async def test_an_extension_without_an_owner_is_named_alone() -> None:
    ownerless = replace(call(), decision=decision(target=Target("100"), rule=Rule.DEFAULT))

    assert "Sent to 100: by default." in await call_page(WebFixture(), ownerless)


# ---------------------------------------------------------------- outbox, sync, doctor, people
@pytest.mark.parametrize(
    ("button", "act"), [("retry", AuditAct.ENTRY_RETRIED), ("drop", AuditAct.ENTRY_DROPPED)]
)
async def test_a_button_leads_back_to_where_it_was_pushed_and_is_recorded(
    button: str, act: AuditAct
) -> None:
    web = WebFixture()
    entry = web.add_entry(call(), state=EntryState.DEAD)
    async with web.admin() as admin:
        answer = await admin.post(
            f"/console/outbox/{entry.key}/{button}", data={"next": f"/console/calls/{entry.key}"}
        )

    assert answer.headers["location"] == f"/console/calls/{entry.key}"
    assert [(r.act, r.subject) for r in web.audit.appended] == [(act, entry.key)]


async def test_the_outbox_shows_1c_s_message_and_one_state_when_asked() -> None:
    web = busy_web()

    every = await shown(web, "/console/outbox")
    due = await shown(web, "/console/outbox?state=due")

    assert "Поле «Автор» не заполнено" in every.text
    assert "Поле «Автор» не заполнено" not in due.text


async def test_a_refused_shrink_is_accepted_by_a_person_once_and_recorded() -> None:
    web = WebFixture()
    web.sync_runs.append(
        SyncRun(NOON, 1.0, error="partner: 1C lists 3", refused=Shrink("partner", 100, 3))
    )
    asked = await shown(web, "/console/sync")
    accepted = await shown(web, "/console/sync/accept", "POST")
    web.sync_runs.append(SyncRun(NOON, 1.0, SyncReport(NOON, 1.0, False, True, 3, ())))
    again = await shown(web, "/console/sync/accept", "POST")

    assert "97 rows will be forgotten here" in asked.text
    assert accepted.headers["location"] == "/console/sync?started=accept"
    assert again.status_code == 409
    assert web.syncs == [True]
    assert [(r.act, r.words) for r in web.audit.appended] == [(AuditAct.SHRINK_ACCEPTED, "100 → 3")]


LOSSES = (
    Loss("extension", "managers with an extension", 12, 0),
    Loss("contact_phone", "phone numbers of contact persons", 3400, 20),
)


@pytest.mark.parametrize(
    ("lang", "texts"),
    [
        ("en", ["managers with an extension: 12 before, 0 now", "3,400 before, 20 now"]),
        ("ru", ["менеджеры с внутренним номером: было 12, стало 0", "стало 20"]),
    ],
)
async def test_what_rows_lost_is_shown_fact_by_fact_and_accepted_by_a_person(
    lang: Language, texts: list[str]
) -> None:
    web = WebFixture(lang=lang)
    refused = Shrink("extension", 12, 0, LOSSES)
    web.sync_runs.append(SyncRun(NOON, 1.0, error="0 of 12", refused=refused))
    page = (await shown(web, "/console/sync")).text
    accepted = await shown(web, "/console/sync/accept", "POST")

    for sentence in texts:
        assert sentence in page
    assert accepted.status_code == 303
    assert web.syncs == [True]
    assert [(r.act, r.subject, r.words) for r in web.audit.appended] == [
        (AuditAct.SHRINK_ACCEPTED, "extension, contact_phone", "12 → 0, 3400 → 20")
    ]


async def test_that_nobody_has_an_extension_is_accepted_by_a_person() -> None:
    web = WebFixture()
    web.directory.last_report = SyncReport(NOON, 1.0, True, True, 3, (), nobody_reachable=True)
    page = (await shown(web, "/console/sync")).text
    accepted = await shown(web, "/console/sync/accept", "POST")

    assert "Nobody in 1C has an extension" in page
    assert (accepted.status_code, web.syncs) == (303, [True])


async def test_a_fact_of_another_release_is_shown_by_its_own_name() -> None:
    web = WebFixture()
    refused = Shrink("tariff", 9, 0, (Loss("tariff", "tariffs", 9, 0),))
    web.sync_runs.append(SyncRun(NOON, 1.0, error="0 of 9", refused=refused))

    assert "tariffs: 9 before, 0 now" in (await shown(web, "/console/sync")).text


async def test_a_person_may_start_a_run() -> None:
    web = WebFixture()

    await shown(web, "/console/sync/run", "POST")

    assert web.syncs == [False]


@pytest.mark.parametrize("path", ["/console/doctor", "/console/doctor.csv"])
async def test_an_unreadable_directory_is_a_page_with_the_reason(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = WebFixture()

    async def refuses(*_: object) -> DataQualityIssues:
        raise StoreError("directory.db", "database is locked")

    monkeypatch.setattr(web.data_quality, "unmanaged_partners", refuses)
    async with web.admin() as admin:
        answer = await admin.get(path, headers={"Accept": "text/html"})

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "directory.db: database is locked" in answer.text


async def test_each_data_quality_issue_is_shown_with_the_calls_it_cost() -> None:
    web = busy_web()
    web.directory.staff.update(rows(manager("Вера Немая", None)))
    steps = (EvidenceStep(Finding.MANAGER_NO_EXTENSION, "ООО Ромашка", "Вера Немая"),)
    for n in range(2):
        decided = decision(target=Target("100"), rule=Rule.DEFAULT)
        made = call(question(asked_time=f"v{n}"), replace(decided, evidence=steps))
        web.ledger.stored[made.key] = made

    page = (await shown(web, "/console/doctor")).text

    assert re.search(r"Вера Немая</th>.*?>2</td>", page, re.DOTALL)
    assert "ООО Ничей" in page


async def test_managers_get_links_that_open_their_desks_and_each_is_recorded() -> None:
    web = busy_web(public_url="https://bridge.example.ru")
    made = await shown(web, f"/console/people/{ANNA.ref}/link", "POST")
    link = re.search(r'value="(https://bridge.example.ru/enter/[^"]+)"', made.text)
    assert link is not None
    path = link[1].removeprefix("https://bridge.example.ru")
    revoked = await shown(web, f"/console/people/{ANNA.ref}/revoke", "POST")

    assert revoked.status_code == 303
    assert web.audit.generation(ANNA.ref) == 1
    assert [r.act for r in web.audit.appended] == [AuditAct.LINK_MADE, AuditAct.LINK_REVOKED]
    assert path not in (await shown(web, "/console/people")).text
    assert (await shown(web, "/console/people/none/link", "POST")).status_code == 404


async def test_the_audit_list_shows_who_did_what() -> None:
    web = busy_web()
    web.audit.appended += [
        AuditRecord(
            NOON, AuditAct.NUMBER_REVEALED, "manager", "Анна Петрова", "10.0.0.7", "k1", "+7903*"
        ),
        AuditRecord(NOON, AuditAct.LINK_MADE, "admin", subject=ANNA.ref, words=ANNA.name),
    ]

    every = (await shown(web, "/console/audit")).text
    one = (await shown(web, "/console/audit?act=link_made")).text

    assert "looked at a hidden number" in every
    assert "10.0.0.7" in every
    assert "10.0.0.7" not in one
    assert ANNA.ref not in one  # shown by name


async def test_the_audit_list_names_its_terms_in_the_reader_s_language() -> None:
    web = busy_web(lang="ru")
    web.audit.appended += [
        AuditRecord(NOON, AuditAct.SIGNED_IN, "admin", words="link"),
        AuditRecord(NOON, AuditAct.CALLS_EXPORTED, "admin", subject="doctor"),
        AuditRecord(NOON, AuditAct.LINK_MADE, "admin", address="terminal", words="link"),
    ]

    page = (await shown(web, "/console/audit")).text
    table = (await shown(web, "/console/audit.csv")).content.decode("utf-8-sig")

    for text in (page, table):
        assert "по ссылке" in text
        assert "Ошибки в 1С" in text
        assert "на машине моста" in text
        assert "terminal" not in text
    assert ";link" in table  # a name is no term
