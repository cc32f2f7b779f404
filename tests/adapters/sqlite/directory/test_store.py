"""The directory file: what a run writes is what callers are answered from, all of it or nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.adapters.sqlite.directory.documents import TABLES
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    OwnerStep,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    AttributeValue,
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    PhoneField,
    Ref,
    Version,
)
from bridge.domain.directory.routing_facts import count_facts
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreError, SyncAlreadyRunning
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import EntitySync, SyncReport

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
N1, N2, N3 = PhoneNumber(74950000001), PhoneNumber(74950000002), PhoneNumber(79160000003)


def guid(n: int) -> Ref:
    return Ref(f"{n:08x}-1c1c-41c1-a1c1-{n:012x}")


def typed(*numbers: int, extension: str | None = None) -> PhoneField:
    phones = tuple(ParsedPhone(PhoneNumber(n), extension) for n in numbers)
    return PhoneField(" / ".join(f"+{n}" for n in numbers), phones)


def manager(n: int, **more: object) -> Manager:
    return replace(Manager(guid(n), Version("1"), f"Менеджер {n}", str(100 + n)), **more)


def partner(n: int, *numbers: int, **more: object) -> Partner:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        Partner(guid(n), Version("1"), f"ООО «Ромашка {n}»", phone_fields=fields), **more
    )


def contact(n: int, *numbers: int, **more: object) -> ContactPerson:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        ContactPerson(guid(n), Version("1"), f"Иванов Пётр {n}", phone_fields=fields), **more
    )


def counterparty(n: int, *numbers: int, **more: object) -> Counterparty:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        Counterparty(guid(n), Version("1"), f"ИП Ёлкин {n}", phone_fields=fields), **more
    )


def kind_of(noun: DirectoryObject) -> EntityKind:
    kinds = {
        Manager: EntityKind.MANAGER,
        Partner: EntityKind.PARTNER,
        ContactPerson: EntityKind.CONTACT,
        Counterparty: EntityKind.COUNTERPARTY,
    }
    return kinds[type(noun)]


def report(proven_at: datetime | None = NOW, **more: object) -> SyncReport:
    entity = EntitySync(EntityKind.PARTNER, listed=3, held=3, proven_at=proven_at)
    plain = SyncReport(NOW, 1.5, full=True, changed=True, numbers=3, entities=(entity,))
    return replace(plain, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SqliteDirectoryStore]:
    opened = SqliteDirectoryStore(path)
    yield opened
    opened.close()


@pytest.fixture
def reader(writer: SqliteDirectoryStore, path: Path) -> Iterator[SqliteDirectory]:
    assert writer.report() is None
    opened = SqliteDirectory(path, stale_after=HOUR)
    yield opened
    opened.close()


def put(writer: SqliteDirectoryStore, *nouns: DirectoryObject) -> None:
    """One run that brings *nouns*."""
    with writer.transaction() as run:
        for noun in nouns:
            run.put(kind_of(noun), [noun])
        run.reindex()
        run.save_report(report())


def manager_rows(writer: SqliteDirectoryStore) -> list[int]:
    """Return the row numbers of the managers, by which cards name them."""
    table = TABLES[EntityKind.MANAGER]
    rows = writer._db.file.read(f"SELECT id FROM {table} ORDER BY id")  # noqa: SLF001, S608 - ours
    return [row for (row,) in rows]


def names_at(reader: SqliteDirectory, number: PhoneNumber) -> list[str]:
    reader.refresh()
    card = reader.look_up(number)
    return [] if card is None else [candidate.name for candidate in card.candidates]


def only(reader: SqliteDirectory, number: PhoneNumber) -> Candidate:
    reader.refresh()
    card = reader.look_up(number)
    assert card is not None
    (candidate,) = card.candidates
    return candidate


# ---------------------------------------------------------------- cards
def test_a_contacts_card_tells_partner_holding_and_managers(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        manager(1),
        manager(2),
        partner(10, manager=guid(2), name="Холдинг"),
        partner(11, manager=guid(1), parent=guid(10), code="00-11", customer=True),
        contact(20, N1, partner=guid(11), ended=date(2026, 1, 1)),
    )

    candidate = only(reader, N1)

    assert candidate == Candidate(
        CandidateKind.CONTACT,
        guid(20),
        "Иванов Пётр 20",
        (
            OwnerStep(guid(11), "ООО «Ромашка 11»", guid(1)),
            OwnerStep(guid(10), "Холдинг", guid(2)),
        ),
        "00-11",
        customer=True,
        ended=True,
    )
    assert type(candidate.kind) is CandidateKind


def test_several_owners_of_a_number_stand_in_stable_order(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        partner(11, N1, code="2"),
        partner(12, N1, code="1"),
        contact(21, N1, partner=guid(11)),
        counterparty(31, N1, partner=guid(12)),
    )

    assert names_at(reader, N1) == [
        "Иванов Пётр 21",
        "ООО «Ромашка 12»",
        "ООО «Ромашка 11»",
        "ИП Ёлкин 31",
    ]


def test_a_number_typed_twice_is_one_candidate_with_its_first_extension(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    fields = (typed(N1, N2, extension="314"), typed(N1))

    put(writer, replace(partner(11), phone_fields=fields))

    assert only(reader, N1).extension == "314"
    assert only(reader, N2).extension == "314"


@pytest.mark.parametrize("silenced", [{"deletion_mark": True}, {"predefined": True}])
def test_a_marked_or_predefined_partner_is_nobodys_caller(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, silenced: dict[str, bool]
) -> None:
    put(writer, partner(11, N1))
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]

    put(writer, partner(11, N1, version=Version("2"), **silenced))

    assert names_at(reader, N1) == []
    assert reader.count_numbers() == 0


def test_a_contact_of_a_marked_partner_still_leads_to_his_manager(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, manager(1), partner(11, manager=guid(1), deletion_mark=True))
    put(writer, contact(20, N1, partner=guid(11)))

    assert only(reader, N1).chain[0].manager in reader.managers()


def test_a_contact_of_a_predefined_partner_is_a_caller_without_partner(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, manager(1), partner(11, manager=guid(1), predefined=True, code="x", customer=True))
    put(writer, contact(20, N1, partner=guid(11)))

    candidate = only(reader, N1)

    assert (candidate.chain, candidate.code, candidate.customer) == ((), "", False)


def test_a_partner_renamed_is_renamed_on_the_cards_of_his_whole_holding(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        partner(10),
        partner(11, parent=guid(10)),
        partner(12, parent=guid(11)),
        contact(20, N1, partner=guid(12)),
    )

    put(writer, partner(10, name="Новое имя"))

    assert [step.name for step in only(reader, N1).chain][-1] == "Новое имя"


def test_a_manager_who_appears_and_goes_is_seen_in_the_chains_of_his_partners(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1, manager=guid(1)))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert guid(1) not in reader.managers()

    put(writer, manager(1))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert reader.managers()[guid(1)].name == "Менеджер 1"

    put(writer, manager(1, extension="777"))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert reader.managers()[guid(1)].extension == "777"

    with writer.transaction() as run:
        run.remove(EntityKind.MANAGER, [guid(1)])
    assert only(reader, N1).chain[0].manager == guid(1)
    assert guid(1) not in reader.managers()


def test_a_managers_row_is_never_given_to_another(writer: SqliteDirectoryStore) -> None:
    put(writer, manager(1))
    (old,) = manager_rows(writer)

    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.MANAGER, [manager(2)])

    (new,) = manager_rows(writer)
    assert new > old


def test_holdings_that_run_in_a_circle_end_where_they_began(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(10, N1, parent=guid(11)), partner(11, parent=guid(10)))
    put(writer, partner(11, parent=guid(10), name="Второй"))

    assert [step.partner for step in only(reader, N1).chain] == [guid(10), guid(11)]


# ---------------------------------------------------------------- any history, one index
_NUMBERS = (N1, N2, N3)


def referee(
    nouns: Mapping[tuple[EntityKind, Ref], DirectoryObject],
) -> dict[int, list[Candidate]]:
    """Say plainly what the index must hold, from the rules alone."""
    partners = {n.ref: n for n in nouns.values() if isinstance(n, Partner) and not n.predefined}
    index: dict[int, list[Candidate]] = {}
    for noun in nouns.values():
        if isinstance(noun, Manager) or noun.deletion_mark or getattr(noun, "predefined", False):
            continue
        chain: list[OwnerStep] = []
        at = partners.get(noun.ref if isinstance(noun, Partner) else noun.partner)
        while at is not None and at.ref not in [step.partner for step in chain]:
            chain.append(OwnerStep(at.ref, at.name, at.manager))
            at = partners.get(at.parent)
        first = partners[chain[0].partner] if chain else None
        seen = set()
        for field in noun.phone_fields:
            for phone in field.phones:
                if phone.number in seen:
                    continue
                seen.add(phone.number)
                kind = {ContactPerson: 1, Partner: 2, Counterparty: 3}[type(noun)]
                index.setdefault(phone.number, []).append(
                    Candidate(
                        CandidateKind(kind),
                        noun.ref,
                        noun.name,
                        tuple(chain),
                        first.code if first else "",
                        first.customer if first else False,
                        getattr(noun, "ended", None) is not None,
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
_nouns = st.one_of(_managers, _partners, _partners, _contacts, _counterparties)
_runs = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _nouns),
        st.tuples(st.just("put"), _nouns),
        st.tuples(st.just("remove"), _nouns),
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
        self.room = tempfile.TemporaryDirectory()
        path = Path(self.room.name, "directory.db")
        self.writer = SqliteDirectoryStore(path)
        self.reader = SqliteDirectory(path, stale_after=HOUR)
        self.world: dict[tuple[EntityKind, Ref], DirectoryObject] = {}
        self.run([("put", noun) for noun in _COMPANY], anew=1)

    def teardown(self) -> None:
        self.reader.close()
        self.writer.close()
        self.room.cleanup()

    @rule(changes=_runs, anew=st.integers(0, 4))
    def run(self, changes: list[tuple[str, DirectoryObject]], anew: int) -> None:
        with self.writer.transaction() as run:
            if anew == 0:
                run.clear()
                self.world.clear()
            for verb, noun in changes:
                kind = kind_of(noun)
                if verb == "put":
                    run.put(kind, [noun])
                    self.world[kind, noun.ref] = noun
                else:
                    run.remove(kind, [noun.ref])
                    self.world.pop((kind, noun.ref), None)
            run.reindex()
            facts = Counter(run.routing_facts())
            held = sum(run.count_rows(kind) for kind in EntityKind)
        assert facts == count_facts(self.world.values())
        assert held == len(self.world)

    @rule(changes=_runs)
    def run_that_fails(self, changes: list[tuple[str, DirectoryObject]]) -> None:
        with pytest.raises(ZeroDivisionError):
            self._fail(changes)

    def _fail(self, changes: list[tuple[str, DirectoryObject]]) -> None:
        with self.writer.transaction() as run:
            for verb, noun in changes:
                if verb == "put":
                    run.put(kind_of(noun), [noun])
                else:
                    run.remove(kind_of(noun), [noun.ref])
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
            ref: noun for (kind, ref), noun in self.world.items() if kind is EntityKind.MANAGER
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


_HOUSE = (
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
            run.put(kind, [noun for noun in _HOUSE if kind_of(noun) is kind])
        assert run.reindex() == 3

    reader.refresh()
    cards = {n: reader.look_up(n) for n in (N1, N2, N3)}
    # Small changes make the same cards from the documents.
    for noun in _HOUSE:
        put(writer, replace(noun, version=Version("2"), name=f"{noun.name}!"))
        put(writer, noun)
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
                run.put(kind, [noun for noun in _HOUSE if kind_of(noun) is kind])
                run.put(kind, many if kind is EntityKind.PARTNER else ())
            assert run.reindex() == len(many) + 3
            written = writer._db.file.connection.total_changes - before  # noqa: SLF001 - as above

    assert written == 0
    assert names_at(reader, N3) == ["Иванов Пётр 21", "Иванов Пётр 22", "ИП Ёлкин 31"]


def test_of_a_world_brought_anew_only_what_differs_is_written(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, *_HOUSE)
    (ref, *_) = _refreshed(reader).managers()
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
    assert [noun.name for noun in reader.find_by_name("ромашка")] == ["ООО «Ромашка 14»"]
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
    assert [noun.name for noun in reader.find_by_name("ромашка 12")] == ["ООО «Ромашка 12»"]


# ---------------------------------------------------------------- runs
def test_what_is_held_is_given_with_its_versions(writer: SqliteDirectoryStore) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.MANAGER, [manager(1, attribute=AttributeValue("101"))])
        run.put(EntityKind.PARTNER, [partner(11), partner(12)])
        run.save_report(report())
        assert run.managers() == [manager(1, attribute=AttributeValue("101"))]

    assert writer.versions(EntityKind.PARTNER) == {guid(11): "1", guid(12): "1"}
    assert writer.versions(EntityKind.CONTACT) == {}
    assert writer.report() == report()


def test_an_object_that_comes_twice_in_the_first_load_is_kept_once(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    old = replace(partner(11, N1), phone_fields=(typed(N1), PhoneField("звонить Оле", ())))
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [old, partner(12), partner(11, N2, name="Новый")])
        assert run.count_rows(EntityKind.PARTNER) == 2
        assert run.unread_phones(EntityKind.PARTNER) == (0, ())

    assert names_at(reader, N1) == []
    assert names_at(reader, N2) == ["Новый"]
    assert [n.name for n in reader.find_by_name("новый")] == ["Новый"]
    with writer.transaction() as run:
        assert run.routing_facts()["partner_phone"] == 1


def test_facts_that_an_older_release_did_not_count_are_counted_once(path: Path) -> None:
    writer = SqliteDirectoryStore(path)
    put(writer, manager(1), partner(11, N1, N2, manager=guid(1)), contact(20, N3))
    writer.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE checkpoint SET doc = json_remove(doc, '$.facts')")
    file.close()
    writer = SqliteDirectoryStore(path)

    with writer.transaction() as run:
        facts = Counter(run.routing_facts())
        run.save_report(SyncReport(NOW, 1.0, False, False, 3, ()))

    expected = {"extension": 1, "partner_phone": 2, "main_manager": 1, "contact_phone": 1}
    assert facts == Counter(expected)
    writer.close()
    with sqlite3.connect(path) as file:
        docs = [row[0] for row in file.execute("SELECT doc FROM checkpoint ORDER BY id")]
    file.close()
    assert '"facts"' in docs[-1]


def test_fields_without_a_number_are_counted_with_examples(writer: SqliteDirectoryStore) -> None:
    unread = (PhoneField("звонить Оле", ()), PhoneField("нет", ()), PhoneField(" ", ()))
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [replace(partner(11), phone_fields=unread), partner(12, N1)])
        assert run.unread_phones(EntityKind.PARTNER) == (2, ("звонить Оле",))
        assert run.unread_phones(EntityKind.CONTACT) == (0, ())

    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11)])
        assert run.unread_phones(EntityKind.PARTNER) == (0, ())


def test_a_failed_run_leaves_the_old_world(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1))

    with pytest.raises(ZeroDivisionError):
        _fail_after_clearing(writer)

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert writer.versions(EntityKind.PARTNER) == {guid(11): "1"}


def _fail_after_clearing(writer: SqliteDirectoryStore) -> None:
    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.PARTNER, [partner(12, N2)])
        run.reindex()
        raise ZeroDivisionError


def test_readers_see_the_old_world_until_the_run_ends(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1))
    reader.refresh()

    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.PARTNER, [partner(12, N1)])
        run.reindex()
        assert not reader.refresh()
        assert names_at(reader, N1) == ["ООО «Ромашка 11»"]

    assert reader.refresh()
    assert names_at(reader, N1) == ["ООО «Ромашка 12»"]


def test_a_run_that_forgets_to_reindex_is_reindexed_all_the_same(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]


@pytest.mark.usefixtures("writer")
def test_only_one_run_at_a_time(path: Path) -> None:
    with pytest.raises(SyncAlreadyRunning):
        SqliteDirectoryStore(path)


def test_the_lock_is_free_after_closing(path: Path) -> None:
    SqliteDirectoryStore(path).close()

    SqliteDirectoryStore(path).close()


def test_nobody_sees_a_first_run_before_it_is_over(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, path: Path
) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])
        run.reindex()
        assert not reader.refresh()
        assert not path.exists()

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert list(path.parent.glob("directory.db.new*")) == []


def test_a_first_run_that_failed_leaves_nothing_and_can_be_tried_again(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_after_clearing(writer)
    assert not path.exists()

    put(writer, partner(11, N1))
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert reader.look_up(N2) is None


def test_a_first_run_whose_place_is_taken_says_so_and_leaves_nothing(
    writer: SqliteDirectoryStore, path: Path
) -> None:
    with pytest.raises(StoreError, match=r"directory\.db"):
        _be_in_the_way(writer, path)

    assert list(path.parent.glob("directory.db.new*")) == []


def _be_in_the_way(writer: SqliteDirectoryStore, path: Path) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])
        Path(path, "something").mkdir(parents=True)


_KILLED = """
import os, sys, tests_directory as t
writer = t.SqliteDirectoryStore(t.Path(sys.argv[1]))
with writer.transaction() as run:
    run.clear()
    run.put(t.EntityKind.PARTNER, (t.partner(n, 74950000000 + n) for n in range(20, 12000)))
    if sys.argv[2] == "indexed":
        run.reindex()
    sys.stdout.write("in the middle\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.parametrize("at", ["indexed", "rows on their way"])
@pytest.mark.parametrize("old", [True, False], ids=["a filled directory", "the first run"])
def test_a_run_killed_in_the_middle_leaves_the_old_world(
    path: Path, tmp_path: Path, at: str, *, old: bool
) -> None:
    if old:
        writer = SqliteDirectoryStore(path)
        put(writer, partner(11, N1))
        writer.close()
    Path(tmp_path, "tests_directory.py").write_text(
        Path(__file__).read_text(encoding="utf-8"), encoding="utf-8"
    )

    run = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _KILLED, str(path), at],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert run.stdout is not None
    assert run.stdin is not None
    assert run.stdout.readline() == b"in the middle\n"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    run.stdin.close()

    reader = SqliteDirectory(path, stale_after=HOUR)
    assert names_at(reader, N1) == (["ООО «Ромашка 11»"] if old else [])
    assert reader.look_up(PhoneNumber(74950000020)) is None
    reader.close()
    writer = SqliteDirectoryStore(path)
    assert writer.versions(EntityKind.PARTNER) == ({guid(11): "1"} if old else {})
    writer.close()
    assert not list(tmp_path.glob("directory.db.new*"))


# ---------------------------------------------------------------- reading
def _refreshed(reader: SqliteDirectory) -> SqliteDirectory:
    reader.refresh()
    return reader


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


def test_a_broken_file_is_said_to_be_broken_until_it_is_mended(path: Path) -> None:
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


def test_an_extension_of_one_reachable_user_is_his_and_of_two_is_nobodys(
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


def test_age_is_told_from_the_last_run_that_proved_everything(
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


# ---------------------------------------------------------------- names
@pytest.fixture
def people(writer: SqliteDirectoryStore, reader: SqliteDirectory) -> SqliteDirectory:
    put(
        writer,
        manager(1, name="Ли"),
        partner(11, name='ООО "Ромашка"'),
        partner(12, name="Белая ромашка", deletion_mark=True),
        contact(21, name="Ёлкина Анна Ивановна"),
        counterparty(31, name="ИП Иванов А. А."),
    )
    reader.refresh()
    return reader


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ромашка", ['ООО "Ромашка"', "Белая ромашка"]),
        ("РОМАШ", ['ООО "Ромашка"', "Белая ромашка"]),
        ("иван", ["Ёлкина Анна Ивановна", "ИП Иванов А. А."]),
        ("елкина ан", ["Ёлкина Анна Ивановна"]),
        ("анна ёлкина", ["Ёлкина Анна Ивановна"]),
        ("ип", ["ИП Иванов А. А."]),
        ("ли", ["Ли"]),
        ("и", ["ИП Иванов А. А.", "Ёлкина Анна Ивановна", "Ли"]),
        ('"ром', ['ООО "Ромашка"']),
        ("а.", ["ИП Иванов А. А."]),
        ("' OR 1", []),
        ("нет такого", []),
        ("  ", []),
        ("\0", []),
    ],
)
def test_names_are_found_by_any_part_in_any_case(
    people: SqliteDirectory, words: str, found: list[str]
) -> None:
    assert sorted(n.name for n in people.find_by_name(words)) == sorted(found)


def test_names_that_begin_so_come_first_and_marked_ones_last(people: SqliteDirectory) -> None:
    assert people.find_by_name("и")[0].name == "ИП Иванов А. А."
    assert people.find_by_name("ромашка")[-1].name == "Белая ромашка"
    assert len(people.find_by_name("и", limit=1)) == 1
