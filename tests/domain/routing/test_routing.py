"""Who picks up: one company, changed in one way at a time; and what is true of every company."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.directory.caller_card import (
    CallerCard,
    Candidate,
    CandidateKind,
    OwnerStep,
)
from bridge.domain.directory.entities import (
    EMPTY_REF,
    Manager,
    Partner,
    PhoneOwner,
    find_extension_owner,
)
from bridge.domain.phone.callers import CallerKind
from bridge.domain.routing.decision import (
    DataAge,
    Finding,
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
    Rule,
)
from bridge.domain.routing.routing import decide_route
from tests.support import builders as b

ANNA = b.manager("Анна Петрова", "205")
BORIS = b.manager("Борис Седов", "206")
CLARA = b.manager("Клара Юнг", "207")
IVAN = b.contact("Иванов Пётр", partner="ООО Ромашка")
OLGA = b.contact("Орлова Ольга", partner="ООО Лютик")


ASKED = b.question()
NO_RULES = RoutingRules()
PROVEN = DataAge(b.NOON)
PARTNERS = (
    b.partner("ООО Ромашка", manager="Анна Петрова", parent="Холдинг"),
    b.partner("Холдинг", manager="Борис Седов", parent="Группа", code="00-00000003"),
    b.partner("Группа", manager="Клара Юнг", code="00-00000002"),
    b.partner("ООО Лютик", manager="Борис Седов", code="00-00000001", customer=False),
)


@dataclass(frozen=True, slots=True)
class World:
    """Ivan of Romashka calls; Anna keeps Romashka, Boris its holding, Clara the holding's."""

    managers: tuple[Manager, ...] = (ANNA, BORIS, CLARA)
    partners: tuple[Partner, ...] = PARTNERS
    owners: tuple[PhoneOwner, ...] = (IVAN,)
    question: RouteQuestion = ASKED
    rules: RoutingRules = NO_RULES
    memory: NumberMemory | None = None
    age: DataAge | None = PROVEN
    broken: str = ""

    def decide(self) -> RouteDecision:
        rows = b.rows(*self.managers)
        card = None
        if self.owners:
            card = b.card(*self.owners, partners=self.partners)
        return decide_route(
            self.question,
            card,
            rows,
            lambda extension: find_extension_owner(extension, rows),
            self.rules,
            memory=self.memory,
            age=self.age,
            index_error=self.broken,
        )


Change = Callable[[World], World]


def nothing(world: World) -> World:
    return world


def these(*changes: Change) -> Change:
    def all_of_them(world: World) -> World:
        for change in changes:
            world = change(world)
        return world

    return all_of_them


def now_is(changed: Manager) -> Change:
    """Replace the manager of this name."""
    return lambda world: replace(
        world, managers=tuple(changed if m.ref == changed.ref else m for m in world.managers)
    )


def partner_is(changed: Partner) -> Change:
    return lambda world: replace(
        world, partners=tuple(changed if p.ref == changed.ref else p for p in world.partners)
    )


def gone(absent: Manager) -> Change:
    return lambda world: replace(
        world, managers=tuple(m for m in world.managers if m.ref != absent.ref)
    )


def owned_by(*owners: PhoneOwner) -> Change:
    return lambda world: replace(world, owners=owners)


def asked(question: RouteQuestion) -> Change:
    return lambda world: replace(world, question=question, owners=())


def by_rules(default: str | None = None, **dids: str) -> Change:
    numbers = {did.removeprefix("line_"): extension for did, extension in dids.items()}
    return lambda world: replace(world, rules=RoutingRules(default, numbers or None))


def remembered(memory: NumberMemory) -> Change:
    return lambda world: replace(world, memory=memory)


def aged(age: DataAge | None) -> Change:
    return lambda world: replace(world, age=age)


def broken(world: World) -> World:
    return replace(world, broken="directory.db: disk I/O error", owners=())


ANNA_LEFT = now_is(b.manager("Анна Петрова", "205", invalid=True))
STRANGER = owned_by()
ROMASHKA_KEEPS = b.partner("ООО Ромашка", manager=None, parent="Холдинг")
F = Finding

TABLE: list[tuple[str, Change, str | None, Rule, list[Finding]]] = [
    # what is changed                  how, extension, rule, evidence behind CALLER_READ
    ("nothing", nothing, "205", Rule.CONTACT_MANAGER, [F.CANDIDATE, F.MANAGER_CHOSEN]),
    (
        "the manager left",
        ANNA_LEFT,
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_INVALID, F.MANAGER_CHOSEN],
    ),
    (
        "the manager is marked",
        now_is(b.manager("Анна Петрова", "205", deletion_mark=True)),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_MARKED, F.MANAGER_CHOSEN],
    ),
    (
        "the manager is a technical user",
        now_is(b.manager("Анна Петрова", "205", service=True)),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_SERVICE, F.MANAGER_CHOSEN],
    ),
    (
        "the manager has no extension",
        now_is(b.manager("Анна Петрова", None)),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_NO_EXTENSION, F.MANAGER_CHOSEN],
    ),
    (
        "the manager's extension is empty",
        now_is(b.manager("Анна Петрова", "")),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_NO_EXTENSION, F.MANAGER_CHOSEN],
    ),
    (
        "1C names a manager it does not list",
        gone(ANNA),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_GONE, F.MANAGER_CHOSEN],
    ),
    (
        "the partner has no manager",
        partner_is(ROMASHKA_KEEPS),
        "206",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.NO_MANAGER, F.MANAGER_CHOSEN],
    ),
    (
        "only the grand-parent has one",
        these(ANNA_LEFT, now_is(b.manager("Борис Седов", None))),
        "207",
        Rule.PARENT_MANAGER,
        [F.CANDIDATE, F.MANAGER_INVALID, F.MANAGER_NO_EXTENSION, F.MANAGER_CHOSEN],
    ),
    (
        "the holdings go round in a circle",
        these(
            ANNA_LEFT,
            partner_is(b.partner("Холдинг", manager=None, parent="ООО Ромашка")),
            by_rules("100"),
        ),
        "100",
        Rule.DEFAULT,
        [F.CANDIDATE, F.MANAGER_INVALID, F.NO_MANAGER, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
    (
        "the holding is not in 1C",
        these(ANNA_LEFT, partner_is(b.partner("ООО Ромашка", parent="Исчезнувший"))),
        None,
        Rule.NOBODY,
        [F.CANDIDATE, F.MANAGER_INVALID, F.NOBODY],
    ),
    (
        "the relation ended",
        owned_by(replace(IVAN, ended=date(2025, 12, 31))),
        "205",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE_ENDED, F.MANAGER_CHOSEN],
    ),
    (
        "the number is the partner's",
        owned_by(b.partner("ООО Ромашка", parent="Холдинг")),
        "205",
        Rule.PARTNER_MANAGER,
        [F.CANDIDATE, F.MANAGER_CHOSEN],
    ),
    (
        "the number is the counterparty's",
        owned_by(b.counterparty(partner="ООО Ромашка")),
        "205",
        Rule.COUNTERPARTY_MANAGER,
        [F.CANDIDATE, F.MANAGER_CHOSEN],
    ),
    (
        "a counterparty without a partner",
        owned_by(b.counterparty(partner=None)),
        None,
        Rule.NOBODY,
        [F.CANDIDATE, F.NO_PARTNER, F.NOBODY],
    ),
    (
        "two owners, one manager",
        owned_by(IVAN, b.counterparty(partner="ООО Ромашка")),
        "205",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.MANAGER_CHOSEN],
    ),
    (
        "two managers",
        owned_by(OLGA, IVAN),
        "205",  # Romashka is a customer
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.SEVERAL_MANAGERS, F.STABLE_ORDER, F.MANAGER_CHOSEN],
    ),
    (
        "two managers and an operator's word",
        these(
            owned_by(OLGA, IVAN),
            remembered(NumberMemory(chosen_owner=OLGA.ref, last_extension="205")),
        ),
        "206",
        Rule.CONTACT_MANAGER,
        [F.CHOICE_REMEMBERED, F.CANDIDATE, F.CANDIDATE, F.SEVERAL_MANAGERS, F.MANAGER_CHOSEN],
    ),
    (
        "two managers and a word on somebody else",
        these(owned_by(OLGA, IVAN), remembered(NumberMemory(chosen_owner=b.ref("чужой")))),
        "205",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.SEVERAL_MANAGERS, F.STABLE_ORDER, F.MANAGER_CHOSEN],
    ),
    (
        "two managers, one talked last",
        these(owned_by(OLGA, IVAN), remembered(NumberMemory(last_extension="206"))),
        "206",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.SEVERAL_MANAGERS, F.TALKED_LAST, F.MANAGER_CHOSEN],
    ),
    (
        "two managers, neither talked last",
        these(owned_by(OLGA, IVAN), remembered(NumberMemory(last_extension="299"))),
        "205",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.SEVERAL_MANAGERS, F.STABLE_ORDER, F.MANAGER_CHOSEN],
    ),
    (
        "the first of two owners has nobody",
        owned_by(b.contact("Без Партнёра", partner=None), OLGA),
        "206",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.CANDIDATE, F.NO_PARTNER, F.MANAGER_CHOSEN],
    ),
    ("a stranger", STRANGER, None, Rule.NOBODY, [F.NUMBER_UNKNOWN, F.NOBODY]),
    (
        "a stranger, with a default",
        these(STRANGER, by_rules("100")),
        "100",
        Rule.DEFAULT,
        [F.NUMBER_UNKNOWN, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
    (
        "a stranger, and the default is Anna's",
        these(STRANGER, by_rules("205")),
        "205",
        Rule.DEFAULT,
        [F.NUMBER_UNKNOWN, F.DEFAULT_EXTENSION, F.EXTENSION_OWNER],
    ),
    (
        "a stranger, and two share the default",
        these(STRANGER, now_is(b.manager("Борис Седов", "205")), by_rules("205")),
        "205",
        Rule.DEFAULT,
        [F.NUMBER_UNKNOWN, F.DEFAULT_EXTENSION, F.EXTENSION_SHARED],
    ),
    (
        "a stranger, and who had the default left",
        these(STRANGER, ANNA_LEFT, by_rules("205")),
        "205",
        Rule.DEFAULT,
        [F.NUMBER_UNKNOWN, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
    (
        "a stranger on a line of its own",
        these(STRANGER, by_rules("100", line_74852550102="300")),
        "300",
        Rule.DID,
        [F.NUMBER_UNKNOWN, F.DID_EXTENSION, F.EXTENSION_FREE],
    ),
    (
        "a stranger on another line",
        these(STRANGER, by_rules("100", line_74950000000="300")),
        "100",
        Rule.DEFAULT,
        [F.NUMBER_UNKNOWN, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
    (
        "a customer on a line of its own",
        by_rules("100", line_74852550102="300"),
        "205",
        Rule.CONTACT_MANAGER,
        [F.CANDIDATE, F.MANAGER_CHOSEN],
    ),
    (
        "an empty default",
        these(STRANGER, by_rules("")),
        None,
        Rule.NOBODY,
        [F.NUMBER_UNKNOWN, F.NOBODY],
    ),
    (
        "stale data",
        aged(DataAge(b.NOON, is_stale=True)),
        "205",
        Rule.CONTACT_MANAGER,
        [F.INDEX_STALE, F.CANDIDATE, F.MANAGER_CHOSEN],
    ),
    (
        "nothing pulled yet",
        these(STRANGER, aged(DataAge()), by_rules("100")),
        "100",
        Rule.DEFAULT,
        [F.INDEX_EMPTY, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
    ("no age known", these(STRANGER, aged(None)), None, Rule.NOBODY, [F.INDEX_EMPTY, F.NOBODY]),
    (
        "a broken index",
        these(broken, by_rules("100")),
        "100",
        Rule.DEFAULT,
        [F.INDEX_BROKEN, F.DEFAULT_EXTENSION, F.EXTENSION_FREE],
    ),
]


@pytest.mark.parametrize(
    ("change", "extension", "rule", "findings"),
    [pytest.param(*row[1:], id=row[0].replace(" ", "_")) for row in TABLE],
)
def test_one_change_of_the_world_and_where_the_call_goes(
    change: Change, extension: str | None, rule: Rule, findings: list[Finding]
) -> None:
    decided = change(World()).decide()

    assert decided.extension == extension
    assert decided.rule is rule
    assert [step.finding for step in decided.evidence] == [Finding.CALLER_READ, *findings]


@pytest.mark.parametrize(
    ("raw", "kind", "finding"),
    [
        (None, CallerKind.WITHHELD, Finding.CALLER_WITHHELD),
        ("anonymous", CallerKind.WITHHELD, Finding.CALLER_WITHHELD),
        ("203", CallerKind.INTERNAL, Finding.CALLER_INTERNAL),
        ("привет", CallerKind.NONSENSE, Finding.CALLER_NONSENSE),
    ],
)
def test_a_caller_without_a_number_gets_the_default(
    raw: str | None, kind: CallerKind, finding: Finding
) -> None:
    world = these(asked(b.question(raw)), by_rules("100"))(World())

    decided = world.decide()

    assert world.question.caller.kind is kind
    assert decided.extension == "100"
    assert [step.finding for step in decided.evidence] == [
        finding,
        Finding.DEFAULT_EXTENSION,
        Finding.EXTENSION_FREE,
    ]


def test_the_manager_rings_first_and_there_is_no_fallback() -> None:
    decided = World().decide()

    assert decided.target == (ANNA.extension, ANNA.ref, ANNA.name)
    assert decided.fallback is None
    assert decided.proven_at == b.NOON


def test_the_default_is_a_fallback_and_names_its_owner() -> None:
    decided = these(STRANGER, by_rules("205"))(World()).decide()

    assert decided.targets == ()
    assert decided.target == decided.fallback == ("205", ANNA.ref, ANNA.name)


def test_of_a_shared_extension_nobody_is_guessed() -> None:
    shared = now_is(b.manager("Борис Седов", "205"))

    decided = these(STRANGER, shared, by_rules("205"))(World()).decide()

    assert decided.target == ("205", None, "")
    assert decided.evidence[-1].subject == "Анна Петрова, Борис Седов"


def test_nobody_is_formatted_as_nothing() -> None:
    decided = STRANGER(World()).decide()

    assert (decided.target, decided.extension, decided.candidate) == (None, None, None)


def test_the_winner_stands_first_and_the_others_keep_their_order() -> None:
    last = b.counterparty("Лютик-Торг", partner="ООО Лютик")
    change = these(owned_by(OLGA, IVAN, last), remembered(NumberMemory(last_extension="206")))

    decided = change(World()).decide()

    assert [c.name for c in decided.candidates] == [OLGA.name, IVAN.name, last.name]


def test_an_operators_choice_decides_who_calls_also_where_all_have_one_manager() -> None:
    mother = b.contact("Яковлева Мария", partner="ООО Ромашка")
    change = these(owned_by(IVAN, mother), remembered(NumberMemory(chosen_owner=mother.ref)))

    decided = change(World()).decide()

    assert decided.candidate is not None
    assert decided.candidate.name == mother.name
    assert decided.extension == "205"


def test_an_operators_choice_counts_also_where_nobody_is_responsible() -> None:
    one, two = b.contact("Первый", partner=None), b.contact("Второй", partner=None)
    change = these(owned_by(one, two), remembered(NumberMemory(chosen_owner=one.ref)))

    decided = change(World()).decide()

    assert [c.name for c in decided.candidates] == ["Первый", "Второй"]


def test_of_two_owners_the_one_whose_manager_answers_is_taken() -> None:
    lonely = b.contact("Без Партнёра", partner=None)

    decided = owned_by(lonely, OLGA)(World()).decide()

    assert [c.name for c in decided.candidates] == [OLGA.name, lonely.name]


def test_a_card_without_owners_is_an_unknown_number() -> None:
    world = World()

    decided = decide_route(
        world.question,
        CallerCard(b.NUMBER, ()),
        {},
        lambda extension: find_extension_owner(extension, {}),
        world.rules,
        age=world.age,
    )

    assert [s.finding for s in decided.evidence][1:] == [Finding.NUMBER_UNKNOWN, Finding.NOBODY]


def test_a_question_of_the_cabinet_is_blank_and_still_decided() -> None:
    blank = b.question(None, "")

    assert blank.is_blank
    assert not b.question(None).is_blank
    assert asked(blank)(World()).decide().rule is Rule.NOBODY


# ---------------------------------------------------------------- for every company
EXTENSIONS = st.sampled_from([None, "", "100", "205", "206", "207"])
NAMES = ["Анна", "Борис", "Вера", ""]
MANAGERS = st.builds(
    b.manager,
    name=st.sampled_from(NAMES),
    extension=EXTENSIONS,
    invalid=st.booleans(),
    service=st.booleans(),
    deletion_mark=st.booleans(),
)
STEPS = st.builds(
    OwnerStep,
    partner=st.sampled_from(["a", "b", "c"]).map(b.ref),
    name=st.text(max_size=4),
    manager=st.one_of(st.none(), st.sampled_from([EMPTY_REF, *map(b.ref, NAMES)])),
)
CANDIDATES = st.builds(
    Candidate,
    kind=st.sampled_from(CandidateKind),
    ref=st.sampled_from(["x", "y", "z"]).map(b.ref),
    name=st.text(max_size=4),
    chain=st.lists(STEPS, max_size=3).map(tuple),
    ended=st.booleans(),
)
CARDS = st.builds(
    CallerCard, number=st.just(b.NUMBER), candidates=st.lists(CANDIDATES, max_size=4).map(tuple)
)
MEMORIES = st.builds(
    NumberMemory,
    chosen_owner=st.sampled_from([None, b.ref("x"), b.ref("y")]),
    last_extension=EXTENSIONS,
)
CALLERS = st.sampled_from([None, "", "203", "привет", "+79035550123", "+4930123456"])


@given(
    question=st.builds(b.question, CALLERS, st.sampled_from(["", "74852550102"])),
    card=st.one_of(st.none(), CARDS),
    managers=st.lists(MANAGERS, max_size=4),
    memory=MEMORIES,
    default=EXTENSIONS,
    broken=st.sampled_from(["", "the disk is gone"]),
)
def test_every_question_has_an_answer_with_reasons(
    question: RouteQuestion,
    card: CallerCard | None,
    managers: list[Manager],
    memory: NumberMemory,
    default: str | None,
    *,
    broken: str,
) -> None:
    rows = b.rows(*managers)
    candidates = () if card is None else card.candidates

    decided = decide_route(
        question,
        card,
        rows,
        lambda extension: find_extension_owner(extension, rows),
        RoutingRules(default, {"74852550102": "300"}),
        memory=memory,
        index_error=broken,
    )

    steps = [step for c in candidates for step in c.chain]
    named = (rows.get(step.manager or EMPTY_REF) for step in steps)
    reachable = {manager.extension for manager in named if manager and manager.is_reachable}
    assert decided.evidence
    assert sorted(decided.candidates, key=id) == sorted(candidates, key=id)
    if reachable:
        assert decided.extension in reachable
        assert decided.rule not in (Rule.DID, Rule.DEFAULT, Rule.NOBODY)
    else:
        assert decided.targets == ()
        assert decided.extension in ("300", default or None)
    assert (decided.rule is Rule.NOBODY) == (decided.extension is None)
