"""People change 1C, requests fail, listings shrink, in any order: callers are answered from what
1C has after a run that succeeded, and from what it had before after one that did not."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.errors import OneCError, SyncRefused
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS, USERS
from bridge.ports.stores.directory import SyncReport
from tests.support.onec_lab import make_lab
from tests.support.sync_environment import Index, SyncEnvironment, expected_index

_OWNERS = (PARTNERS, CONTACT_PERSONS, COUNTERPARTIES)
_NOBODY = "00000000-0000-0000-0000-000000000000"
_TROUBLES = (
    "down",
    "timeout",
    "maintenance_200",
    "maintenance_503",
    "sessions_blocked",
    "unauthorised",
    "rights",
    "data_lock",
    "out_of_memory",
    "platform_error",
    "lost_reply",
    "bad_gateway",
    "truncated",
    "cut",
)
#: A run over so small a company asks about so many questions.
_REQUESTS = 16

_some = st.integers(0, 10**6)
_numbers = st.integers(79030000000, 79030000009)


class Company(RuleBasedStateMachine):
    """A company at work, and the directory that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.Runner()

    @initialize(seed=st.integers(1, 5), storage=st.sampled_from(["unsupported", "supported"]))
    def a_company_is_founded(self, seed: int, storage: Literal["unsupported", "supported"]) -> None:
        self.lab = make_lab(12, seed=seed)
        self.lab.switches.ibsession = storage
        self.environment = SyncEnvironment(self.lab, Path(self.folder.name))
        self.last_good: Index = {}

    def teardown(self) -> None:
        self.loop.close()
        self.folder.cleanup()

    # ------------------------------------------------------------ people
    def one_of(self, set_name: str, pick: int) -> str:
        """Pick an object that a person could pick."""
        rows = self.lab.infobase.tables[set_name].rows
        plain = [str(ref) for ref, row in rows.items() if not row.get("PredefinedDataName")]
        return plain[pick % len(plain)] if plain else ""

    @rule(pick=_some, who=_some)
    def a_partner_gets_another_manager(self, pick: int, who: int) -> None:
        if partner := self.one_of(PARTNERS, pick):
            self.lab.move_manager(partner, self.one_of(USERS, who))

    @rule(pick=_some, above=_some)
    def a_partner_joins_a_holding(self, pick: int, above: int) -> None:
        if partner := self.one_of(PARTNERS, pick):
            holding = self.one_of(PARTNERS, above) if above % 4 else _NOBODY
            self.lab.edit(PARTNERS, partner, Parent_Key=holding)

    @rule(set_name=st.sampled_from(_OWNERS), pick=_some, marked=st.booleans())
    def somebody_is_marked(self, set_name: str, pick: int, *, marked: bool) -> None:
        if ref := self.one_of(set_name, pick):
            self.lab.mark(set_name, ref, marked=marked)

    @rule(set_name=st.sampled_from(_OWNERS), pick=_some, name=_some)
    def somebody_is_renamed(self, set_name: str, pick: int, name: int) -> None:
        if ref := self.one_of(set_name, pick):
            self.lab.rename(set_name, ref, f"Ромашка {name % 3}")

    @rule(set_name=st.sampled_from(_OWNERS), pick=_some, number=_numbers)
    def somebody_gets_another_number(self, set_name: str, pick: int, number: int) -> None:
        if ref := self.one_of(set_name, pick):
            # One phone each: the referee distinguishes phones of one owner by their text.
            phones = [t for t in self.lab.infobase.intended_phones if t.ref == ref]
            if len(phones) <= 1:
                self.lab.change_phone(set_name, ref, _typed(number), e164=f"+{number}")

    @rule(number=_numbers, who=_some, above=_some)
    def a_partner_is_won(self, number: int, who: int, above: int) -> None:
        holding = self.one_of(PARTNERS, above) if above % 2 else ""
        self.lab.add_partner(
            "Новый партнёр",
            manager=self.one_of(USERS, who),
            parent=holding or _NOBODY,
            phone=_typed(number),
            e164=f"+{number}",
        )

    @rule(pick=_some, number=_numbers)
    def a_partner_sends_somebody(self, pick: int, number: int) -> None:
        if partner := self.one_of(PARTNERS, pick):
            self.lab.add_contact(partner, "Сидоров", phone=_typed(number), e164=f"+{number}")

    @rule(set_name=st.sampled_from((*_OWNERS, USERS)), pick=_some)
    def somebody_is_deleted(self, set_name: str, pick: int) -> None:
        if ref := self.one_of(set_name, pick):
            self.lab.delete(set_name, ref)
            if set_name == USERS:
                self.lab.infobase.extensions.pop(ref, None)
                if not self.lab.infobase.tables[USERS].rows:
                    self.lab.add_user("Последний", "299")

    @rule(share=st.sampled_from([0.3, 0.9]))
    def much_is_deleted(self, share: float) -> None:
        refs = [str(ref) for ref in self.lab.infobase.tables[CONTACT_PERSONS].rows]
        for ref in refs[: int(len(refs) * share)]:
            self.lab.delete(CONTACT_PERSONS, ref)

    # ------------------------------------------------------------ runs
    def run(self, **how: Any) -> SyncReport | None:
        """Run, and compare the outcome with the referee's."""
        try:
            report = self.loop.run(self.environment.sync(**how))
        except (OneCError, SyncRefused):
            assert self.environment.index() == self.last_good
            return None
        self.last_good = self.environment.index()
        return report

    @rule(full=st.booleans())
    def a_run_succeeds_or_is_refused(self, *, full: bool) -> None:
        if self.run(full=full) is None:
            # Only the guard may refuse without a fault, and a person knows better.
            assert self.run(full=full, confirm=lambda _: True) is not None
        assert self.last_good == expected_index(self.lab)
        again = self.run(confirm=lambda _: True, full=False)
        assert again is not None
        assert again.changed is False

    @rule(
        kind=st.sampled_from(_TROUBLES),
        nth=st.integers(1, _REQUESTS),
        times=st.sampled_from([1, 2, 50]),
        full=st.booleans(),
    )
    def a_run_meets_trouble(self, kind: str, nth: int, times: int, *, full: bool) -> None:
        self.lab.faults.add(kind, nth=nth, times=times)
        report = self.run(full=full, accept_shrink=True)
        self.lab.faults.clear()
        if report is not None:
            assert self.last_good == expected_index(self.lab)

    @rule(set_name=st.sampled_from((PARTNERS, USERS)))
    def a_listing_is_suddenly_empty(self, set_name: str) -> None:
        had_rows = bool(self.last_good)
        self.lab.faults.add("shrunken", set=set_name, share=1.0)
        report = self.run()
        self.lab.faults.clear()
        if had_rows:
            assert report is None
        elif report is not None:
            self.loop.run(self.environment.sync(accept_shrink=True))
            self.last_good = self.environment.index()

    @rule(nth=st.integers(1, _REQUESTS), pick=_some, who=_some, number=_numbers)
    def people_work_during_a_run(self, nth: int, pick: int, who: int, number: int) -> None:
        change: Callable[[], object] = [
            lambda: self.a_partner_gets_another_manager(pick, who),
            lambda: self.a_partner_is_won(number, who, pick),
            lambda: self.somebody_is_deleted(PARTNERS, pick),
            lambda: self.somebody_gets_another_number(PARTNERS, pick, number),
        ][pick % 4]
        self.run(before={nth: change}, accept_shrink=True)
        assert self.run(accept_shrink=True) is not None
        assert self.last_good == expected_index(self.lab)

    @invariant()
    def callers_are_answered_from_the_last_good_run(self) -> None:
        if hasattr(self, "environment"):
            assert self.environment.index() == self.last_good


def _typed(number: int) -> str:
    digits = str(number)
    return f"8 ({digits[1:4]}) {digits[4:7]}-{digits[7:9]}-{digits[9:]}"


TestCompany = Company.TestCase
TestCompany.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
