"""What `onec-bridge check` learns of a publication, good and bad."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from bridge.adapters.onec.probe import ODataProbe
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER, OneCLab
from bridge.ports.onec import ProbeFinding
from tests.support.lab_transport import LabTransport
from tests.support.onec_lab import (
    ATTRIBUTE,
    NOW,
    make_draft,
    make_journal,
    make_lab,
)

pytestmark = pytest.mark.anyio


class Dated(httpx.AsyncBaseTransport):
    """A web server before the lab that dates its answers, as all of them do."""

    def __init__(self, lab: OneCLab, date: str) -> None:
        self._lab = LabTransport(lab)
        self._date = date

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._lab.handle_async_request(request)
        if self._date:
            response.headers["Date"] = self._date
        return response


async def findings(
    lab: OneCLab,
    *,
    date: str = "Mon, 23 Nov 2026 09:30:20 GMT",
    zone: str = "Europe/Moscow",
    password: str = DEFAULT_PASSWORD,
) -> dict[str, ProbeFinding]:
    config = ODataConfig("http://lab/ut11", DEFAULT_USER, password)
    client = ODataClient(config, transport=Dated(lab, date))
    probe = ODataProbe(
        client, zone=ZoneInfo(zone), extension_attribute=ATTRIBUTE, clock=lambda: NOW
    )
    return {finding.name: finding for finding in await probe.run()}


async def test_a_good_publication_has_no_complaints() -> None:
    found = await findings(make_lab(5))

    assert {f.level for f in found.values()} == {"ok"}
    assert found["clock"].fields == {"skew_s": "20"}
    assert found["partners"].fields["name"]


@pytest.mark.parametrize("release", ["11.4.2", "11.5.8", "11.5.27"])
async def test_no_release_lacks_a_field_the_bridge_uses(release: str) -> None:
    assert (await findings(make_lab(5, release=release)))["fields"].level == "ok"


async def test_when_1c_cannot_be_reached_nothing_else_is_asked() -> None:
    lab = make_lab(5)
    found = await findings(lab, password="другой")

    assert found == {"reach": found["reach"]}
    assert (found["reach"].level, found["reach"].fields["kind"]) == ("fail", "OneCUnauthorized")


async def test_sets_that_are_not_published_are_named() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {
        "InformationRegister_НапоминанияПользователя",
        "Catalog_ЗначенияСвойствОбъектов",
    }
    found = await findings(lab)

    assert found["published"].level == "fail"
    assert found["published"].fields == {
        "missing": "InformationRegister_НапоминанияПользователя",
        "optional": "Catalog_ЗначенияСвойствОбъектов",
    }
    assert found["reminders"].level == "fail"
    assert found["attribute"].level == "warn"


async def test_an_empty_composition_fails_everywhere_but_is_no_riddle() -> None:
    lab = make_lab(5)
    lab.switches.composition = set()
    found = await findings(lab)

    assert found["reach"].fields == {"sets": "0"}
    assert found["published"].level == "fail"


async def test_a_section_that_is_not_published_is_a_missing_field() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {"Catalog_Партнеры_КонтактнаяИнформация"}
    found = await findings(lab)

    assert found["fields"].level == "fail"
    assert "Catalog_Партнеры.КонтактнаяИнформация/Тип" in found["fields"].fields["missing"]


async def test_an_attribute_that_nobody_made_fails_with_its_title() -> None:
    found = await findings(make_lab(5, quirks=DataQuirks(attribute=False)))

    assert found["attribute"] == ProbeFinding("attribute", "fail", {"title": ATTRIBUTE})


async def test_an_attribute_in_the_register_lists_its_users() -> None:
    lab = make_lab(5, quirks=DataQuirks(extension_storage="register"))

    assert (await findings(lab))["attribute"].fields["users"] == str(len(lab.infobase.extensions))


@pytest.mark.parametrize(
    ("date", "level", "fields"),
    [
        ("Mon, 23 Nov 2026 09:36:00 GMT", "warn", {"skew_s": "360"}),
        ("", "warn", {"unread": "Date"}),
        ("soon", "warn", {"unread": "Date"}),
    ],
)
async def test_clocks_apart_are_a_warning(date: str, level: str, fields: dict[str, Any]) -> None:
    clock = (await findings(make_lab(5), date=date))["clock"]

    assert (clock.level, clock.fields) == (level, fields)


async def test_a_call_of_the_future_casts_doubt_on_the_zone() -> None:
    lab = make_lab(5)
    await make_journal(lab).create_phone_call(make_draft(lab, at=NOW - timedelta(minutes=5)))

    assert (await findings(lab))["zone"].level == "ok"
    doubted = (await findings(lab, zone="Europe/Berlin"))["zone"]
    assert (doubted.level, doubted.fields["ahead_s"]) == ("warn", str(2 * 3600 - 5 * 60 - 20))


async def test_unreadable_metadata_is_a_warning() -> None:
    lab = make_lab(5)
    lab.faults.add("maintenance_200", set="$metadata")

    assert (await findings(lab))["fields"].level == "warn"


@pytest.mark.parametrize("hides", [False, True])
async def test_the_longest_address_is_tried_by_reading_nobodys_reminder(hides: bool) -> None:
    lab = make_lab(5)
    lab.switches.iis_html_404 = hides
    assert (await findings(lab))["addresses"] == ProbeFinding("addresses", "ok", {"length": "251"})

    lab.switches.iis_segment_limit = 250
    found = (await findings(lab))["addresses"]
    assert found.level == "warn"
    assert "UrlSegmentMaxLength" in found.fields["error"]


async def test_an_unpublished_register_is_no_matter_of_addresses() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {"InformationRegister_НапоминанияПользователя"}

    assert (await findings(lab))["addresses"].fields["kind"] == "OneCNotPublished"
