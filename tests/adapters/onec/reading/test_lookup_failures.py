"""What a live lookup costs 1C, and what it does when 1C will not answer."""

import logging
from pathlib import Path

import pytest

from bridge.adapters.onec.schema import ENTITY_SETS, PHONE_LINE_SETS
from bridge.domain.directory.entities import (
    Counterparty,
)
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS
from bridge.lab.onec.infobase.tables import CONTACTS
from tests.adapters.onec.reading.test_lookup import (
    LINES,
    NUMBER,
    a_customer,
    asked,
    directory_of,
    make_lookup,
)
from tests.support.onec_lab import make_lab

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- what it costs
async def test_the_questions_are_few_and_narrow() -> None:
    lab = make_lab(300)
    a_customer(lab)

    await make_lookup(lab).find_owners(NUMBER)

    assert sorted(asked(lab)) == sorted([*LINES.values(), CONTACT_PERSONS, PARTNERS])
    assert all(entry.status == 200 and entry.bytes < 5_000 for entry in lab.request_log)


async def test_metadata_are_used_but_never_asked_for(tmp_path: Path) -> None:
    lab = make_lab(20)
    directory = await directory_of(lab, tmp_path)
    directory.close()
    a_customer(lab)
    lab.request_log.clear()

    for cache in (None, tmp_path / "metadata.json"):
        assert (await make_lookup(lab, metadata_cache=cache).find_owners(NUMBER)).owners

    assert "$metadata" not in asked(lab)


async def test_a_release_that_lacks_a_column_is_asked_without_it() -> None:
    lab = make_lab(20, release="11.4.2")
    _, _, contact = a_customer(lab)

    found = await make_lookup(lab).find_owners(NUMBER)

    assert [owner.ref for owner in found.owners] == [contact]


# ---------------------------------------------------------------- when 1C will not
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("down", OneCUnavailable),
        ("timeout", OneCUnavailable),
        ("platform_error", OneCUnavailable),
        ("out_of_memory", OneCUnavailable),
        ("data_lock", OneCUnavailable),
        ("maintenance_503", OneCUnavailable),
        ("sessions_blocked", OneCSessionsBlocked),
        ("rights", OneCUnauthorized),
        ("unauthorised", OneCUnauthorized),
        ("maintenance_200", OneCInvalidResponse),
    ],
)
async def test_1c_that_will_not_answer_is_an_error_of_ours(
    fault: str, error: type[OneCError]
) -> None:
    lab = make_lab(20)
    a_customer(lab)
    lab.faults.add(fault)

    with pytest.raises(error):
        await make_lookup(lab).find_owners(NUMBER)


async def test_a_read_that_fails_in_passing_is_repeated() -> None:
    lab = make_lab(20)
    _, _, contact = a_customer(lab)
    lab.faults.add("platform_error", times=1)

    found = await make_lookup(lab).find_owners(NUMBER)

    assert [owner.ref for owner in found.owners] == [contact]


async def test_a_failure_above_the_owner_is_an_error_too() -> None:
    lab = make_lab(20)
    a_customer(lab)
    lab.faults.add("down", set=PARTNERS)

    with pytest.raises(OneCUnavailable):
        await make_lookup(lab).find_owners(NUMBER)


@pytest.mark.parametrize("hidden", [LINES[COUNTERPARTIES], COUNTERPARTIES])
async def test_a_set_that_is_not_published_costs_only_its_own_owners(
    hidden: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab = make_lab(20)
    _, partner, contact = a_customer(lab)
    lab.add_counterparty(partner, "ООО Ромашка", phone="+7 903 555-01-23")
    lab.switches.unpublished.add(hidden)
    seconds = [0.0]
    lookup = make_lookup(lab, clock=lambda: seconds[0])

    for moment, questions in ((0.0, 1), (3599.0, 0), (3600.0, 1)):
        seconds[0] = moment
        lab.request_log.clear()
        found = await lookup.find_owners(NUMBER)
        assert [owner.ref for owner in found.owners] == [contact]
        assert asked(lab).count(LINES[COUNTERPARTIES]) == questions
    lab.switches.unpublished.clear()
    seconds[0] = 7200.0
    assert len((await lookup.find_owners(NUMBER)).owners) == 2

    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "live_lookup_without",
        "live_lookup_without",
    ]


async def test_a_publication_without_any_of_the_sets_is_reported_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lab = make_lab(20)
    a_customer(lab)
    lab.switches.unpublished.update(LINES.values())
    lookup = make_lookup(lab)

    with pytest.raises(OneCNotPublished, match=CONTACTS):
        await lookup.find_owners(NUMBER)
    lab.switches.unpublished.clear()

    assert (await lookup.find_owners(NUMBER)).owners
    assert not caplog.records


async def test_a_set_published_after_the_last_sync_is_found_with_the_next_one(
    tmp_path: Path,
) -> None:
    lab = make_lab(20)
    lab.switches.unpublished.add(COUNTERPARTIES)
    (await directory_of(lab, tmp_path)).close()
    seconds = [0.0]
    cache = tmp_path / "metadata.json"
    lookup = make_lookup(lab, metadata_cache=cache, clock=lambda: seconds[0])
    partner = lab.add_partner("Ромашка")
    lab.add_counterparty(partner, "ООО Ромашка", phone="+7 903 555-01-23")
    assert (await lookup.find_owners(NUMBER)).owners == ()
    lab.switches.unpublished.clear()
    cache.unlink()
    (await directory_of(lab, tmp_path)).close()
    seconds[0] = 3600.0

    found = await lookup.find_owners(NUMBER)

    assert [type(owner) for owner in found.owners] == [Counterparty]


def test_every_kind_that_has_phones_is_looked_for() -> None:
    assert {ENTITY_SETS[kind] for kind in PHONE_LINE_SETS} == set(LINES)
    assert set(PHONE_LINE_SETS.values()) == set(LINES.values())
