"""Publications that hide, lose, break and break off: what a run makes of them, start to end."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.adapters.onec.protocol.client import ODataClient, ODataConfig
from bridge.adapters.onec.reading.source import ODataSource
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCUnauthorized,
    SyncRefused,
)
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS, DataQuirks
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER, OneCLab
from tests.support.onec_lab import ATTRIBUTE, LabTransport, make_lab, pull
from tests.support.sync_environment import SyncEnvironment, expected_index

pytestmark = pytest.mark.anyio

LISTED = "$select=Ref_Key,DataVersion"


def bodies(lab: OneCLab) -> list[str]:
    """Give the questions about owners and users that were no listings."""
    sets = {PARTNERS, CONTACT_PERSONS, COUNTERPARTIES, "Catalog_Пользователи"}
    return [e.query for e in lab.request_log if e.set in sets and LISTED not in e.query]


# ---------------------------------------------------------------- a run without changes
async def test_a_run_without_changes_asks_for_listings_only_and_writes_only_its_report(
    tmp_path: Path,
) -> None:
    house = SyncEnvironment(make_lab(60), tmp_path)
    await house.sync()
    before = house.tables()
    house.lab.request_log.clear()

    report = await house.sync()

    after = house.tables()
    assert not report.changed
    assert not bodies(house.lab)
    assert [name for name in before if before[name] != after[name]] == ["checkpoint"]
    assert len(house.lab.request_log) < 12


async def test_groups_of_the_hierarchy_are_brought_once(tmp_path: Path) -> None:
    house = SyncEnvironment(make_lab(10), tmp_path)
    for set_name in (PARTNERS, COUNTERPARTIES):
        table = house.lab.infobase.tables[set_name]
        ref = "aaaaaaaa-0000-4000-8000-00000000000a"
        table.put({"Ref_Key": ref, "Description": "Архив", "IsFolder": True})
    await house.sync()
    house.lab.request_log.clear()

    report = await house.sync()

    assert not report.changed
    assert not bodies(house.lab)
    assert house.index() == expected_index(house.lab)


@pytest.mark.parametrize("kind", [EntityKind.PARTNER, EntityKind.COUNTERPARTY, EntityKind.MANAGER])
async def test_a_group_of_nulls_is_a_noun_that_nobody_calls(kind: EntityKind) -> None:
    nulls = dict.fromkeys(
        (
            "ОсновнойМенеджер_Key",
            "Партнер_Key",
            "Parent_Key",
            "Code",
            "Клиент",
            "КонтактнаяИнформация",
            "ДополнительныеРеквизиты",
        )
    )
    group = {"Ref_Key": "G-1", "DataVersion": "v1", "Description": "Архив", "IsFolder": True}

    def answer(request: httpx.Request) -> httpx.Response:
        if "$metadata" in request.url.path:
            return httpx.Response(404)
        return httpx.Response(200, json={"value": [group | nulls]})

    client = ODataClient(ODataConfig("http://h", "u", "p"), transport=httpx.MockTransport(answer))
    source = ODataSource(client, rules=PhoneRules(), extension_attribute=ATTRIBUTE)

    [noun] = (await pull(source, kind, [Ref("g-1")], 1)).values()

    assert (noun.name, noun.version) == ("Архив", "v1")
    assert not getattr(noun, "fields", ())
    assert not getattr(noun, "reachable", False)


# ---------------------------------------------------------------- rights
@pytest.mark.parametrize("status", [401, 403])
async def test_rows_hidden_by_rights_end_the_run_and_the_old_index_stays(
    tmp_path: Path, status: int
) -> None:
    house = SyncEnvironment(make_lab(30), tmp_path)
    await house.sync()
    good = house.index()
    house.lab.switches.rights_status = status
    house.lab.switches.rls_rows = {
        house.lab.add_partner("Секрет", phone="8 903 000-00-01", e164="+79030000001")
    }

    with pytest.raises(OneCUnauthorized):
        await house.sync()

    assert house.index() == good
    house.lab.switches.rls_rows = set()
    await house.sync()
    assert house.index() == expected_index(house.lab)


@pytest.mark.parametrize("share", [0.5, 1.0])
async def test_rows_hidden_in_silence_are_taken_for_a_loss_and_refused(
    tmp_path: Path, share: float
) -> None:
    house = SyncEnvironment(make_lab(30), tmp_path)
    await house.sync()
    good = house.index()
    house.lab.faults.add("shrunken", set=PARTNERS, share=share)

    with pytest.raises(SyncRefused) as refused:
        await house.sync()

    assert refused.value.listed < refused.value.held
    assert house.index() == good


# ---------------------------------------------------------------- namesakes under paging
@pytest.mark.parametrize(("names", "most_refused"), [(1, 6), (40, 2)])
async def test_namesakes_lost_between_pages_are_found_or_the_run_is_refused(
    tmp_path: Path, names: int, most_refused: int
) -> None:
    """Ties move rows across pages; a listing short of 1C's own count must bury nobody."""
    house = SyncEnvironment(make_lab(5), tmp_path)
    for n in range(80):
        phone = f"8 (903) 000-00-{n:02d}"
        house.lab.add_partner(f"Иванов {n % names}", phone=phone, e164=f"+790300000{n:02d}")
    await house.sync()
    assert house.index() == expected_index(house.lab)
    house.lab.switches.max_page_bytes = 3_000
    house.lab.request_log.clear()
    told = []
    for n in range(6):
        house.lab.add_partner(f"Иванов {n}")
        good = house.index()
        try:
            report = await house.sync()
        except OneCInvalidResponse as incomplete:
            told.append(str(incomplete))
            assert house.index() == good
        else:
            assert report.entity(EntityKind.PARTNER).listed == len(
                house.lab.infobase.rows(PARTNERS)
            )
            assert house.index() == expected_index(house.lab)
    assert any("$skip" in entry.query for entry in house.lab.request_log)
    assert all("1C counts" in words for words in told)
    assert len(told) <= most_refused


async def test_a_listing_that_breaks_1c_is_paged_and_the_next_whole_one_compared(
    tmp_path: Path,
) -> None:
    house = SyncEnvironment(make_lab(40), tmp_path)
    house.lab.faults.add("out_of_memory", set=PARTNERS, times=1)
    paged = await house.sync()
    assert house.index() == expected_index(house.lab)
    assert paged.entity(EntityKind.PARTNER).fingerprint == ""

    whole = await house.sync()

    assert (whole.changed, whole.entity(EntityKind.PARTNER).fingerprint != "") == (False, True)


# ---------------------------------------------------------------- odd rows
async def test_control_characters_in_names_and_phones_stop_nothing(tmp_path: Path) -> None:
    house = SyncEnvironment(make_lab(30, whims=DataQuirks(control_characters=True)), tmp_path)
    house.lab.add_partner("Ромашка\x00\x0b\x1f ООО", phone="8 903 000-00-01", e164="+79030000001")

    await house.sync()

    assert house.index() == expected_index(house.lab)
    assert not (await house.sync()).changed


async def test_a_partner_with_three_hundred_phones_has_them_all(tmp_path: Path) -> None:
    house = SyncEnvironment(make_lab(3), tmp_path)
    ref = house.lab.add_partner("Холдинг")
    for n in range(300):
        phone, e164 = f"8 (903) 100-0{n // 100}-{n % 100:02d}", f"+79031000{n:03d}"
        house.lab.change_phone(PARTNERS, ref, phone, e164=e164, line=n + 1)

    await house.sync()

    held = house.index()
    assert held == expected_index(house.lab)
    assert sum(any(whose[0] == ref for whose in owners) for owners in held.values()) == 300


# ---------------------------------------------------------------- what is not published
@pytest.mark.parametrize("set_name", [CONTACT_PERSONS, COUNTERPARTIES])
async def test_a_set_that_is_not_published_costs_only_itself(tmp_path: Path, set_name: str) -> None:
    house = SyncEnvironment(make_lab(20), tmp_path)
    house.lab.switches.unpublished = {set_name}

    report = await house.sync()

    [lost] = [entity for entity in report.entities if entity.error]
    assert set_name in lost.error
    assert "Настройка стандартного интерфейса OData" in lost.error
    assert lost.error.count(". ") == 0
    others = {ref for owners in house.index().values() for ref, _, _ in owners}
    assert others == {
        t.ref
        for t in house.lab.infobase.intended_phones
        if t.owner_set != set_name and not _silent(house.lab, t.owner_set, t.ref)
    }
    house.lab.switches.unpublished = set()
    assert not any(e.error for e in (await house.sync()).entities)
    assert house.index() == expected_index(house.lab)


async def test_a_set_taken_out_of_the_publication_keeps_its_rows_and_the_age_of_its_proof(
    tmp_path: Path,
) -> None:
    house = SyncEnvironment(make_lab(20), tmp_path)
    first = await house.sync()
    house.lab.switches.unpublished = {CONTACT_PERSONS}
    good = house.index()
    for _ in range(3):
        report = await house.sync()

    contacts = report.entity(EntityKind.CONTACT)
    assert house.index() == good
    assert (contacts.proven_at, report.lagging_entity) == (first.proven_at, contacts)
    assert report.entity(EntityKind.PARTNER).proven_at == house.now


@pytest.mark.parametrize("set_name", [PARTNERS, "Catalog_Пользователи"])
async def test_without_partners_or_users_the_run_ends_with_their_name(
    tmp_path: Path, set_name: str
) -> None:
    house = SyncEnvironment(make_lab(10), tmp_path)
    house.lab.switches.unpublished = {set_name}

    with pytest.raises(OneCNotPublished, match=set_name):
        await house.sync()

    assert house.index() == {}


def _silent(lab: OneCLab, set_name: str, ref: str) -> bool:
    row: dict[str, Any] = lab.infobase.tables[set_name].rows[ref]
    return bool(row.get("DeletionMark") or row.get("PredefinedDataName"))


# ---------------------------------------------------------------- slow and squeezed
async def test_a_base_that_sleeps_half_a_minute_is_waited_for(tmp_path: Path) -> None:
    house = SyncEnvironment(make_lab(10), tmp_path)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    house.lab.sleep = sleep
    house.lab.switches.cold_start_seconds = 30

    await house.sync()

    assert slept == [30]
    assert house.index() == expected_index(house.lab)


async def test_answers_are_squeezed_where_the_web_server_can(tmp_path: Path) -> None:
    house = SyncEnvironment(make_lab(40), tmp_path)
    house.lab.switches.gzip = True

    await house.sync()

    assert house.index() == expected_index(house.lab)
    # Our own client reads what it got squeezed, and says so no more.
    auth = (DEFAULT_USER.encode(), DEFAULT_PASSWORD.encode())
    async with httpx.AsyncClient(transport=LabTransport(house.lab), auth=auth) as client:
        url = f"http://lab/ut11/odata/standard.odata/{PARTNERS}?$format=json"
        assert (await client.get(url)).headers["Content-Encoding"] == "gzip"


# ---------------------------------------------------------------- stopped at any moment
@pytest.mark.parametrize("nth", range(1, 13))
async def test_a_run_that_ends_at_any_request_leaves_the_old_index(
    tmp_path: Path, nth: int
) -> None:
    house = SyncEnvironment(make_lab(10), tmp_path)
    await house.sync()
    good = house.index()
    for n in range(3):
        house.lab.add_partner(f"Новый {n}", phone=f"8 903 000-00-0{n}", e164=f"+7903000000{n}")
    house.lab.faults.add("cut", nth=nth)
    try:
        await house.sync(full=True)
    except OneCError:
        assert house.index() == good
    house.lab.faults.clear()

    await house.sync()

    assert house.index() == expected_index(house.lab)
