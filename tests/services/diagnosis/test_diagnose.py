"""The doctor asks the PBX whether it takes our key, and says what to do when it does not."""

import pytest

from bridge.domain.reporting.check_results import CheckVerdict
from bridge.errors import PbxError, PbxRefused, PbxUnavailable
from bridge.ports.stores.directory import SyncReport
from bridge.services.diagnosis.connections import examine_pbx
from bridge.services.diagnosis.directory import examine_directory
from tests.support.builders import NOON
from tests.support.fakes.orders import FakePbx

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("failure", "verdict", "message", "advice"),
    [
        (None, CheckVerdict.OK, "takes our key", ""),
        (
            PbxRefused("statistic/export", "wrong hash"),
            CheckVerdict.FAILURE,
            "wrong hash",
            "BRIDGE_SIPUNI_KEY",
        ),
        (
            PbxUnavailable("statistic/export", "no answer"),
            CheckVerdict.WARNING,
            "no answer",
            "BRIDGE_SIPUNI_URL",
        ),
    ],
)
async def test_the_pbx_is_asked_whether_it_takes_our_key(
    failure: PbxError | None, verdict: CheckVerdict, message: str, advice: str
) -> None:
    pbx = FakePbx(failure=failure)

    finding = await examine_pbx(pbx, NOON)

    assert finding.verdict is verdict
    assert message in finding.message
    assert advice in finding.advice
    assert pbx.orders == []


async def test_a_bridge_without_a_key_is_well_and_says_what_it_lacks() -> None:
    finding = await examine_pbx(None, NOON)

    assert finding.verdict is CheckVerdict.OK
    assert "cannot be ordered" in finding.message


def test_a_directory_in_which_nobody_can_be_called_is_a_failure() -> None:
    report = SyncReport(NOON, 1.0, True, True, 9, (), nobody_reachable=True)

    found = examine_directory(report, now=NOON, stale=False, error=None)

    (failure,) = [f for f in found if f.verdict is CheckVerdict.FAILURE]
    assert "BRIDGE_EXTENSION_ATTRIBUTE" in failure.advice
