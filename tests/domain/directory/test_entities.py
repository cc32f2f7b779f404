"""PhoneOwner chains, candidates and their order, extensions and whose they are."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    build_candidate,
    build_owner_chain,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    AttributeValue,
    ExtensionSources,
    Manager,
    PhoneOwner,
    Ref,
    find_extension_owner,
    with_extension,
)
from tests.support import builders as b

ANNA = b.manager("Анна Петрова", "205")
BORIS = b.manager("Борис Седов", "206")

A, B, C = b.ref("a"), b.ref("b"), b.ref("c")
Partners = dict[Ref, tuple[str, Ref | None, Ref | None]]


@pytest.mark.parametrize(
    ("start", "partners", "chain"),
    [
        pytest.param(None, {}, [], id="no_partner"),
        pytest.param(A, {}, [], id="a_partner_1c_does_not_list"),
        pytest.param(A, {A: ("A", None, ANNA.ref)}, [(A, "A", ANNA.ref)], id="a_partner_alone"),
        pytest.param(A, {A: ("A", None, None)}, [(A, "A", None)], id="without_a_manager"),
        pytest.param(
            A, {A: ("A", None, b.ref("?"))}, [(A, "A", b.ref("?"))], id="a_manager_1c_does_not_list"
        ),
        pytest.param(
            A,
            {A: ("A", B, ANNA.ref), B: ("B", C, None), C: ("C", None, BORIS.ref)},
            [(A, "A", ANNA.ref), (B, "B", None), (C, "C", BORIS.ref)],
            id="three_high",
        ),
        pytest.param(
            A, {A: ("A", B, ANNA.ref)}, [(A, "A", ANNA.ref)], id="a_holding_1c_does_not_list"
        ),
        pytest.param(A, {A: ("A", A, None)}, [(A, "A", None)], id="his_own_holding"),
        pytest.param(
            A,
            {A: ("A", B, None), B: ("B", A, ANNA.ref)},
            [(A, "A", None), (B, "B", ANNA.ref)],
            id="a_circle_of_two",
        ),
    ],
)
def test_the_chain_of_a_partner(
    start: Ref | None, partners: Partners, chain: list[tuple[Ref, str, Ref | None]]
) -> None:
    assert list(build_owner_chain(start, partners)) == chain


REFS = st.sampled_from([A, B, C, b.ref("d")])


@given(
    st.one_of(st.none(), REFS),
    st.dictionaries(
        REFS, st.tuples(st.just("x"), st.one_of(st.none(), REFS), st.one_of(st.none(), REFS))
    ),
)
def test_every_chain_ends_and_names_nobody_twice(start: Ref | None, partners: Partners) -> None:
    chain = build_owner_chain(start, partners)

    assert len({step.partner for step in chain}) == len(chain) <= len(partners)


@pytest.mark.parametrize(
    ("owner", "kind", "ended"),
    [
        (b.contact(), CandidateKind.CONTACT, False),
        (b.contact(ended=date(2025, 1, 1)), CandidateKind.CONTACT, True),
        (b.partner(), CandidateKind.PARTNER, False),
        (b.counterparty(), CandidateKind.COUNTERPARTY, False),
    ],
)
def test_whose_phone_it_is(owner: PhoneOwner, kind: CandidateKind, *, ended: bool) -> None:
    found = build_candidate(owner, (), "314", customer=True, code="7")

    assert (found.kind, found.ended, found.ref, found.name) == (kind, ended, owner.ref, owner.name)
    assert (found.extension, found.customer, found.code) == ("314", True, "7")
    assert found.partner is None


def test_the_partner_of_a_candidate_is_where_his_chain_begins() -> None:
    found = b.candidate(b.contact(), [b.partner()])

    assert found.partner == (b.ref("ООО Ромашка"), "ООО Ромашка", ANNA.ref)


FIRST = Candidate(CandidateKind.CONTACT, A, "Яковлев", (), code="2", customer=True)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(FIRST._replace(ended=True, code="1"), id="ended"),
        pytest.param(FIRST._replace(kind=CandidateKind.PARTNER, code="1"), id="a_partner"),
        pytest.param(FIRST._replace(customer=False, code="1"), id="no_customer"),
        pytest.param(FIRST._replace(code="3", name="Абрамов"), id="a_higher_code"),
        pytest.param(FIRST._replace(code="", name="Абрамов"), id="no_code"),
        pytest.param(FIRST._replace(name="Яшин"), id="a_later_name"),
        pytest.param(FIRST._replace(ref=max(A, B, C)), id="a_higher_reference"),
    ],
)
def test_who_comes_second(second: Candidate) -> None:
    if second.ref == max(A, B, C):
        second = second._replace(ref=Ref(FIRST.ref + "f"))

    assert sorted([second, FIRST], key=candidate_sort_key) == [FIRST, second]


def test_a_counterparty_comes_behind_a_partner() -> None:
    kinds = [CandidateKind.COUNTERPARTY, CandidateKind.CONTACT, CandidateKind.PARTNER]

    in_order = sorted((FIRST._replace(kind=k) for k in kinds), key=candidate_sort_key)

    assert [c.kind for c in in_order] == [1, 2, 3]


PROPERTY, VALUE = b.ref("Внутренний номер"), b.ref("205")


@pytest.mark.parametrize(
    ("attribute", "sources", "extension"),
    [
        pytest.param(None, ExtensionSources(), None, id="no_attribute"),
        pytest.param(AttributeValue("205"), ExtensionSources(PROPERTY), "205", id="a_text"),
        pytest.param(
            AttributeValue(" 205 "), ExtensionSources(PROPERTY), "205", id="blanks_around"
        ),
        pytest.param(AttributeValue("  "), ExtensionSources(PROPERTY), None, id="only_blanks"),
        pytest.param(
            AttributeValue(value_ref=VALUE),
            ExtensionSources(PROPERTY, list_values={VALUE: "206"}),
            "206",
            id="a_list_value",
        ),
        pytest.param(
            AttributeValue(value_ref=VALUE),
            ExtensionSources(PROPERTY),
            None,
            id="a_list_value_unknown",
        ),
        pytest.param(
            AttributeValue("205"),
            ExtensionSources(PROPERTY, register_values={ANNA.ref: AttributeValue("207")}),
            "207",
            id="kept_in_the_register",
        ),
        pytest.param(
            AttributeValue("205"),
            ExtensionSources(PROPERTY, register_values={}),
            None,
            id="missing_from_the_register",
        ),
        pytest.param(
            None,
            ExtensionSources(PROPERTY, {ANNA.ref: AttributeValue(value_ref=VALUE)}, {VALUE: "208"}),
            "208",
            id="a_list_value_in_the_register",
        ),
    ],
)
def test_the_extension_that_1c_has(
    attribute: AttributeValue | None, sources: ExtensionSources, extension: str | None
) -> None:
    before = replace(ANNA, extension="999", attribute=attribute)

    assert with_extension(before, sources).extension == extension


@pytest.mark.parametrize(
    ("managers", "owner", "shared"),
    [
        pytest.param([ANNA, BORIS], ANNA, 0, id="his_alone"),
        pytest.param([BORIS], None, 0, id="nobodys"),
        pytest.param([ANNA, replace(BORIS, extension="205")], None, 2, id="two_share_it"),
        pytest.param(
            [ANNA, replace(BORIS, extension="205", invalid=True)], ANNA, 0, id="the_other_left"
        ),
        pytest.param([replace(ANNA, deletion_mark=True)], None, 0, id="marked"),
    ],
)
def test_who_answers_205(managers: list[Manager], owner: Manager | None, shared: int) -> None:
    found = find_extension_owner("205", b.rows(*managers))

    assert found.manager == owner
    assert len(found.shared) == shared
