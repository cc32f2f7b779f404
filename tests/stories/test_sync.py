"""A sync that fails leaves the old directory; one that is refused waits for a person."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge import bootstrap
from bridge.cli.shared import ExitCode, error_message, exit_code
from bridge.errors import OneCError, OneCUnauthorized, SyncAlreadyRunning, SyncRefused
from bridge.lab.demo.callers import choose_callers
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, PARTNERS, USERS
from tests.stories.processes import ServiceFolder, open_service_folder

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        yield opened


def reported(site: ServiceFolder, number: str) -> str | None:
    """Return the extension the PBX would get."""
    _, decision = bootstrap.explain(site.settings(), number, "")
    return decision.extension


def move_the_contact(site: ServiceFolder) -> tuple[str, str, str]:
    """Give a caller's partner another manager in 1C: (number, extension before, after)."""
    world = site.lab.infobase
    actor = choose_callers(world).contact
    other, extension = next(
        (u, e)
        for u, e in sorted(world.extensions.items())
        if world.may_take_calls(u) and e != actor.extension
    )
    site.lab.move_manager(actor.partner, other)
    return actor.sent_number, actor.extension, extension


@pytest.mark.parametrize(("set_name", "share"), [(PARTNERS, 1.0), (CONTACT_PERSONS, 0.5)])
async def test_a_shrunken_listing_is_refused_until_a_person_accepts_it(
    site: ServiceFolder, set_name: str, share: float
) -> None:
    first = await site.sync()
    number, before, _ = move_the_contact(site)
    site.lab.faults.add("shrunken", set=set_name, share=share)
    for full in (False, True):
        with pytest.raises(SyncRefused) as refused:
            await site.sync(full=full)
        assert exit_code(refused.value) is ExitCode.REFUSED
        assert "--accept-shrink" in str(refused.value)
        assert reported(site, number) == before
    accepted = await site.sync(accept_shrink=True)
    assert accepted.numbers < first.numbers
    site.lab.faults.clear()
    healed = await site.sync()
    assert healed.numbers == first.numbers


_TROUBLES: tuple[tuple[dict[str, Any], ExitCode], ...] = (
    ({"kind": "maintenance_200"}, ExitCode.UNREACHABLE),
    ({"kind": "maintenance_503"}, ExitCode.UNREACHABLE),
    ({"kind": "rights_200", "set": PARTNERS}, ExitCode.UNAUTHORIZED),
    ({"kind": "plain_200", "set": PARTNERS}, ExitCode.UNAUTHORIZED),
    ({"kind": "sign_in_200", "set": PARTNERS}, ExitCode.UNAUTHORIZED),
    ({"kind": "blocked_200", "set": PARTNERS}, ExitCode.UNREACHABLE),
    ({"kind": "sessions_blocked"}, ExitCode.UNREACHABLE),
    ({"kind": "pool_exhausted"}, ExitCode.UNREACHABLE),
    ({"kind": "unauthorised"}, ExitCode.UNAUTHORIZED),
    ({"kind": "rights", "set": PARTNERS}, ExitCode.UNAUTHORIZED),
    ({"kind": "down"}, ExitCode.UNREACHABLE),
    ({"kind": "data_lock"}, ExitCode.UNREACHABLE),
    ({"kind": "out_of_memory"}, ExitCode.UNREACHABLE),
    ({"kind": "platform_error"}, ExitCode.UNREACHABLE),
    ({"kind": "no_licence_500"}, ExitCode.UNREACHABLE),
    ({"kind": "truncated", "set": CONTACT_PERSONS}, ExitCode.UNREACHABLE),
    ({"kind": "cut", "set": CONTACT_PERSONS}, ExitCode.UNREACHABLE),
    ({"kind": "lost_reply", "set": USERS}, ExitCode.UNREACHABLE),
    ({"kind": "flaky"}, ExitCode.UNREACHABLE),
    # After the listings: the body of what moved cannot be had.
    ({"kind": "maintenance_200", "set": PARTNERS, "nth": 2}, ExitCode.UNREACHABLE),
    ({"kind": "cut", "set": PARTNERS, "nth": 2}, ExitCode.UNREACHABLE),
    ({"kind": "truncated", "set": PARTNERS, "nth": 2}, ExitCode.UNREACHABLE),
    ({"kind": "unauthorised", "set": PARTNERS, "nth": 2}, ExitCode.UNAUTHORIZED),
)


async def test_the_sentence_of_1cs_page_is_quoted_and_the_advice_is_about_rights(
    site: ServiceFolder,
) -> None:
    site.lab.faults.add("rights_200", set=PARTNERS)

    with pytest.raises(OneCUnauthorized) as refused:
        await site.sync()

    text = error_message(refused.value)
    assert "Нарушение прав доступа! Обратитесь к администратору." in text
    assert "has the user the rights" in text
    assert "BRIDGE_ONEC_URL" not in text


async def test_whatever_goes_wrong_the_old_index_goes_on_answering(site: ServiceFolder) -> None:
    await site.sync()
    number, before, after = move_the_contact(site)
    for trouble, code in _TROUBLES:
        site.lab.faults.add(**trouble)
        with pytest.raises(OneCError) as failed:
            await site.sync()
        assert exit_code(failed.value) is code, trouble
        assert reported(site, number) == before, trouble
        site.lab.faults.clear()
    report = await site.sync()
    assert report.changed
    assert reported(site, number) == after


async def test_a_killed_sync_leaves_the_old_world_and_frees_the_directory(
    site: ServiceFolder,
) -> None:
    await site.sync()
    number, before, after = move_the_contact(site)
    # The bodies of what moved are fetched inside the transaction.
    site.lab.faults.add("slow", set=PARTNERS, nth=2, seconds=60)
    process = await site.start("sync", "--json")
    await site.gate.wait_until_reached()

    with pytest.raises(SyncAlreadyRunning) as running:
        await site.sync()
    assert "another sync run is writing" in str(running.value)
    assert reported(site, number) == before

    process.send_signal(signal.SIGKILL)
    await asyncio.wait_for(process.communicate(), 10)
    assert reported(site, number) == before
    site.lab.faults.clear()
    site.gate.opened.set()
    await site.sync()
    assert reported(site, number) == after
