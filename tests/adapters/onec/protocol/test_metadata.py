"""What the publication has: `$metadata` as a stream, its cache on disk, and work without it."""

from pathlib import Path

import pytest

from bridge.adapters.onec.protocol.metadata import Metadata, _Parser, used_type_names
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import COLUMNS, USED_COLUMNS, Column
from bridge.domain.directory.entities import EntityKind, Manager
from bridge.errors import (
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnauthorized,
)
from bridge.lab.onec.simulator import OneCLab
from tests.support.onec_lab import list_versions, make_client, make_lab, make_source, pull_all

pytestmark = pytest.mark.anyio

PARTNERS = "Catalog_Партнеры"
LINES = f"{PARTNERS}_КонтактнаяИнформация"
METADATA = ("GET", "$metadata")
DAY = 24 * 3600.0


async def test_only_the_sets_in_use_are_kept() -> None:
    fields = await Metadata(make_client(make_lab(5))).fields()

    assert fields is not None
    assert set(fields) == used_type_names()
    assert {"Ref_Key", "ОсновнойМенеджер_Key", "КонтактнаяИнформация"} <= fields[PARTNERS]
    assert "НомерТелефона" in fields[LINES]


def test_a_document_may_come_in_any_pieces() -> None:
    document = (
        '<?xml version="1.0" encoding="UTF-8"?><edmx:Edmx xmlns:edmx="e"><Schema xmlns="s">'
        f'<EntityType Name="{PARTNERS}"><Property Name="Code"/></EntityType>'
        '<EntityType Name="Чужой"><Property Name="Поле"/></EntityType>'
        f'<ComplexType Name="{LINES}_RowType"><Property Name="Тип"/></ComplexType>'
        "</Schema></edmx:Edmx>"
    ).encode()
    parser = _Parser(used_type_names())
    for byte in document:
        parser.feed(bytes([byte]))

    assert parser.finish() == {PARTNERS: frozenset({"Code"}), LINES: frozenset({"Тип"})}


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><head><title>Login</title></head></html>",
        b"<html><body>Login</body></html>",
        b"<html><br></html>",
        b'{"value": []}',
        b"",
        '<e><Schema><EntityType Name="Catalog_Партнеры">'.encode(),
    ],
)
def test_a_page_or_a_broken_document_is_not_metadata(page: bytes) -> None:
    with pytest.raises(OneCInvalidResponse):
        _read(page)


def _read(page: bytes) -> None:
    parser = _Parser(used_type_names())
    parser.feed(page)
    parser.finish()


async def test_a_document_of_real_size_is_read() -> None:
    lab = make_lab(5)
    lab.switches.metadata_padding_mb = 4

    assert await Metadata(make_client(lab)).fields() is not None


async def test_a_memory_is_used_for_a_day_and_then_compared_by_size_and_date(
    tmp_path: Path,
) -> None:
    lab = make_lab(5)
    now, cache = 1_000_000.0, tmp_path / "deep" / "metadata.json"

    async def ask() -> None:
        metadata = Metadata(make_client(lab), cache, clock=lambda: now)
        assert await metadata.fields() is not None

    await ask()
    await ask()
    assert lab.request_counts[METADATA] == 1
    now += DAY + 1
    await ask()
    assert lab.request_counts[METADATA] == 2
    now += 10
    await ask()
    assert lab.request_counts[METADATA] == 2


async def test_an_unchanged_document_is_not_read_again(tmp_path: Path) -> None:
    lab = make_lab(5)
    cache = tmp_path / "metadata.json"
    now = 1_000_000.0
    lab.switches.metadata_padding_mb = 1
    await Metadata(make_client(lab), cache, clock=lambda: now).fields()
    now += DAY + 1
    client = make_client(lab)
    await Metadata(client, cache, clock=lambda: now).fields()

    assert client.traffic.bytes == 0


@pytest.mark.parametrize("content", [b"", b"{}", b'{"asked":[],"size":"1"}', b"\xff"])
async def test_a_damaged_memory_is_forgotten(tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "metadata.json"
    cache.write_bytes(content)

    assert await Metadata(make_client(make_lab(5)), cache).fields() is not None


async def test_a_memory_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    metadata = Metadata(make_client(make_lab(5)), tmp_path / "file" / "metadata.json")
    assert await metadata.fields() is not None


async def test_what_was_published_a_moment_ago_is_found_in_spite_of_the_memory(
    tmp_path: Path,
) -> None:
    lab = make_lab(5)
    cache = tmp_path / "metadata.json"
    lab.switches.unpublished = {PARTNERS}
    with pytest.raises(OneCNotPublished):
        await list_versions(make_source(lab, cache=cache), EntityKind.PARTNER)
    lab.switches.unpublished = set()

    assert await list_versions(make_source(lab, cache=cache), EntityKind.PARTNER)


@pytest.mark.parametrize(
    "kind", ["maintenance_200", "maintenance_503", "timeout", "platform_error"]
)
async def test_without_metadata_the_columns_of_all_releases_do(kind: str) -> None:
    lab = make_lab(20)
    lab.faults.add(kind, set="$metadata")
    source = make_source(lab)

    assert await pull_all(source, EntityKind.PARTNER)
    assert (await source.extension_sources()).attribute_ref == lab.infobase.extension_property


async def test_who_may_not_ask_is_refused_with_a_reason() -> None:
    lab = make_lab(5)
    with pytest.raises(OneCUnauthorized):
        await Metadata(make_client(lab, password="другой")).fields()
    lab.faults.add("sessions_blocked")
    with pytest.raises(OneCSessionsBlocked):
        await Metadata(make_client(lab)).fields()


def reader(lab: OneCLab) -> EntitySetReader:
    client = make_client(lab)
    return EntitySetReader(client, Metadata(client))


async def test_optional_columns_that_1c_refuses_are_dropped() -> None:
    lab = make_lab(5)
    for lang in ("ru", "en"):
        lab.switches.lang = lang
        lab.faults.add("maintenance_503", set="$metadata")
        columns = (Column("Ref_Key", required=True), Column("Нет"), Column("Description"))
        page = await reader(lab).read_page(PARTNERS, columns, len)
        assert page


async def test_a_required_column_that_1c_refuses_is_named() -> None:
    lab = make_lab(5)
    lab.faults.add("maintenance_503", set="$metadata")
    columns = (Column("Ref_Key", required=True), Column("Нет", required=True))

    with pytest.raises(OneCNotPublished, match="Нет"):
        await reader(lab).read_page(PARTNERS, columns, len)


async def test_a_memory_that_promises_too_much_is_corrected(tmp_path: Path) -> None:
    """The firm went back to an older release, or the administrator unticked a section."""
    lab = make_lab(5)
    cache = tmp_path / "metadata.json"
    source = make_source(lab, cache=cache)
    await source.extension_sources()
    lab.switches.unpublished = {"Catalog_Пользователи_ДополнительныеРеквизиты"}

    found = await pull_all(make_source(lab, cache=cache), EntityKind.MANAGER)
    assert found
    assert all(isinstance(o, Manager) and o.attribute is None for o in found.values())


def test_every_column_belongs_to_a_needed_set() -> None:
    assert all(USED_COLUMNS.values())
    assert {c.path for c in COLUMNS[EntityKind.PARTNER]} == {c.path for c in USED_COLUMNS[PARTNERS]}
