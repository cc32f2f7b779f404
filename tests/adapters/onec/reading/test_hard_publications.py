"""Publications that hide, lose, fail and break off: whole sync runs over them."""

from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
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
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
)
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER, OneCLab
from tests.support.lab_transport import LabTransport
from tests.support.onec_lab import (
    ATTRIBUTE,
    make_lab,
    pull,
)
from tests.support.sync_environment import SyncEnvironment, expected_index

pytestmark = pytest.mark.anyio

LISTED = "$select=Ref_Key,DataVersion"


def bodies(lab: OneCLab) -> list[str]:
    """Return the questions about owners and users that were no listings."""
    sets = {PARTNERS, CONTACT_PERSONS, COUNTERPARTIES, "Catalog_Пользователи"}
    return [e.query for e in lab.request_log if e.set in sets and LISTED not in e.query]


# ---------------------------------------------------------------- a run without changes
async def test_a_run_without_changes_asks_for_listings_only_and_writes_only_its_report(
    tmp_path: Path,
) -> None:
    environment = SyncEnvironment(make_lab(60), tmp_path)
    await environment.sync()
    before = environment.tables()
    environment.lab.request_log.clear()

    report = await environment.sync()

    after = environment.tables()
    assert not report.changed
    assert not bodies(environment.lab)
    assert [name for name in before if before[name] != after[name]] == ["checkpoint"]
    assert len(environment.lab.request_log) < 12


async def test_groups_of_the_hierarchy_are_brought_once(tmp_path: Path) -> None:
    environment = SyncEnvironment(make_lab(10), tmp_path)
    for set_name in (PARTNERS, COUNTERPARTIES):
        table = environment.lab.infobase.tables[set_name]
        ref = "aaaaaaaa-0000-4000-8000-00000000000a"
        table.put({"Ref_Key": ref, "Description": "Архив", "IsFolder": True})
    await environment.sync()
    environment.lab.request_log.clear()

    report = await environment.sync()

    assert not report.changed
    assert not bodies(environment.lab)
    assert environment.index() == expected_index(environment.lab)


@pytest.mark.parametrize("kind", [EntityKind.PARTNER, EntityKind.COUNTERPARTY, EntityKind.MANAGER])
async def test_a_group_of_nulls_is_an_object_that_nobody_calls(kind: EntityKind) -> None:
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

    [entity] = (await pull(source, kind, [Ref("g-1")], 1)).values()

    assert (entity.name, entity.version) == ("Архив", "v1")
    assert not getattr(entity, "phone_fields", ())
    assert not getattr(entity, "is_reachable", False)


# ---------------------------------------------------------------- rights
@pytest.mark.parametrize("status", [401, 403])
async def test_rows_hidden_by_rights_end_the_run_and_the_old_index_stays(
    tmp_path: Path, status: Literal[401, 403]
) -> None:
    environment = SyncEnvironment(make_lab(30), tmp_path)
    await environment.sync()
    good = environment.index()
    environment.lab.switches.rights_status = status
    environment.lab.switches.rls_rows = {
        environment.lab.add_partner("Секрет", phone="8 903 000-00-01", e164="+79030000001")
    }

    with pytest.raises(OneCUnauthorized):
        await environment.sync()

    assert environment.index() == good
    environment.lab.switches.rls_rows = set()
    await environment.sync()
    assert environment.index() == expected_index(environment.lab)


@pytest.mark.parametrize("share", [0.5, 1.0])
async def test_rows_hidden_silently_are_taken_for_a_loss_and_refused(
    tmp_path: Path, share: float
) -> None:
    environment = SyncEnvironment(make_lab(30), tmp_path)
    await environment.sync()
    good = environment.index()
    environment.lab.faults.add("shrunken", set=PARTNERS, share=share)

    with pytest.raises(SyncRefused) as refused:
        await environment.sync()

    assert refused.value.listed < refused.value.held
    assert environment.index() == good


# ---------------------------------------------------------------- namesakes under paging
@pytest.mark.parametrize(("names", "most_refused"), [(1, 6), (40, 2)])
async def test_namesakes_lost_between_pages_are_found_or_the_run_is_refused(
    tmp_path: Path, names: int, most_refused: int
) -> None:
    """Ties move rows across pages; a listing short of 1C's own count must delete nothing."""
    environment = SyncEnvironment(make_lab(5), tmp_path)
    for n in range(80):
        phone = f"8 (903) 000-00-{n:02d}"
        environment.lab.add_partner(f"Иванов {n % names}", phone=phone, e164=f"+790300000{n:02d}")
    await environment.sync()
    assert environment.index() == expected_index(environment.lab)
    environment.lab.switches.max_page_bytes = 3_000
    environment.lab.request_log.clear()
    reasons = []
    for n in range(6):
        environment.lab.add_partner(f"Иванов {n}")
        good = environment.index()
        try:
            report = await environment.sync()
        except OneCInvalidResponse as incomplete:
            reasons.append(str(incomplete))
            assert environment.index() == good
        else:
            assert report.entity(EntityKind.PARTNER).listed == len(
                environment.lab.infobase.rows(PARTNERS)
            )
            assert environment.index() == expected_index(environment.lab)
    assert any("$skip" in entry.query for entry in environment.lab.request_log)
    assert all("1C counts" in reason for reason in reasons)
    assert len(reasons) <= most_refused


async def test_a_listing_that_breaks_1c_is_paged_and_the_next_whole_one_compared(
    tmp_path: Path,
) -> None:
    environment = SyncEnvironment(make_lab(40), tmp_path)
    environment.lab.faults.add("out_of_memory", set=PARTNERS, times=1)
    paged = await environment.sync()
    assert environment.index() == expected_index(environment.lab)
    assert paged.entity(EntityKind.PARTNER).fingerprint == ""

    whole = await environment.sync()

    assert (whole.changed, whole.entity(EntityKind.PARTNER).fingerprint != "") == (False, True)


# ---------------------------------------------------------------- odd rows
async def test_control_characters_in_names_and_phones_stop_nothing(tmp_path: Path) -> None:
    environment = SyncEnvironment(
        make_lab(30, quirks=DataQuirks(control_characters=True)), tmp_path
    )
    environment.lab.add_partner(
        "Ромашка\x00\x0b\x1f ООО", phone="8 903 000-00-01", e164="+79030000001"
    )

    await environment.sync()

    assert environment.index() == expected_index(environment.lab)
    assert not (await environment.sync()).changed


async def test_a_partner_with_three_hundred_phones_has_them_all(tmp_path: Path) -> None:
    environment = SyncEnvironment(make_lab(3), tmp_path)
    ref = environment.lab.add_partner("Холдинг")
    for n in range(300):
        phone, e164 = f"8 (903) 100-0{n // 100}-{n % 100:02d}", f"+79031000{n:03d}"
        environment.lab.change_phone(PARTNERS, ref, phone, e164=e164, line=n + 1)

    await environment.sync()

    index = environment.index()
    assert index == expected_index(environment.lab)
    assert sum(any(whose[0] == ref for whose in owners) for owners in index.values()) == 300


# ---------------------------------------------------------------- what is not published
@pytest.mark.parametrize("set_name", [CONTACT_PERSONS, COUNTERPARTIES])
async def test_a_set_that_is_not_published_costs_only_itself(tmp_path: Path, set_name: str) -> None:
    environment = SyncEnvironment(make_lab(20), tmp_path)
    environment.lab.switches.unpublished = {set_name}

    report = await environment.sync()

    [lost] = [entity for entity in report.entities if entity.error]
    assert set_name in lost.error
    assert "Настройка стандартного интерфейса OData" in lost.error
    assert lost.error.count(". ") == 0
    others = {ref for owners in environment.index().values() for ref, _, _ in owners}
    assert others == {
        t.ref
        for t in environment.lab.infobase.intended_phones
        if t.owner_set != set_name and not _silent(environment.lab, t.owner_set, t.ref)
    }
    environment.lab.switches.unpublished = set()
    assert not any(e.error for e in (await environment.sync()).entities)
    assert environment.index() == expected_index(environment.lab)


async def test_a_set_taken_out_of_the_publication_keeps_its_rows_and_the_age_of_its_proof(
    tmp_path: Path,
) -> None:
    environment = SyncEnvironment(make_lab(20), tmp_path)
    first = await environment.sync()
    environment.lab.switches.unpublished = {CONTACT_PERSONS}
    good = environment.index()
    for _ in range(3):
        report = await environment.sync()

    contacts = report.entity(EntityKind.CONTACT)
    assert environment.index() == good
    assert (contacts.proven_at, report.lagging_entity) == (first.proven_at, contacts)
    assert report.entity(EntityKind.PARTNER).proven_at == environment.now


@pytest.mark.parametrize("set_name", [PARTNERS, "Catalog_Пользователи"])
async def test_without_partners_or_users_the_run_ends_with_their_name(
    tmp_path: Path, set_name: str
) -> None:
    environment = SyncEnvironment(make_lab(10), tmp_path)
    environment.lab.switches.unpublished = {set_name}

    with pytest.raises(OneCNotPublished, match=set_name):
        await environment.sync()

    assert environment.index() == {}


def _silent(lab: OneCLab, set_name: str, ref: str) -> bool:
    row: dict[str, Any] = lab.infobase.tables[set_name].rows[ref]
    return bool(row.get("DeletionMark") or row.get("PredefinedDataName"))


# ---------------------------------------------------------------- slow and squeezed
async def test_a_base_that_sleeps_half_a_minute_is_waited_for(tmp_path: Path) -> None:
    environment = SyncEnvironment(make_lab(10), tmp_path)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    environment.lab.sleep = sleep
    environment.lab.switches.cold_start_seconds = 30

    await environment.sync()

    assert slept == [30]
    assert environment.index() == expected_index(environment.lab)


async def test_answers_are_squeezed_where_the_web_server_can(tmp_path: Path) -> None:
    environment = SyncEnvironment(make_lab(40), tmp_path)
    environment.lab.switches.gzip = True

    await environment.sync()

    assert environment.index() == expected_index(environment.lab)
    # Our own client decompresses, and hides the header.
    auth = (DEFAULT_USER.encode(), DEFAULT_PASSWORD.encode())
    async with httpx.AsyncClient(transport=LabTransport(environment.lab), auth=auth) as client:
        url = f"http://lab/ut11/odata/standard.odata/{PARTNERS}?$format=json"
        assert (await client.get(url)).headers["Content-Encoding"] == "gzip"


# ---------------------------------------------------------------- stopped at any moment
@pytest.mark.parametrize("nth", range(1, 13))
async def test_a_run_that_ends_at_any_request_leaves_the_old_index(
    tmp_path: Path, nth: int
) -> None:
    environment = SyncEnvironment(make_lab(10), tmp_path)
    await environment.sync()
    good = environment.index()
    for n in range(3):
        environment.lab.add_partner(
            f"Новый {n}", phone=f"8 903 000-00-0{n}", e164=f"+7903000000{n}"
        )
    environment.lab.faults.add("cut", nth=nth)
    try:
        await environment.sync(full=True)
    except OneCError:
        assert environment.index() == good
    environment.lab.faults.clear()

    await environment.sync()

    assert environment.index() == expected_index(environment.lab)
