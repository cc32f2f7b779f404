"""The roles of scenarios are given to people of the composed company."""

from pathlib import Path

import pytest

from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.infobase import PARTNERS, Infobase
from bridge.lab.scenario_roles import assign_roles, partner_with_number
from bridge.lab.sipuni.scenarios.scenario import read_scenarios

SCENARIOS = read_scenarios(Path(__file__).parents[2] / "fixtures" / "stories")


@pytest.fixture(scope="module")
def infobase() -> Infobase:
    return compose_infobase(200, seed=3)


@pytest.mark.parametrize("nth", range(5))
def test_the_client_belongs_to_a_partner_of_the_owner(infobase: Infobase, nth: int) -> None:
    roles = assign_roles(SCENARIOS["group_missed"], infobase, nth)

    assert (
        infobase.responsible_extension(partner_with_number(infobase, roles["client"]))
        == roles["owner"]
    )
    assert len({roles["owner"], roles["second"], roles["third"]}) == 3
    assert set(roles) == {"client", "owner", "second", "third"}


def test_two_numbers_are_one_clients_where_the_scenario_says_so(infobase: Infobase) -> None:
    shared = assign_roles(SCENARIOS["missed_twice_then_called_back"], infobase)
    apart = assign_roles(SCENARIOS["two_missed_one_called_back"], infobase)

    assert shared["client"] != shared["client2"]
    assert partner_with_number(infobase, shared["client"]) == partner_with_number(
        infobase, shared["client2"]
    )
    one, other = (partner_with_number(infobase, apart[role]) for role in ("client", "client2"))
    assert one != other
    assert infobase.row(PARTNERS, other)["Parent_Key"] != one


def test_other_turns_are_other_people(infobase: Infobase) -> None:
    clients = {
        assign_roles(SCENARIOS["incoming_missed"], infobase, nth)["client"] for nth in range(20)
    }

    assert len(clients) == 20


def test_a_scenario_without_people_needs_none(infobase: Infobase) -> None:
    assert assign_roles(SCENARIOS["settings_page"], infobase) == {}


def test_an_unknown_number_has_no_partner(infobase: Infobase) -> None:
    with pytest.raises(LookupError):
        partner_with_number(infobase, "79990000001")


def test_too_small_a_company_is_an_error() -> None:
    small = compose_infobase(2, seed=1)
    small.intended_phones.clear()

    with pytest.raises(LookupError, match="no partner"):
        assign_roles(SCENARIOS["incoming_missed"], small)
