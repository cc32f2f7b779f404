"""What moved since the last listing, and which listings are not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.directory.entities import Ref, Version
from bridge.domain.directory.reconcile import ListingChanges, check_shrink, compare_versions
from bridge.errors import SyncRefused


def versions(**refs: str) -> dict[Ref, Version]:
    return {Ref(ref): Version(version) for ref, version in refs.items()}


def refs(letters: str) -> tuple[Ref, ...]:
    return tuple(Ref(letter) for letter in letters)


KNOWN = versions(a="v1", b="v1", c="v1")


@pytest.mark.parametrize(
    ("listed", "appeared", "moved", "vanished", "unchanged"),
    [
        pytest.param(KNOWN, "", "", "", 3, id="nothing_moves"),
        pytest.param(versions(a="v2", b="v1", c="v1"), "", "a", "", 2, id="a_version_moves"),
        pytest.param(versions(a="v0", b="v1", c="v1"), "", "a", "", 2, id="a_version_goes_back"),
        pytest.param(versions(c="v1", b="v1", a="v1"), "", "", "", 3, id="another_order"),
        pytest.param({**KNOWN, **versions(d="v1")}, "d", "", "", 3, id="one_appears"),
        pytest.param(versions(a="v1", b="v1"), "", "", "c", 2, id="one_vanishes"),
        pytest.param(versions(d="v1", b="v9", a="v1"), "d", "b", "c", 1, id="all_at_once"),
        pytest.param({}, "", "", "abc", 0, id="an_empty_listing"),
    ],
)
def test_one_change_of_the_listing(
    listed: dict[Ref, Version], appeared: str, moved: str, vanished: str, unchanged: int
) -> None:
    changes = compare_versions(KNOWN, listed)

    assert changes == ListingChanges(refs(appeared), refs(moved), refs(vanished), unchanged)
    assert changes.to_fetch == refs(appeared + moved)
    assert bool(changes) == bool(appeared or moved or vanished)


def test_everything_appears_to_an_empty_directory() -> None:
    assert compare_versions({}, KNOWN).to_fetch == ("a", "b", "c")


def test_what_vanished_and_is_listed_again_appears() -> None:
    without = {ref: version for ref, version in KNOWN.items() if ref != "b"}

    assert compare_versions(KNOWN, without).deleted == ("b",)
    assert compare_versions(without, KNOWN).added == ("b",)


LISTINGS = st.dictionaries(
    st.sampled_from("abcdefgh").map(Ref), st.sampled_from(["v1", "v2", ""]).map(Version)
)


@given(LISTINGS, LISTINGS)
def test_applying_the_changes_makes_both_equal(
    known: dict[Ref, Version], listed: dict[Ref, Version]
) -> None:
    changes = compare_versions(known, listed)

    after = {ref: version for ref, version in known.items() if ref not in changes.deleted}
    after |= {ref: listed[ref] for ref in changes.to_fetch}

    assert after == listed
    assert not compare_versions(after, listed)
    assert changes.unchanged + len(changes.to_fetch) == len(listed)


def lost(count: int) -> ListingChanges:
    return ListingChanges(deleted=tuple(Ref(str(n)) for n in range(count)))


@pytest.mark.parametrize(
    ("known", "vanished", "share", "refused"),
    [
        (0, 0, 0.2, False),
        (10, 0, 0.2, False),
        (10, 2, 0.2, False),
        (10, 3, 0.2, True),
        (10, 10, 0.2, True),
        (10, 10, 1.0, False),
        (10, 1, 0.0, True),
        (10, 0, 0.0, False),
        (1, 1, 0.5, True),
        (100, 29, 0.29, False),  # 100 * 0.29 is less than 29
        (100, 30, 0.29, True),
        (100, 57, 0.57, False),
    ],
)
def test_a_listing_may_lose_exactly_its_share(
    known: int, vanished: int, share: float, *, refused: bool
) -> None:
    if not refused:
        check_shrink("Catalog_Партнеры", known, lost(vanished), known - vanished, share)
        return
    with pytest.raises(SyncRefused, match="--accept-shrink") as refusal:
        check_shrink("Catalog_Партнеры", known, lost(vanished), known - vanished, share)
    assert (refusal.value.held, refusal.value.listed) == (known, known - vanished)


@given(st.integers(1, 500), st.integers(0, 100))
def test_a_loss_of_exactly_the_share_is_never_refused(hundreds: int, percent: int) -> None:
    known = hundreds * 100

    check_shrink("Catalog_Партнеры", known, lost(hundreds * percent), known, percent / 100)


def test_much_may_appear_while_nothing_vanishes() -> None:
    check_shrink("Catalog_Партнеры", 2, ListingChanges(added=(Ref("x"),) * 50), 52, 0.0)
