"""1C lists every row and no row is worth anything: callers go where they went, until a yes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from bridge import bootstrap
from bridge.cli.shared import ExitCode, exit_code
from bridge.errors import Loss, RoutingFactsLost
from bridge.lab.demo.callers import choose_callers
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    PROPERTIES,
    PROPERTY_SETS,
)
from bridge.lab.onec.simulator import OneCLab
from tests.stories.processes import ServiceFolder, open_service_folder, wait_until
from tests.stories.test_damage import Service, serving

pytestmark = pytest.mark.anyio


_PATIENCE_S, _LOOK_S = 60, 0.05


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        yield opened


def reported(site: ServiceFolder, number: str) -> str | None:
    """Return the extension the PBX would get."""
    _, decision = bootstrap.explain(site.settings(), number, "")
    return decision.extension


def leave_out(*names: str) -> Callable[[OneCLab], object]:
    return lambda lab: lab.switches.unpublished.update(names)


LOSSES: dict[str, tuple[Callable[[OneCLab], object], str]] = {
    "renamed": (lambda lab: lab.rename_attribute("Добавочный"), "extension"),
    "emptied": (lambda lab: lab.empty_attribute(), "extension"),
    "a date": (lambda lab: lab.retype_attribute("DateTime"), "extension"),
    "a boolean": (lambda lab: lab.retype_attribute("Boolean"), "extension"),
    "attributes not published": (leave_out(PROPERTIES), "extension"),
    "sets not published": (leave_out(PROPERTY_SETS), "extension"),
    "main managers": (lambda lab: lab.empty_owners(PARTNERS), "main_manager"),
    "owners": (lambda lab: lab.empty_owners(CONTACT_PERSONS), "contact_owner"),
    "firms": (lambda lab: lab.empty_owners(COUNTERPARTIES), "counterparty_owner"),
    "phones": (lambda lab: lab.garble_phones(PARTNERS), "partner_phone"),
    "phones of contacts": (lambda lab: lab.garble_phones(CONTACT_PERSONS), "contact_phone"),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_what_callers_are_routed_by_is_kept_until_a_person_accepts_its_loss(
    site: ServiceFolder, loss: str
) -> None:
    first = await site.sync()
    number, before = _caller(site)
    lose, fact = LOSSES[loss]
    lose(site.lab)

    for full in (False, True):
        with pytest.raises(RoutingFactsLost) as refused:
            await site.sync(full=full)
        assert exit_code(refused.value) is ExitCode.REFUSED
        assert fact in [found.what for found in refused.value.losses]
        assert reported(site, number) == before
    accepted = await site.sync(accept_shrink=True)
    later = await site.sync()

    assert accepted.facts.get(fact, 0) < first.facts[fact]
    assert not later.changed


async def test_a_mistyped_attribute_is_refused_in_text_and_in_json(site: ServiceFolder) -> None:
    await site.sync()
    number, before = _caller(site)

    result = await site.run_command("sync", "--json", EXTENSION_ATTRIBUTE="Внутрений номер")
    text = await site.run_command("sync", EXTENSION_ATTRIBUTE="Внутрений номер")

    document = json.loads(result.out)
    assert (result.code, text.code) == (3, 3)
    assert (document["ok"], document["code"], document["alarm"]) == (False, 3, "extensions_lost")
    (loss,) = document["losses"]
    assert (loss["what"], loss["now"]) == ("extension", 0)
    assert f"0 of {loss['before']} managers with an extension" in text.err
    assert "BRIDGE_EXTENSION_ATTRIBUTE" in text.err
    assert "--accept-shrink" in text.err
    assert reported(site, number) == before
    assert (await site.run_command("sync", "--json")).code == 0


async def test_a_shrunken_listing_names_its_own_alarm(site: ServiceFolder) -> None:
    await site.sync()
    site.lab.faults.add("shrunken", set=PARTNERS, share=0.5)

    result = await site.run_command("sync", "--json")

    assert (result.code, json.loads(result.out)["alarm"]) == (3, "sync_refused")


async def test_a_first_run_with_a_mistyped_attribute_says_that_nobody_is_reached(
    site: ServiceFolder,
) -> None:
    result = await site.run_command("sync", "--json", EXTENSION_ATTRIBUTE="Внутрений номер")
    text = await site.run_command("sync", EXTENSION_ATTRIBUTE="Внутрений номер")

    assert result.code == 0
    assert json.loads(result.out)["nobody_reachable"]
    assert "nobody has an extension" in text.out.replace("\n", " ")


async def test_the_service_raises_the_alarm_also_of_a_refusal_of_before_its_start(
    site: ServiceFolder,
) -> None:
    await site.sync()
    number, before = _caller(site)
    site.lab.rename_attribute("Добавочный")
    with pytest.raises(RoutingFactsLost):
        await site.sync()

    async with serving(
        site, SYNC_INTERVAL_S="1", ADMIN_PASSWORD="composed-admin", LANG="en"
    ) as service:
        (alarm,) = await _alarms(service, 1)
        answered = await service.answer(number)
        page = (await _get(service, "/console/sync")).text
        site.lab.rename_attribute("Внутренний номер")
        run = await _post(service, "/console/sync/run")  # the schedule would wait longer each time
        over = await _alarms(service, 0)
        failures = service.reported("sync_failed")
    assert alarm["name"] == "extensions_lost"
    assert "0 of " in alarm["words"]
    assert answered == before
    assert "managers with an extension: " in page
    assert run.status_code == 303
    assert over == []
    assert len(failures) == 1


async def test_a_wrong_password_leaves_one_structured_line_and_no_bare_one(
    site: ServiceFolder,
) -> None:
    await site.sync()
    async with serving(site, SYNC_INTERVAL_S="1", ONEC_PASSWORD="wrong") as service:
        await wait_until(lambda: bool(service.reported("sync_failed")), "the failure is logged")
        asked = len(site.lab.request_log)
        await wait_until(lambda: len(site.lab.request_log) > asked, "1C is asked again")
    lines = service.log.read_text().splitlines()
    assert [line for line in lines if line[:1] != "{"] == []
    assert len([line for line in lines if "sync_failed" in line]) == 1


async def _get(service: Service, path: str) -> httpx.Response:
    address = f"http://127.0.0.1:{service.site.port}{path}"
    return await service.http.get(address, auth=("admin", "composed-admin"))


async def _post(service: Service, path: str) -> httpx.Response:
    address = f"http://127.0.0.1:{service.site.port}{path}"
    own = {"Origin": f"http://127.0.0.1:{service.site.port}", "Sec-Fetch-Site": "same-origin"}
    return await service.http.post(address, auth=("admin", "composed-admin"), headers=own)


async def _alarms(service: Service, count: int) -> list[dict[str, str]]:
    """Wait until so many alarms of losses stand."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            found = (await _get(service, "/api/v1/alarms")).json()
            lost = [alarm for alarm in found if alarm["name"] == "extensions_lost"]
            if len(lost) == count:
                return lost
            await asyncio.sleep(_LOOK_S)  # between looks at another process only


async def test_managers_who_leave_one_by_one_are_missed_when_they_are_many(
    site: ServiceFolder,
) -> None:
    first = await site.sync()
    known = first.facts["extension"]
    runs = await _lose_one_by_one(site)

    assert runs[-1].before == known
    assert known - runs[-1].now == int(known * 0.2) + 1


async def _lose_one_by_one(site: ServiceFolder) -> tuple[Loss, ...]:
    for _ in range(200):
        site.lab.empty_attribute(1)
        try:
            await site.sync()
        except RoutingFactsLost as refused:
            return refused.losses
    raise AssertionError("nobody was missed")


def _caller(site: ServiceFolder) -> tuple[str, str]:
    actor = choose_callers(site.lab.infobase).contact
    return actor.sent_number, actor.extension
