"""Stories are played by people of the composed company whom the referee can name."""

from pathlib import Path

import pytest

from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.infobase import PARTNERS, Infobase
from bridge.lab.scenario_roles import assign_roles, partner_with_number
from bridge.lab.sipuni.scenarios.scenario import read_scenarios

STORIES = read_scenarios(Path(__file__).parents[2] / "fixtures" / "stories")


@pytest.fixture(scope="module")
def infobase() -> Infobase:
    return compose_infobase(200, seed=3)


@pytest.mark.parametrize("nth", range(5))
def test_the_client_is_somebody_whom_the_owner_answers_for(infobase: Infobase, nth: int) -> None:
    cast = assign_roles(STORIES["group_missed"], infobase, nth)

    assert (
        infobase.responsible_extension(partner_with_number(infobase, cast["client"]))
        == cast["owner"]
    )
    assert len({cast["owner"], cast["second"], cast["third"]}) == 3
    assert set(cast) == {"client", "owner", "second", "third"}


def test_two_numbers_are_one_clients_where_the_story_says_so(infobase: Infobase) -> None:
    shared = assign_roles(STORIES["missed_twice_then_called_back"], infobase)
    apart = assign_roles(STORIES["two_missed_one_called_back"], infobase)

    assert shared["client"] != shared["client2"]
    assert partner_with_number(infobase, shared["client"]) == partner_with_number(
        infobase, shared["client2"]
    )
    one, other = (partner_with_number(infobase, apart[role]) for role in ("client", "client2"))
    assert one != other
    assert infobase.row(PARTNERS, other)["Parent_Key"] != one


def test_other_turns_are_other_people(infobase: Infobase) -> None:
    clients = {
        assign_roles(STORIES["incoming_missed"], infobase, nth)["client"] for nth in range(20)
    }

    assert len(clients) == 20


def test_a_story_of_nobody_needs_nobody(infobase: Infobase) -> None:
    assert assign_roles(STORIES["settings_page"], infobase) == {}


def test_a_stranger_is_no_partner(infobase: Infobase) -> None:
    with pytest.raises(LookupError):
        partner_with_number(infobase, "79990000001")


def test_too_small_a_company_is_told() -> None:
    small = compose_infobase(2, seed=1)
    small.intended_phones.clear()

    with pytest.raises(LookupError, match="no partner"):
        assign_roles(STORIES["incoming_missed"], small)
