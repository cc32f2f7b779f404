"""A simulated УТ 11 as the pull reads it, with and without faults."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.source import ODataSource
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionSources,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    with_extension,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.simulator import OneCLab
from bridge.ports.onec import Listing
from tests.support.onec_lab import ATTRIBUTE, list_versions, make_lab, make_source, pull, pull_all

pytestmark = pytest.mark.anyio

PARTNERS = "Catalog_Партнеры"
OWNERS = (EntityKind.PARTNER, EntityKind.CONTACT, EntityKind.COUNTERPARTY)


def asked(lab: OneCLab, part: str) -> list[str]:
    return [entry.query for entry in lab.request_log if part in entry.query]


# ---------------------------------------------------------------- the whole company
@pytest.mark.parametrize("release", ["11.4.2", "11.5.8", "11.5.20", "11.5.27"])
async def test_every_number_of_the_company_is_read_as_its_writer_meant_it(release: str) -> None:
    lab = make_lab(300, release=release)
    source = make_source(lab)
    read: set[tuple[str, str]] = set()
    for kind in OWNERS:
        for entity in (await pull_all(source, kind)).values():
            assert isinstance(entity, PhoneOwner)
            for field in entity.phone_fields:
                read |= {(entity.ref, f"+{phone.number}") for phone in field.phones}

    assert read == {(truth.ref, truth.e164) for truth in lab.infobase.intended_phones}


async def test_every_object_listed_is_brought_once_with_its_version() -> None:
    lab = make_lab(150)
    source = make_source(lab)
    for kind in EntityKind:
        listed = await list_versions(source, kind)
        found = await pull(source, kind, list(listed), len(listed))
        assert {ref: entity.version for ref, entity in found.items()} == listed
    assert source.traffic.requests == len(lab.request_log)
    assert source.traffic.bytes == sum(entry.bytes for entry in lab.request_log)


async def test_a_partner_is_read_with_manager_holding_and_flags() -> None:
    lab = make_lab(5)
    manager = lab.add_user("Смирнова", "205")
    holding = lab.add_partner("Холдинг")
    ref = lab.add_partner("Ромашка", manager=manager, parent=holding, phone="8 903 555-01-23")
    lab.mark(PARTNERS, ref)
    found = await pull_all(make_source(lab), EntityKind.PARTNER)
    partner = found[Ref(ref)]

    assert isinstance(partner, Partner)
    assert (partner.name, partner.manager, partner.parent) == ("Ромашка", manager, holding)
    assert (partner.customer, partner.deletion_mark, partner.predefined) == (True, True, False)
    assert partner.phone_fields[0].text == "8 903 555-01-23"
    assert sum(entity.predefined for entity in found.values() if isinstance(entity, Partner)) == 3


@pytest.mark.parametrize("style", ["per_object", "global", "high_dword"])
async def test_versions_of_any_shape_move_when_the_object_moves(style: Any) -> None:
    lab = make_lab(5)
    lab.switches.dataversion_style = style
    source = make_source(lab)
    ref = Ref(lab.add_partner("Ромашка"))
    before = await list_versions(source, EntityKind.PARTNER)
    lab.rename(PARTNERS, ref, "Лютик")
    after = await list_versions(source, EntityKind.PARTNER)

    assert before[ref] != after[ref]
    assert {r: v for r, v in before.items() if r != ref} == {
        r: v for r, v in after.items() if r != ref
    }


# ---------------------------------------------------------------- how it is asked
async def test_a_listing_is_one_request_for_references_and_versions() -> None:
    lab = make_lab(300)
    source = make_source(lab)
    await list_versions(source, EntityKind.PARTNER)
    [query] = [e.query for e in lab.request_log if e.set == PARTNERS]

    assert query.endswith("$select=Ref_Key,DataVersion")


async def test_a_listing_that_is_known_is_not_brought_again() -> None:
    lab = make_lab(30)
    source = make_source(lab)
    first = await source.listing(EntityKind.PARTNER)
    second = await source.listing(EntityKind.PARTNER, first.fingerprint)
    lab.add_partner("Новый")
    third = await source.listing(EntityKind.PARTNER, first.fingerprint)

    assert first.versions is not None
    assert third.versions is not None
    assert second == Listing(None, first.fingerprint)
    assert len(third.versions) == len(first.versions) + 1
    assert third.fingerprint != first.fingerprint


async def test_a_listing_put_together_of_pages_is_like_no_other() -> None:
    lab = make_lab(30)
    lab.faults.add("out_of_memory", set=PARTNERS, times=1)

    listing = await make_source(lab).listing(EntityKind.PARTNER)

    assert (set(listing.versions or ()), listing.fingerprint) == (set(_listing(lab)), "")


async def test_few_of_many_are_asked_by_key_within_the_length_of_an_address() -> None:
    lab = make_lab(300)
    source = make_source(lab)
    listed = await list_versions(source, EntityKind.PARTNER)
    requested = list(listed)[:40]
    lab.request_log.clear()
    # The listing is given as a large one, so that pages would cost more.
    found = await pull(source, EntityKind.PARTNER, requested, 200_000)

    assert set(found) == set(requested)
    assert not asked(lab, "$skip")
    assert len(asked(lab, "$filter")) <= 6
    assert all(len(entry.query) <= 2048 for entry in lab.request_log)


async def test_many_are_asked_by_pages() -> None:
    lab = make_lab(1500)
    source = make_source(lab)
    listed = await list_versions(source, EntityKind.PARTNER)
    lab.request_log.clear()
    found = await pull(source, EntityKind.PARTNER, list(listed), len(listed))

    assert set(found) == set(listed)
    assert len(asked(lab, "$skip")) == 2


async def test_rows_that_ties_lose_or_double_are_brought_once_all_the_same() -> None:
    lab = make_lab(5)
    for _ in range(120):
        lab.add_partner("Тёзка")
    lab.switches.max_page_bytes = 20_000
    source = make_source(lab)
    source._parts.page_size = 10  # noqa: SLF001 - so that a small set has pages with ties
    listed = _listing(lab)
    found = await pull(source, EntityKind.PARTNER, listed, len(listed))

    assert set(found) == set(listed)


def _listing(lab: OneCLab) -> list[Ref]:
    return [Ref(str(row["Ref_Key"])) for row in lab.infobase.rows(PARTNERS)]


async def test_objects_that_went_away_meanwhile_are_left_out() -> None:
    lab = make_lab(5)
    source = make_source(lab)
    kept, gone = lab.add_partner("Ромашка"), lab.add_partner("Лютик")
    listed = await list_versions(source, EntityKind.PARTNER)
    lab.delete(PARTNERS, gone)

    found = await pull(source, EntityKind.PARTNER, [Ref(kept), Ref(gone)], len(listed))
    assert set(found) == {kept}


async def test_nothing_is_asked_for_nothing() -> None:
    lab = make_lab(5)
    source = make_source(lab)
    await list_versions(source, EntityKind.PARTNER)
    lab.request_log.clear()

    assert await pull(source, EntityKind.PARTNER, [], 300) == {}
    assert not lab.request_log


async def test_the_large_columns_are_asked_only_for_phones_that_are_still_unread() -> None:
    lab = make_lab(0)
    source = make_source(lab)
    plain = lab.add_partner("Ромашка", phone="+7 (903) 555-01-23")
    hidden = lab.add_partner("Лютик")
    lab.change_phone(PARTNERS, hidden, "+7 (903) 555-01-24", writer="no_text")
    listed = await list_versions(source, EntityKind.PARTNER)
    lab.request_log.clear()
    found = await pull(source, EntityKind.PARTNER, [Ref(plain), Ref(hidden)], len(listed))

    [fat] = [q for q in asked(lab, "$filter") if "%D0%9F%D1%80%D0%B5%D0%B4" not in q]
    assert hidden in fat
    assert plain not in fat
    entity = found[Ref(hidden)]
    assert isinstance(entity, Partner)
    assert [p.number for p in entity.phone_fields[0].phones] == [79035550124]


async def test_leaving_a_fetch_early_leaves_nothing_under_way() -> None:
    lab = make_lab(300)
    source = make_source(lab)
    source._parts.page_size = 20  # noqa: SLF001 - many pages of a small set
    listed = await list_versions(source, EntityKind.PARTNER)
    batches = source.fetch(EntityKind.PARTNER, list(listed), len(listed))
    assert isinstance(batches, AsyncGenerator)
    await anext(batches)
    await batches.aclose()
    asked_before = len(lab.request_log)
    await list_versions(source, EntityKind.COUNTERPARTY)

    assert len(lab.request_log) == asked_before + 1


# ---------------------------------------------------------------- extensions
@pytest.mark.parametrize("storage", ["string", "number", "list", "text", "register", "mixed"])
@pytest.mark.parametrize("release", ["11.4.2", "11.5.20"])
async def test_every_extension_is_found_however_it_is_kept(storage: Any, release: str) -> None:
    lab = make_lab(5, release=release, quirks=DataQuirks(extension_storage=storage))
    source = make_source(lab)
    sources = await source.extension_sources()

    assert sources.attribute_ref == lab.infobase.extension_property
    assert await _extensions(source, sources) == lab.infobase.extensions


async def _extensions(source: ODataSource, sources: ExtensionSources) -> dict[str, str]:
    found = await pull_all(source, EntityKind.MANAGER)
    managers = [with_extension(m, sources) for m in found.values() if isinstance(m, Manager)]
    return {str(m.ref): m.extension for m in managers if m.extension}


async def test_managers_may_be_fetched_without_asking_for_the_attribute_first() -> None:
    lab = make_lab(5, quirks=DataQuirks(extension_storage="string"))

    assert await _extensions(make_source(lab), ExtensionSources()) == lab.infobase.extensions


async def test_an_attribute_that_is_not_there_is_no_error() -> None:
    lab = make_lab(5, quirks=DataQuirks(attribute=False))

    assert await make_source(lab).extension_sources() == ExtensionSources()


async def test_an_attribute_may_be_named_by_its_reference() -> None:
    lab = make_lab(5)
    source = make_source(lab)
    by_ref = lab.infobase.extension_property.upper()
    source._extension_attribute = by_ref  # noqa: SLF001 - as from the settings

    assert (await source.extension_sources()).attribute_ref == lab.infobase.extension_property


async def test_list_values_that_are_not_published_cost_only_themselves() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {"Catalog_ЗначенияСвойствОбъектов"}

    sources = await make_source(lab).extension_sources()
    assert (sources.attribute_ref, sources.list_values) == (lab.infobase.extension_property, None)


# ---------------------------------------------------------------- large sets
async def test_a_listing_that_1c_cannot_serve_whole_is_paged_and_proven_complete() -> None:
    lab = make_lab(200)
    lab.switches.max_page_bytes = 6_000
    source = make_source(lab)

    assert set(await list_versions(source, EntityKind.PARTNER)) == set(_listing(lab))
    assert asked(lab, "$inlinecount")


async def test_walks_over_tied_rows_never_end_in_a_shorter_listing() -> None:
    lab = make_lab(0)
    for _ in range(60):
        lab.add_partner("Тёзка")
    lab.switches.max_page_bytes = 2_500
    try:
        listed = await list_versions(make_source(lab), EntityKind.PARTNER)
    except OneCInvalidResponse:
        return
    assert set(listed) == set(_listing(lab))


async def test_a_listing_out_of_memory_is_paged() -> None:
    lab = make_lab(30)
    lab.faults.add("out_of_memory", set=PARTNERS, times=1)

    listed = await list_versions(make_source(lab), EntityKind.PARTNER)
    assert set(listed) == set(_listing(lab))


async def test_pages_that_break_1c_are_halved() -> None:
    lab = make_lab(150)
    source = make_source(lab)
    listed = await list_versions(source, EntityKind.PARTNER)
    lab.switches.max_page_bytes = 30_000

    assert set(await pull(source, EntityKind.PARTNER, list(listed), len(listed))) == set(listed)


async def test_a_row_that_1c_cannot_serve_at_all_ends_the_pull() -> None:
    lab = make_lab(10)
    source = make_source(lab)
    listed = await list_versions(source, EntityKind.PARTNER)
    lab.switches.max_page_bytes = 100

    with pytest.raises(OneCUnavailable):
        await pull(source, EntityKind.PARTNER, list(listed), len(listed))


def paged(rows: int, counts: list[Any], pages: list[Any]) -> ODataSource:
    """A publication that counts and pages as given, and fails over whole listings."""

    def answer(request: httpx.Request) -> httpx.Response:
        query = str(request.url.query, "ascii")
        if "$metadata" in request.url.path:
            return httpx.Response(404)
        if "$inlinecount" in query:
            return httpx.Response(200, json={"odata.count": counts.pop(0), "value": []})
        if request.url.path.endswith("$count"):
            return httpx.Response(200, content=f"\ufeff{rows}".encode())
        if "$skip" in query:
            found = [{"Ref_Key": ref, "DataVersion": "v"} for ref in pages.pop(0)]
            return httpx.Response(200, json={"value": found})
        return httpx.Response(500, html="<title>error</title>")

    client = ODataClient(ODataConfig("http://h", "u", "p"), transport=httpx.MockTransport(answer))
    return ODataSource(client, rules=PhoneRules(), extension_attribute=ATTRIBUTE)


async def test_rows_lost_in_one_walk_are_found_in_the_next() -> None:
    source = paged(3, ["3", "3", "3"], [["a", "b", "b"], ["a", "c", "c"]])

    assert set(await list_versions(source, EntityKind.PARTNER)) == {"a", "b", "c"}


async def test_a_listing_that_stays_short_of_the_count_is_no_listing() -> None:
    source = paged(3, ["3"] * 4, [["a", "b"]] * 3)

    with pytest.raises(OneCInvalidResponse, match="2 found, 1C counts 3"):
        await list_versions(source, EntityKind.PARTNER)


async def test_a_set_that_changes_while_it_is_walked_is_walked_anew() -> None:
    source = paged(2, ["3", "2", "2"], [["a", "b", "gone"], ["a", "b"]])

    assert set(await list_versions(source, EntityKind.PARTNER)) == {"a", "b"}


async def test_where_no_count_comes_along_it_is_asked_apart() -> None:
    source = paged(1, [None, None], [["a"]])

    assert set(await list_versions(source, EntityKind.PARTNER)) == {"a"}


# ---------------------------------------------------------------- other publications
async def test_a_set_that_is_not_published_is_named() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {"Catalog_Контрагенты"}

    with pytest.raises(OneCNotPublished, match="Catalog_Контрагенты"):
        await list_versions(make_source(lab), EntityKind.COUNTERPARTY)


async def test_a_section_that_is_not_published_is_named() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {"Catalog_Партнеры_КонтактнаяИнформация"}

    with pytest.raises(OneCNotPublished, match="КонтактнаяИнформация"):
        await list_versions(make_source(lab), EntityKind.PARTNER)


async def test_a_web_server_that_hides_1cs_message_is_reported_as_such() -> None:
    lab = make_lab(5)
    lab.switches.iis_html_404 = True
    lab.switches.unpublished = {"Catalog_Контрагенты"}
    source = make_source(lab)
    lab.faults.add("maintenance_503", set="$metadata")

    with pytest.raises(OneCNotPublished, match="BRIDGE_ONEC_URL"):
        await list_versions(source, EntityKind.COUNTERPARTY)


async def test_rows_hidden_by_rights_are_an_error_and_never_a_shorter_listing() -> None:
    lab = make_lab(5)
    for status in (401, 403):
        lab.switches.rights_status = status
        lab.switches.rls_rows = {lab.add_partner("Секрет")}
        with pytest.raises(OneCUnauthorized):
            await list_versions(make_source(lab), EntityKind.PARTNER)


async def test_a_wrong_password_is_reported_as_such() -> None:
    with pytest.raises(OneCUnauthorized):
        await list_versions(make_source(make_lab(5), password="другой"), EntityKind.PARTNER)


async def test_a_small_publication_with_all_its_habits_is_read() -> None:
    lab = make_lab(30, quirks=DataQuirks(control_characters=True, twin_extensions=True))
    lab.switches.gzip = True
    lab.switches.lang = "en"
    lab.switches.row_ref_key_in_sections = False
    lab.switches.count_endpoint = False
    lab.switches.cold_start_seconds = 12
    source = make_source(lab, url="http://lab/ut11/odata/standard.odata/")
    for kind in EntityKind:
        listed = await list_versions(source, kind)
        assert set(await pull(source, kind, list(listed), len(listed))) == set(listed)


# ---------------------------------------------------------------- faults
async def test_a_base_that_fails_eight_of_eleven_reads_may_take_several_runs() -> None:
    lab = make_lab(5)
    lab.faults.add("flaky", nth=3)
    for _ in range(11):
        try:
            listed = await list_versions(make_source(lab), EntityKind.PARTNER)
        except OneCUnavailable:
            continue
        break
    assert set(listed) == set(_listing(lab))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("down", OneCUnavailable),
        ("timeout", OneCUnavailable),
        ("maintenance_503", OneCUnavailable),
        ("maintenance_200", OneCInvalidResponse),
        ("sessions_blocked", OneCSessionsBlocked),
        ("pool_exhausted", OneCUnavailable),
        ("unauthorised", OneCUnauthorized),
        ("rights", OneCUnauthorized),
        ("data_lock", OneCUnavailable),
        ("no_licence_500", OneCUnavailable),
        ("no_licence_503", OneCUnavailable),
        ("out_of_memory", OneCUnavailable),
        ("platform_error", OneCUnavailable),
        ("lost_reply", OneCUnavailable),
        ("bad_gateway", OneCUnavailable),
        ("truncated", OneCInvalidResponse),
        ("cut", OneCUnavailable),
    ],
)
async def test_a_fault_ends_a_listing_with_its_own_error(kind: str, error: type[OneCError]) -> None:
    lab = make_lab(30)
    lab.faults.add(kind)

    with pytest.raises(OneCError) as caught:
        await list_versions(make_source(lab), EntityKind.PARTNER)
    assert isinstance(caught.value, error)


@pytest.mark.parametrize(
    "kind",
    ["down", "timeout", "maintenance_200", "data_lock", "platform_error", "truncated", "cut"],
)
async def test_one_bad_moment_is_survived(kind: str) -> None:
    lab = make_lab(30)
    source = make_source(lab)
    for set_name in (PARTNERS, "Catalog_Пользователи"):
        lab.faults.add(kind, set=set_name, times=1)
    await source.extension_sources()

    assert len(await pull_all(source, EntityKind.PARTNER)) == len(_listing(lab))
    assert await pull_all(source, EntityKind.MANAGER)


async def test_a_pool_of_sessions_that_gives_none_is_no_answer() -> None:
    lab = make_lab(5)
    lab.switches.ibsession = "pool_exhausted"

    with pytest.raises(OneCUnavailable, match="Истекло время ожидания сеанса"):
        await list_versions(make_source(lab), EntityKind.PARTNER)
