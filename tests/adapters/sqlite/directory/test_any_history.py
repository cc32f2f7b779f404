"""Whatever order of runs, the index has what the rules say of the present documents."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    OwnerStep,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    Ref,
    Version,
)
from bridge.domain.directory.routing_facts import count_facts
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.onec import DirectoryObject
from tests.adapters.sqlite.directory.objects import (
    HOUR,
    N1,
    N2,
    N3,
    contact,
    counterparty,
    guid,
    kind_of,
    manager,
    manager_rows,
    names_at,
    only,
    partner,
    put,
    refreshed,
    typed,
)

_NUMBERS = (N1, N2, N3)


def referee(
    objects: Mapping[tuple[EntityKind, Ref], DirectoryObject],
) -> dict[int, list[Candidate]]:
    """Return what the index must have, from the rules alone."""
    partners = {n.ref: n for n in objects.values() if isinstance(n, Partner) and not n.predefined}
    index: dict[int, list[Candidate]] = {}
    for one in objects.values():
        if isinstance(one, Manager) or one.deletion_mark or getattr(one, "predefined", False):
            continue
        chain: list[OwnerStep] = []
        at = partners.get(one.ref if isinstance(one, Partner) else one.partner or Ref(""))
        while at is not None and at.ref not in [step.partner for step in chain]:
            chain.append(OwnerStep(at.ref, at.name, at.manager))
            at = partners.get(at.parent or Ref(""))
        first = partners[chain[0].partner] if chain else None
        seen = set()
        for field in one.phone_fields:
            for phone in field.phones:
                if phone.number in seen:
                    continue
                seen.add(phone.number)
                kind = {ContactPerson: 1, Partner: 2, Counterparty: 3}[type(one)]
                index.setdefault(phone.number, []).append(
                    Candidate(
                        CandidateKind(kind),
                        one.ref,
                        one.name,
                        tuple(chain),
                        first.code if first else "",
                        first.customer if first else False,
                        getattr(one, "ended", None) is not None,
                        phone.extension,
                    )
                )
    return {number: sorted(found, key=candidate_sort_key) for number, found in index.items()}


_fields = st.lists(
    st.builds(typed, st.sampled_from(_NUMBERS), extension=st.none() | st.just("12")),
    max_size=2,
).map(tuple)
_managers = st.builds(manager, st.integers(1, 2), deletion_mark=st.booleans())
_partners = st.builds(
    partner,
    st.integers(10, 13),
    name=st.sampled_from(["А", "Б"]),
    code=st.sampled_from(["", "1", "2"]),
    parent=st.none() | st.integers(10, 13).map(guid),
    manager=st.none() | st.integers(1, 2).map(guid),
    customer=st.booleans(),
    deletion_mark=st.booleans(),
    predefined=st.integers(0, 5).map(lambda n: n == 0),
    phone_fields=_fields,
)
_contacts = st.builds(
    contact,
    st.integers(20, 22),
    partner=st.none() | st.integers(10, 14).map(guid),
    ended=st.none() | st.just(date(2026, 1, 1)),
    deletion_mark=st.booleans(),
    phone_fields=_fields,
)
_counterparties = st.builds(
    counterparty,
    st.integers(30, 31),
    partner=st.none() | st.integers(10, 14).map(guid),
    deletion_mark=st.booleans(),
    phone_fields=_fields,
)
_objects = st.one_of(_managers, _partners, _partners, _contacts, _counterparties)
_runs = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _objects),
        st.tuples(st.just("put"), _objects),
        st.tuples(st.just("remove"), _objects),
    ),
    min_size=1,
    max_size=4,
)


#: Where every history begins: a holding of three floors, each with somebody who can call.
_COMPANY = (
    manager(1),
    partner(10, manager=guid(1)),
    partner(11, N1, parent=guid(10), manager=guid(2)),
    partner(12, parent=guid(11)),
    contact(20, N2, partner=guid(12)),
    contact(21, N3, N1, partner=guid(10)),
    counterparty(30, N3, partner=guid(11)),
)


class AnyHistory(RuleBasedStateMachine):
    """Whatever a run puts, marks and removes, the index is the one built from scratch."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "directory.db")
        self.writer = SqliteDirectoryStore(path)
        self.reader = SqliteDirectory(path, stale_after=HOUR)
        self.world: dict[tuple[EntityKind, Ref], DirectoryObject] = {}
        self.run([("put", one) for one in _COMPANY], anew=1)

    def teardown(self) -> None:
        self.reader.close()
        self.writer.close()
        self.folder.cleanup()

    @rule(changes=_runs, anew=st.integers(0, 4))
    def run(self, changes: list[tuple[str, DirectoryObject]], anew: int) -> None:
        with self.writer.transaction() as run:
            if anew == 0:
                run.clear()
                self.world.clear()
            for verb, one in changes:
                kind = kind_of(one)
                if verb == "put":
                    run.put(kind, [one])
                    self.world[kind, one.ref] = one
                else:
                    run.remove(kind, [one.ref])
                    self.world.pop((kind, one.ref), None)
            run.reindex()
            facts = Counter(run.routing_facts())
            row_count = sum(run.count_rows(kind) for kind in EntityKind)
        assert facts == count_facts(self.world.values())
        assert row_count == len(self.world)

    @rule(changes=_runs)
    def run_that_fails(self, changes: list[tuple[str, DirectoryObject]]) -> None:
        with pytest.raises(ZeroDivisionError):
            self._fail(changes)

    def _fail(self, changes: list[tuple[str, DirectoryObject]]) -> None:
        with self.writer.transaction() as run:
            for verb, one in changes:
                if verb == "put":
                    run.put(kind_of(one), [one])
                else:
                    run.remove(kind_of(one), [one.ref])
            run.reindex()
            raise ZeroDivisionError

    @invariant()
    def index_is_the_referees(self) -> None:
        self.reader.refresh()
        expected = referee(self.world)
        for number in _NUMBERS:
            card = self.reader.look_up(number)
            found = None if card is None else list(card.candidates)
            assert found == expected.get(number)
        assert self.reader.count_numbers() == len(expected)
        assert {m.ref: m for m in self.reader.managers().values()} == {
            ref: one for (kind, ref), one in self.world.items() if kind is EntityKind.MANAGER
        }

    @invariant()
    def facts_are_counted_across_runs(self) -> None:
        with self.writer.transaction() as run:
            assert Counter(run.routing_facts()) == count_facts(self.world.values())

    @invariant()
    def names_are_found(self) -> None:
        expected = {n.ref for n in self.world.values() if isinstance(n, ContactPerson)}
        assert {n.ref for n in self.reader.find_by_name("пётр")} - {
            n.ref for n in self.world.values() if not isinstance(n, ContactPerson)
        } == expected


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=8, deadline=None)


def test_a_large_change_ends_in_the_same_index_as_small_ones(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    many = [partner(n, 74950000000 + n, manager=guid(1)) for n in range(100, 10_600)]
    with writer.transaction() as run:
        run.put(EntityKind.MANAGER, [manager(1)])
        run.put(EntityKind.PARTNER, many)
        assert run.reindex() == len(many)

    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [replace(p, name="Иначе", version=Version("2")) for p in many])
        assert run.reindex() == len(many)

    assert only(reader, PhoneNumber(74950000000 + 5_000)).name == "Иначе"


_HOLDING = (
    manager(1),
    manager(2),
    partner(11, N1, manager=guid(1)),
    partner(12, N1, N2, manager=guid(2), parent=guid(11)),
    partner(13, N3, predefined=True),
    contact(21, N2, N3, partner=guid(12)),
    contact(22, N3, partner=guid(13)),
    counterparty(31, N1, N3, partner=guid(11)),
)


@pytest.mark.parametrize("order", list(permutations(EntityKind)))
def test_in_whatever_order_the_first_load_comes_it_makes_the_same_cards(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, order: tuple[EntityKind, ...]
) -> None:
    with writer.transaction() as run:
        for kind in order:
            run.put(kind, [one for one in _HOLDING if kind_of(one) is kind])
        assert run.reindex() == 3

    reader.refresh()
    cards = {n: reader.look_up(n) for n in (N1, N2, N3)}
    # Small changes make the same cards from the documents.
    for one in _HOLDING:
        put(writer, replace(one, version=Version("2"), name=f"{one.name}!"))
        put(writer, one)
    reader.refresh()
    assert {n: reader.look_up(n) for n in (N1, N2, N3)} == cards


def test_a_load_that_goes_back_to_partners_or_comes_twice_makes_the_same_cards(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1, manager=guid(1))])
        run.put(EntityKind.CONTACT, [contact(21, N2, partner=guid(12))])
        run.put(EntityKind.PARTNER, [partner(12, N3, parent=guid(11)), partner(11, N2)])
        run.put(EntityKind.MANAGER, [manager(1), manager(2)])
        run.remove(EntityKind.MANAGER, [guid(2)])
        assert run.reindex() == 2

    assert names_at(reader, N1) == []
    assert names_at(reader, N2) == ["Иванов Пётр 21", "ООО «Ромашка 11»"]
    assert [step.partner for step in only(reader, N3).chain] == [guid(12), guid(11)]


def test_a_run_that_brings_the_same_world_anew_writes_no_row_of_it(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    many = [partner(n, 74950000000 + n, manager=guid(1)) for n in range(100, 6_000)]
    for _ in range(2):
        with writer.transaction() as run:
            run.clear()
            before = writer._db.file.connection.total_changes  # noqa: SLF001 - SQLite's own count
            for kind in EntityKind:
                run.put(kind, [one for one in _HOLDING if kind_of(one) is kind])
                run.put(kind, many if kind is EntityKind.PARTNER else ())
            assert run.reindex() == len(many) + 3
            written = writer._db.file.connection.total_changes - before  # noqa: SLF001 - as above

    assert written == 0
    assert names_at(reader, N3) == ["Иванов Пётр 21", "Иванов Пётр 22", "ИП Ёлкин 31"]


def test_of_a_world_brought_anew_only_what_differs_is_written(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, *_HOLDING)
    (ref, *_) = refreshed(reader).managers()
    rows = manager_rows(writer)

    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.MANAGER, [manager(1), manager(3)])
        run.put(EntityKind.PARTNER, [partner(12, N1, name="Иначе"), partner(14, N2)])
        assert run.count_rows(EntityKind.PARTNER) == 2
        assert run.count_rows(EntityKind.CONTACT) == 0
        run.put(EntityKind.CONTACT, [contact(21, N3, partner=guid(14))])
        assert run.reindex() == 3

    assert names_at(reader, N1) == ["Иначе"]
    assert names_at(reader, N3) == ["Иванов Пётр 21"]
    assert [step.partner for step in only(reader, N3).chain] == [guid(14)]
    assert [one.name for one in reader.find_by_name("ромашка")] == ["ООО «Ромашка 14»"]
    assert ref in reader.managers()
    assert len(reader.managers()) == 2
    assert rows[0] in manager_rows(writer)


def test_a_document_of_three_hundred_lines_is_loaded_whole(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    huge = partner(11, *range(74950000000, 74950000300), name="Ё" * 2_000)
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(10), huge, partner(12, N3)])
        assert run.reindex() == 301

    assert only(reader, PhoneNumber(74950000299)).name == huge.name
    assert names_at(reader, N3) == ["ООО «Ромашка 12»"]
    assert [one.name for one in reader.find_by_name("ромашка 12")] == ["ООО «Ромашка 12»"]
