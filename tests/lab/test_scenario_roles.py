"""Stories are played by people of the composed company whom the referee can name."""

from pathlib import Path

import pytest

from bridge.lab.onec.infobase.infobase import PARTNERS, Infobase
from bridge.lab.scenario_roles import assign_roles, partner_with_number
from bridge.lab.sipuni import read_scenarios

STORIES = read_scenarios(Path(__file__).parents[2] / "fixtures" / "stories")


@pytest.fixture(scope="module")
def world() -> Infobase:
    return Infobase.compose(200, seed=3)


@pytest.mark.parametrize("nth", range(5))
def test_the_client_is_somebody_whom_the_owner_answers_for(world: Infobase, nth: int) -> None:
    cast = assign_roles(STORIES["group_missed"], world, nth)

    assert world.responsible_extension(partner_with_number(world, cast["client"])) == cast["owner"]
    assert len({cast["owner"], cast["second"], cast["third"]}) == 3
    assert set(cast) == {"client", "owner", "second", "third"}


def test_two_numbers_are_one_clients_where_the_story_says_so(world: Infobase) -> None:
    shared = assign_roles(STORIES["missed_twice_then_called_back"], world)
    apart = assign_roles(STORIES["two_missed_one_called_back"], world)

    assert shared["client"] != shared["client2"]
    assert partner_with_number(world, shared["client"]) == partner_with_number(
        world, shared["client2"]
    )
    one, other = (partner_with_number(world, apart[role]) for role in ("client", "client2"))
    assert one != other
    assert world.row(PARTNERS, other)["Parent_Key"] != one


def test_other_turns_are_other_people(world: Infobase) -> None:
    clients = {assign_roles(STORIES["incoming_missed"], world, nth)["client"] for nth in range(20)}

    assert len(clients) == 20


def test_a_story_of_nobody_needs_nobody(world: Infobase) -> None:
    assert assign_roles(STORIES["settings_page"], world) == {}


def test_a_stranger_is_no_partner(world: Infobase) -> None:
    with pytest.raises(LookupError):
        partner_with_number(world, "79990000001")


def test_too_small_a_company_is_told() -> None:
    small = Infobase.compose(2, seed=1)
    small.intended_phones.clear()

    with pytest.raises(LookupError, match="no partner"):
        assign_roles(STORIES["incoming_missed"], small)
