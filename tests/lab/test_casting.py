"""Stories are played by people of the composed company whom the referee can name."""

from pathlib import Path

import pytest

from bridge.lab.casting import cast_story, partner_of
from bridge.lab.sipuni import read_stories
from bridge.lab.world import PARTNERS, World

STORIES = read_stories(Path(__file__).parents[2] / "fixtures" / "stories")


@pytest.fixture(scope="module")
def world() -> World:
    return World.compose(200, seed=3)


@pytest.mark.parametrize("nth", range(5))
def test_the_client_is_somebody_whom_the_owner_answers_for(world: World, nth: int) -> None:
    cast = cast_story(STORIES["group_missed"], world, nth)

    assert world.responsible_extension(partner_of(world, cast["client"])) == cast["owner"]
    assert len({cast["owner"], cast["second"], cast["third"]}) == 3
    assert set(cast) == {"client", "owner", "second", "third"}


def test_two_numbers_are_one_clients_where_the_story_says_so(world: World) -> None:
    shared = cast_story(STORIES["missed_twice_then_called_back"], world)
    apart = cast_story(STORIES["two_missed_one_called_back"], world)

    assert shared["client"] != shared["client2"]
    assert partner_of(world, shared["client"]) == partner_of(world, shared["client2"])
    one, other = (partner_of(world, apart[role]) for role in ("client", "client2"))
    assert one != other
    assert world.row(PARTNERS, other)["Parent_Key"] != one


def test_other_turns_are_other_people(world: World) -> None:
    clients = {cast_story(STORIES["incoming_missed"], world, nth)["client"] for nth in range(20)}

    assert len(clients) == 20


def test_a_story_of_nobody_needs_nobody(world: World) -> None:
    assert cast_story(STORIES["settings_page"], world) == {}


def test_a_stranger_is_no_partner(world: World) -> None:
    with pytest.raises(LookupError):
        partner_of(world, "79990000001")


def test_too_small_a_company_is_told() -> None:
    small = World.compose(2, seed=1)
    small.truth.clear()

    with pytest.raises(LookupError, match="no partner"):
        cast_story(STORIES["incoming_missed"], small)
