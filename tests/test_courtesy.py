"""The sync in the background makes way for callers, and no more than it has to."""

from dataclasses import dataclass, field

from bridge.bootstrap import Courteous
from bridge.domain.directory import EntityKind


@dataclass(slots=True)
class Told:
    """A progress, and what was done beside."""

    said: list[tuple[object, ...]] = field(default_factory=list)

    def listing(self, kind: EntityKind) -> None:
        self.said.append(("listing", kind))

    def fetching(self, kind: EntityKind, total: int) -> None:
        self.said.append(("fetching", kind, total))

    def fetched(self, kind: EntityKind, count: int) -> None:
        self.said.append(("fetched", kind, count))

    def indexing(self) -> None:
        self.said.append(("indexing",))

    def courteous(self) -> Courteous:
        return Courteous(
            self,
            make_way=lambda: self.said.append(("made way",)),
            step_aside=lambda: self.said.append(("stepped aside",)),
        )


def test_a_short_run_makes_way_and_is_told_as_it_goes() -> None:
    told = Told()
    run = told.courteous()

    run.listing(EntityKind.PARTNER)
    run.fetching(EntityKind.PARTNER, 12)
    run.fetched(EntityKind.PARTNER, 12)
    run.indexing()

    assert told.said == [
        ("made way",),
        ("listing", EntityKind.PARTNER),
        ("fetching", EntityKind.PARTNER, 12),
        ("fetched", EntityKind.PARTNER, 12),
        ("indexing",),
    ]


def test_a_long_run_steps_aside_once_and_before_its_bodies_come() -> None:
    told = Told()
    run = told.courteous()

    run.fetching(EntityKind.PARTNER, 200_000)
    run.fetching(EntityKind.CONTACT, 300_000)

    assert [what for what, *_ in told.said] == ["made way", "stepped aside", "fetching", "fetching"]
