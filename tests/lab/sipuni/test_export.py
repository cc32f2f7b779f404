"""The export of the lab's statistics, its recordings and operators."""

import asyncio

import httpx
import pytest

from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.scenarios.playback import play_scenario
from bridge.lab.sipuni.switches import CabinetSwitches, PlannedOutcome
from tests.lab.sipuni.test_api import (
    CALLER,
    DAY,
    DID,
    EXPORT,
    NOW,
    WITHOUT_EVENTS,
    OpenPause,
    cabinet,
    rows,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("reordered", [False, True])
async def test_the_export_is_read_by_header_and_knows_calls_whose_end_was_lost(
    reordered: bool,
) -> None:
    switches = CabinetSwitches(reordered_columns=reordered, drop_event2=True, record_id_shift=True)
    async with cabinet(switches) as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID))
        await sipuni.lab.place_call(CallPlan(CALLER, DID, PlannedOutcome.NO_ANSWER))
        reply = await sipuni.post("statistic/export", DAY)

    first, second = rows(reply)
    assert reply.content.startswith(b"\xef\xbb\xbf")
    assert b";" in reply.content
    assert first["Время"] == "01.01.2026 03:00:00"
    assert (first["Статус"], second["Статус"]) == ("Отвечен", "Не отвечен")
    assert (first["Откуда"], first["Куда"]) == (CALLER, DID)
    assert first["Кто разговаривал"] == "205 (Иванов И.) 60"
    assert first["ID записи"] == sipuni.lab.calls[0].record_id != sipuni.lab.calls[0].header.call_id


async def test_the_export_does_not_know_a_call_that_goes_on() -> None:
    pause = OpenPause()

    async with cabinet(pause=pause) as sipuni:
        calling = asyncio.create_task(sipuni.lab.place_call(CallPlan(CALLER, DID)))
        await pause.began.wait()
        before = rows(await sipuni.post("statistic/export", DAY))
        pause.ends.set()
        await calling
        after = rows(await sipuni.post("statistic/export", DAY))

    assert (before, len(after)) == ([], 1)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["03:00", "03:01", "03:02", "03:03"]),
        ({"type": "0", "state": "0"}, ["03:00", "03:01", "03:02", "03:03"]),
        ({"type": "1"}, ["03:00", "03:01"]),
        ({"type": "2"}, ["03:02", "03:03"]),
        ({"type": "3"}, []),
        ({"state": "1"}, ["03:00", "03:02", "03:03"]),
        ({"state": "2"}, ["03:01"]),
        ({"type": "1", "state": "2"}, ["03:01"]),
        ({"timeFrom": "03:01", "timeTo": "03:02"}, ["03:01", "03:02"]),
        ({"from": "31.12.2025", "to": "31.12.2025"}, []),
    ],
)
async def test_the_export_honours_its_window_and_filters(
    asked: dict[str, str], found: list[str]
) -> None:
    minutes = iter(range(100))
    switches = CabinetSwitches(time_without_seconds=True)
    async with cabinet(switches, clock=lambda: NOW + 60 * next(minutes)) as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID))
        await sipuni.lab.place_call(CallPlan(CALLER, DID, PlannedOutcome.NO_ANSWER))
        await sipuni.lab.push_events(sipuni.lab.order_call("205", CALLER))
        await sipuni.lab.push_events(sipuni.lab.order_external(CALLER, "79007654321"))
        reply = await sipuni.post("statistic/export", DAY | asked)

    assert [row["Время"].removeprefix("01.01.2026 ") for row in rows(reply)] == found


@pytest.mark.parametrize(
    ("switches", "found"),
    [
        (CabinetSwitches(), ["31.12.2025 23:30:00", "01.01.2026 03:00:00", "01.01.2026 03:30:30"]),
        (CabinetSwitches(export_times_daily=True), ["01.01.2026 03:00:00", "01.01.2026 03:30:30"]),
        (
            CabinetSwitches(export_last_minute=False),
            ["31.12.2025 23:30:00", "01.01.2026 03:00:00"],
        ),
    ],
)
async def test_the_times_of_a_period_are_read_in_each_way(
    switches: CabinetSwitches, found: list[str]
) -> None:
    moments = iter([NOW - 3.5 * 3600, NOW, NOW + 1830, NOW + 3600])
    async with cabinet(switches) as sipuni:
        for moment in moments:
            await play_scenario(WITHOUT_EVENTS, sipuni.lab, start=int(moment))
        asked = {"from": "31.12.2025", "to": "01.01.2026", "timeFrom": "02:00", "timeTo": "03:30"}
        reply = await sipuni.post("statistic/export", asked)

    assert [row["Время"] for row in rows(reply)] == found


@pytest.mark.parametrize(("newest", "found"), [(False, [0, 1]), (True, [4, 3])])
async def test_the_export_may_cut_its_rows_in_silence(newest: bool, found: list[int]) -> None:
    seconds = iter(range(100))
    switches = CabinetSwitches(export_limit=2, export_newest_first=newest)
    async with cabinet(switches, clock=lambda: NOW + next(seconds)) as sipuni:
        for _ in range(5):
            await sipuni.lab.place_call(CallPlan(CALLER, DID))
        reply = await sipuni.post("statistic/export", DAY)

    assert [int(row["Время"][-2:]) for row in rows(reply)] == found


async def test_an_export_may_have_other_marks_ends_and_headers() -> None:
    switches = CabinetSwitches(
        export_bom=False,
        export_crlf=False,
        headers_without_units=True,
        time_without_seconds=True,
        export_unrecorded_ids=False,
    )
    async with cabinet(switches) as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID, PlannedOutcome.NO_ANSWER))
        reply = await sipuni.post("statistic/export", DAY)

    (row,) = rows(reply)
    assert reply.content.startswith("Тип;".encode())
    assert b"\r" not in reply.content
    assert (row["Длительность звонка"], row["ID записи"]) == ("13", "")
    assert row["Время"] == "01.01.2026 03:00"


async def test_a_transferred_call_lists_both_who_talked() -> None:
    async with cabinet() as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID, PlannedOutcome.TRANSFER))
        reply = await sipuni.post("statistic/export", DAY)

    (row,) = rows(reply)
    assert row["Кто разговаривал"] == "205 (Иванов И.) 31, 206 (Петров П.) 29"
    assert (row["Кто ответил"], row["Кому звонили"]) == ("205", "205, 206")


async def test_the_columns_of_the_export_stand_where_they_were_seen() -> None:
    async with cabinet() as sipuni:
        reply = await sipuni.post("statistic/export", DAY)

    header = reply.content.decode("utf-8-sig").strip().split(";")
    seen = {0: "Тип", 1: "Статус", 2: "Время", 4: "Откуда", 5: "Куда", 11: "ID записи"}
    assert {place: header[place] for place in seen} == seen


async def test_the_export_keeps_to_its_period() -> None:
    async with cabinet() as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID))
        reply = await sipuni.post("statistic/export", EXPORT)

    assert rows(reply) == []


async def test_a_recording_is_audio_by_its_id_and_by_its_link() -> None:
    async with cabinet(CabinetSwitches(record_id_shift=True)) as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID))
        by_id = await sipuni.post("statistic/record", {"id": sipuni.lab.calls[0].record_id})
        link = httpx.URL(sipuni.bridge.events[-1]["call_record_link"])
        by_link = await sipuni.web.get(link.raw_path.decode())

    assert by_id.headers["content-type"] == "audio/mpeg"
    assert by_id.content == by_link.content
    assert by_id.content.startswith(b"ID3")


@pytest.mark.parametrize(
    ("outcome", "switches"),
    [
        (PlannedOutcome.NO_ANSWER, CabinetSwitches()),
        (PlannedOutcome.ANSWERED, CabinetSwitches(recordings_ready=False)),
    ],
)
async def test_an_absent_recording_comes_as_a_sentence(
    outcome: PlannedOutcome, switches: CabinetSwitches
) -> None:
    async with cabinet(switches) as sipuni:
        await sipuni.lab.place_call(CallPlan(CALLER, DID, outcome))
        reply = await sipuni.post("statistic/record", {"id": sipuni.lab.calls[0].record_id})

    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")


async def test_operators_are_listed_with_their_status() -> None:
    async with cabinet(CabinetSwitches(offline_ext=frozenset({"206"}))) as sipuni:
        reply = await sipuni.post("statistic/operators", {})

    assert [list(row.values()) for row in rows(reply)] == [
        ["205", "Иванов И.", "Онлайн"],
        ["206", "Петров П.", "Офлайн"],
    ]
