"""Reading the directory: what is refreshed, kept in memory, and reported of its age."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreError
from tests.adapters.sqlite.directory.objects import (
    HOUR,
    N1,
    N2,
    NOW,
    guid,
    manager,
    names_at,
    partner,
    put,
    report,
)


def test_a_missing_file_is_an_empty_directory_until_it_appears(path: Path) -> None:
    reader = SqliteDirectory(path, stale_after=HOUR)
    assert reader.look_up(N1) is None
    assert (reader.count_numbers(), reader.report(), list(reader.find_by_name("ромашка"))) == (
        0,
        None,
        [],
    )
    assert reader.age(NOW).is_stale
    assert not reader.refresh()

    writer = SqliteDirectoryStore(path)
    put(writer, partner(11, N1))

    assert reader.refresh()
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    writer.close()
    reader.close()


def test_a_deleted_file_answers_until_a_finished_run_takes_its_place(path: Path) -> None:
    writer = SqliteDirectoryStore(path)
    put(writer, partner(11, N1))
    writer.close()
    reader = SqliteDirectory(path, stale_after=HOUR)

    path.unlink()
    assert not reader.refresh()
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]

    writer = SqliteDirectoryStore(path)
    assert not reader.refresh()
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    put(writer, partner(12, N1))
    assert names_at(reader, N1) == ["ООО «Ромашка 12»"]
    writer.close()
    reader.close()


def test_a_broken_file_is_an_error_until_it_is_mended(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 100)
    reader = SqliteDirectory(path, stale_after=HOUR)
    with pytest.raises(StoreError, match="not a database"):
        reader.look_up(N1)

    path.unlink()
    writer = SqliteDirectoryStore(path)
    put(writer, partner(11, N1))

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    writer.close()
    reader.close()


def test_a_damaged_card_is_a_store_error(
    writer: SqliteDirectoryStore, path: Path, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N2))
    reader.refresh()
    stranger = sqlite3.connect(path)
    stranger.execute("INSERT INTO phone VALUES (?, ?)", (N1, b"\x91\x92\x01\xa1x"))
    stranger.commit()
    stranger.close()

    with pytest.raises(StoreError, match="damaged"):
        reader.look_up(N1)


def test_an_unknown_manager_row_makes_the_reader_look_again(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, manager(2))
    reader.refresh()
    put(writer, manager(1))
    put(writer, partner(11, N1, manager=guid(1)))

    card = reader.look_up(N1)  # without a refresh by hand

    assert card is not None
    assert card.candidates[0].chain[0].manager in reader.managers()


def test_an_extension_of_one_reachable_user_is_theirs_and_of_two_is_ambiguous(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        manager(1),
        manager(2, extension="200"),
        manager(3, extension="200"),
        manager(4, extension="300", invalid=True),
        manager(5, extension=None),
    )
    reader.refresh()

    owner = reader.owner_of("101").manager
    assert owner is not None
    assert owner.ref == guid(1)
    assert reader.owner_of("200").manager is None
    assert {m.ref for m in reader.owner_of("200").shared} == {guid(2), guid(3)}
    assert reader.owner_of("300").manager is None
    assert reader.owner_of("999") == (None, ())


def test_age_counts_from_the_last_run_that_proved_everything(
    writer: SqliteDirectoryStore, path: Path
) -> None:
    passed = [0.0]
    reader = SqliteDirectory(path, stale_after=HOUR, monotonic=lambda: passed[0])
    with writer.transaction() as run:
        run.save_report(report(shared_extensions={"200": ("А", "Б")}))
    reader.refresh()

    assert reader.report() == report(shared_extensions={"200": ("А", "Б")})
    fresh = reader.age(NOW + HOUR)
    passed[0] = 1.0
    old = reader.age(NOW + HOUR + timedelta(seconds=1))
    reader.close()
    assert (fresh.proven_at, fresh.is_stale) == (NOW, False)
    assert (old.proven_at, old.is_stale) == (NOW, True)


@pytest.mark.parametrize("days", [-3, -0.125, 365, 7300])
def test_a_step_of_the_wall_clock_makes_data_neither_old_nor_young(
    writer: SqliteDirectoryStore, path: Path, days: float
) -> None:
    passed, step = [0.0], timedelta(days=days)
    reader = SqliteDirectory(path, stale_after=HOUR, monotonic=lambda: passed[0])
    with writer.transaction() as run:
        run.save_report(report())
    reader.refresh()

    assert reader.age(NOW + timedelta(minutes=1)) == DataAge(NOW, is_stale=False)
    passed[0] = 60.0
    now = NOW + timedelta(minutes=2) + step
    assert reader.age(now) == DataAge(now - timedelta(minutes=2), is_stale=False)
    passed[0] = 3600.0
    assert reader.age(now + HOUR).is_stale
    reader.close()


def test_a_proof_from_the_future_is_not_believed(writer: SqliteDirectoryStore, path: Path) -> None:
    reader = SqliteDirectory(path, stale_after=HOUR, monotonic=lambda: 0.0)
    with writer.transaction() as run:
        run.save_report(report())
    reader.refresh()

    assert reader.age(NOW - 3 * HOUR) == DataAge(NOW, is_stale=True)
    reader.close()


def test_a_later_report_takes_the_place_of_the_earlier(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    for shared in ({"200": ("А", "Б")}, {}):
        with writer.transaction() as run:
            run.save_report(report(shared_extensions=shared))
    reader.refresh()

    assert reader.report() == report()
