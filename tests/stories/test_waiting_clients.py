"""Whoever was missed belongs to whom 1C names now, and waits until somebody talked to him since."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.domain.delivery.missed_calls import MissedCall
from bridge.lab.onec.infobase.infobase import PARTNERS
from bridge.lab.sipuni.switches import PlannedOutcome
from bridge.ports.pbx import RawEvent
from bridge.services.sync.pull import PullRules
from tests.stories.test_missed_calls import RULES, Scene, pulled, scene

__all__ = ["pulled"]

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Colleague:
    ref: str
    extension: str


def colleague(at: Scene) -> Colleague:
    """Return another user of 1C who may be offered calls."""
    world = at.service.lab.infobase
    ref = next(u for u in sorted(world.extensions) if world.may_take_calls(u) and u != at.manager)
    return Colleague(ref, world.extensions[ref])


def partner_of(at: Scene) -> str:
    _, decision = at.service.answering.explain(at.client)
    assert decision.candidate is not None
    assert decision.candidate.partner is not None
    return decision.candidate.partner.partner


async def onec_changes(at: Scene, *, accepted: bool = False) -> None:
    """Have the bridge learn what was changed in 1C; *accepted*: a person says that it is right."""
    await at.service.sync(PullRules(accept_shrink=accepted))
    await at.service.following.escalate_missed_calls()
    await at.service.pass_time(40)


async def missed_calls(at: Scene) -> Sequence[MissedCall]:
    return await at.service.ledger.open_missed_calls()


@pytest.fixture
def own(pulled: Path, tmp_path: Path) -> Path:
    """Return a directory of one's own: the test changes 1C."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("directory.db", "metadata.json"):
        if pulled.with_name(name).exists():
            (folder / name).write_bytes(pulled.with_name(name).read_bytes())
    return folder / "directory.db"


async def test_a_missed_call_moves_to_the_manager_whom_1c_names_now(
    own: Path, tmp_path: Path
) -> None:
    async with scene(own, tmp_path) as at:
        await at.misses()
        (first,) = at.reminders()
        other = colleague(at)
        at.service.lab.move_manager(partner_of(at), other.ref)
        await onec_changes(at)

        (moved,) = at.reminders()
        assert moved["Пользователь_Key"] == other.ref
        assert moved["Источник"] == first["Источник"]
        (missed_call,) = await missed_calls(at)
        assert missed_call.owner is not None
        assert missed_call.owner.extension == other.extension


async def test_missed_again_at_the_next_manager_the_client_is_reminded_of_to_him(
    own: Path, tmp_path: Path
) -> None:
    async with scene(own, tmp_path) as at:
        await at.misses()
        other = colleague(at)
        at.service.lab.move_manager(partner_of(at), other.ref)
        at.service.lab.invalidate_user(at.manager)
        await at.service.sync()
        at.service.clock.advance(600)
        await at.misses()

        (reminder,) = at.reminders()
        assert reminder["Пользователь_Key"] == other.ref
        assert str(reminder["Описание"]).startswith("Пропущено звонков: 2")


async def test_a_missed_call_that_moves_there_and_back_is_reminded_of_again(
    own: Path, tmp_path: Path
) -> None:
    async with scene(own, tmp_path) as at:
        await at.misses()
        partner, other = partner_of(at), colleague(at)
        for user in (other.ref, at.manager):
            at.service.lab.move_manager(partner, user)
            await onec_changes(at)
            assert [row["Пользователь_Key"] for row in at.reminders()] == [user]


async def test_who_left_without_a_successor_leaves_the_client_to_the_second_person(
    own: Path, tmp_path: Path
) -> None:
    async with scene(own, tmp_path / "before") as before:
        other = colleague(before)
    rules = replace(RULES, escalate_after=timedelta(hours=9), escalation_extension=other.extension)
    async with scene(own, tmp_path / "after", rules) as at:
        await at.misses()
        world = at.service.lab.infobase
        for user in sorted(world.extensions):
            if user != other.ref:
                at.service.lab.invalidate_user(user)
        await onec_changes(at, accepted=True)

        assert other.ref in [row["Пользователь_Key"] for row in at.reminders()]


async def test_a_partner_deleted_between_two_misses_leaves_one_missed_call_and_one_reminder(
    own: Path, tmp_path: Path
) -> None:
    async with scene(own, tmp_path) as at:
        await at.misses()
        at.service.lab.delete(PARTNERS, partner_of(at))
        await at.service.sync()
        at.service.clock.advance(600)
        await at.misses()

        (missed_call,) = await missed_calls(at)
        assert len(missed_call.call_keys) == 2
        (reminder,) = at.reminders()
        assert str(reminder["Описание"]).startswith("Пропущено звонков: 2")


async def test_a_talk_that_was_before_the_missed_call_does_not_pay_it(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        # The lab plays a call at once, its times run ahead: the talk ends after the miss began.
        await at.service.call(at.client, outcome=PlannedOutcome.ANSWERED)
        await at.misses()

        (missed_call,) = await missed_calls(at)
        assert len(missed_call.call_keys) == 1
        assert any(text.startswith("Пропущен звонок") for text in at.texts())


async def push_events(
    at: Scene, ref: str, *result: tuple[str, float, dict[str, str]], began: datetime | None = None
) -> None:
    """Have the cabinet push events of a call to the client, made from the manager's telephone."""
    first = int((began or at.service.clock()).timestamp())
    for code, after, more in result:
        fields = {
            "event": code,
            "call_id": f"{first}.{ref}",
            "timestamp": str(int(first + after)),
            "src_num": f"012345{at.extension}",
            "src_type": "2",
            "dst_num": at.client,
            "dst_type": "1",
            "user_id": "012345",
            **more,
        }
        raw = RawEvent("sipuni", at.service.clock(), tuple(fields.items()))
        await at.service.following.receive(raw)
    await at.service.pass_time(60)


async def test_our_own_telephone_picked_up_is_no_talk_with_the_client(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        await push_events(at, "900001", ("1", 0, {}), ("3", 3, {}))
        assert len(await missed_calls(at)) == 1  # who picked up is not known yet
        await push_events(
            at, "900002", ("1", 0, {}), ("3", 3, {}), ("2", 30, {"status": "NOANSWER"})
        )

        assert len(await missed_calls(at)) == 1
        assert len(at.reminders(at.manager)) >= 1

        await push_events(at, "900003", ("1", 0, {}), ("3", 3, {}), ("2", 30, {"status": "ANSWER"}))
        assert await missed_calls(at) == []


async def test_a_talk_reported_late_closes_the_misses_before_it_and_not_the_one_after(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        talked = at.service.clock() + timedelta(minutes=1)
        at.service.clock.advance(600)
        await at.misses()
        (before,) = await missed_calls(at)
        answered: tuple[tuple[str, float, dict[str, str]], ...] = (
            ("1", 0.0, {}),
            ("3", 3.0, {}),
            ("2", 30.0, {"status": "ANSWER"}),
        )
        await push_events(at, "900001", *answered, began=talked)

        (left,) = await missed_calls(at)
        assert left.call_keys == before.call_keys[1:]
        (text,) = at.texts()
        assert text.startswith("Пропущен звонок в 12:4")
