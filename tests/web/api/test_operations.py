"""Alive, ready, figures."""

import pytest

from bridge.errors import StoreDamaged, StoreError
from bridge.ports.alarms import ActiveAlarm
from tests.support.builders import NOON, call
from tests.web.web_fixture import WebFixture, partial_report, web_with_known_caller

pytestmark = pytest.mark.anyio


async def test_the_service_is_alive_for_everybody() -> None:
    async with WebFixture().client(peer="203.0.113.7") as somebody:
        answer = await somebody.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, "ok")


async def test_the_service_is_ready_once_the_index_is_proven() -> None:
    async with web_with_known_caller().client(peer="203.0.113.7") as somebody:
        answer = await somebody.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "reason": "",
        "warnings": [],
        "proven_at": "2026-03-04T11:59:00+00:00",
        "stale": False,
        "numbers": 1,
    }


async def test_the_service_is_not_ready_without_an_index_or_with_a_stale_one() -> None:
    empty, stale = WebFixture(), WebFixture()
    empty.directory.proven_at = None
    stale.directory.stale = True
    async with empty.client() as one, stale.client() as other:
        answers = [await one.get("/readyz"), await other.get("/readyz")]

    assert [a.status_code for a in answers] == [503, 503]
    assert "not loaded" in answers[0].json()["reason"]
    assert "stale" in answers[1].json()["reason"]


async def test_the_service_is_not_ready_with_an_index_that_cannot_be_read() -> None:
    damaged, locked = web_with_known_caller(), web_with_known_caller()
    damaged.directory.broken = StoreDamaged("/data/directory.db", "file is not a database")
    locked.directory.broken = StoreError("/data/directory.db", "database is locked")
    async with damaged.client() as one, locked.client() as other:
        answers = [await one.get("/readyz"), await other.get("/readyz")]

    assert [a.status_code for a in answers] == [503, 503]
    first, second = (a.json()["reason"] for a in answers)
    assert "file is not a database; the next sync" in first
    assert second.endswith("locked")


async def test_alarms_are_warnings_that_name_no_path() -> None:
    web = web_with_known_caller(
        alarms=(ActiveAlarm("store_damaged", "/srv/data/audit.db", NOON, "audit.db"),)
    )
    async with web.client() as somebody:
        answer = await somebody.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["store_damaged (audit.db): A file was damaged"]


async def test_one_stale_entity_set_makes_the_service_not_ready_and_is_named() -> None:
    web = WebFixture()
    web.directory.stale = True
    web.directory.last_report = partial_report()
    async with web.client() as somebody:
        answer = await somebody.get("/readyz")

    assert answer.status_code == 503
    assert "contact persons could not be compared" in answer.json()["reason"]


async def test_figures_are_those_of_the_stores() -> None:
    web = web_with_known_caller()
    web.add_entry(call())
    async with web.admin() as admin:
        answer = await admin.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert 'bridge_outbox_entries{state="due"} 1.0' in answer.text
    assert "bridge_directory_age_seconds 60.0" in answer.text
    assert "bridge_directory_numbers 1.0" in answer.text
