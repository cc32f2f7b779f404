"""What a background sync prints at its end is logged and published once, whatever it is."""

import json
from datetime import timedelta

import pytest

from bridge.ports.alarms import Alarm
from bridge.ports.events import OneCAvailability
from bridge.services.sync.process_result import SyncResultReporter, read_process_result
from tests.support.fakes.ledger import RecordedEvents

MINUTE = timedelta(minutes=1)
DONE = (0, json.dumps({"numbers": 9}), "")
AWAY = (4, json.dumps({"error": "1C timed out"}), "")
WRONG_PASSWORD = (5, json.dumps({"error": "1C turns us down"}), "")
SHRUNK = (3, json.dumps({"error": "1C lists 2 of 9", "alarm": "sync_refused"}), "")
LOST = (3, json.dumps({"error": "0 of 9 extensions", "alarm": "extensions_lost"}), "")
NOBODY = (0, json.dumps({"nobody_reachable": True}), "")
CRASHED = (1, "", "Traceback (most recent call last):\n  File …\nMemoryError: no room\n")


class Runs:
    """Ends of runs one after another, and what was published of them."""

    def __init__(self) -> None:
        self.events = RecordedEvents()
        self.reporting = SyncResultReporter(self.events)

    def end(self, *ends: tuple[int, str, str]) -> None:
        for end in ends:
            self.reporting.report(read_process_result(*end))

    def standing(self) -> set[str]:
        names: set[str] = set()
        for alarm in self.events.of(Alarm):
            (names.discard if alarm.clear else names.add)(alarm.name)
        return names

    def published(self) -> list[str]:
        return [f"{'-' if a.clear else '+'}{a.name}" for a in self.events.of(Alarm)]

    def pause(self) -> timedelta:
        return self.reporting.pause_before_next(MINUTE)


@pytest.mark.parametrize(
    ("ends", "published"),
    [
        ([LOST, LOST, LOST], ["+extensions_lost"]),
        ([LOST, DONE, DONE], ["+extensions_lost", "-extensions_lost"]),
        # Nothing is known of what was refused while 1C is away.
        ([LOST, AWAY, LOST], ["+extensions_lost", "+extensions_lost"]),
        ([LOST, AWAY, DONE], ["+extensions_lost", "-extensions_lost"]),
        ([SHRUNK, LOST, DONE], ["+sync_refused", "-sync_refused", "+extensions_lost"]),
        ([LOST, SHRUNK, DONE], ["+extensions_lost", "+sync_refused", "-sync_refused"]),
        ([CRASHED, AWAY], ["+sync_failed", "-sync_failed"]),
        ([CRASHED, LOST], ["+sync_failed", "-sync_failed", "+extensions_lost"]),
        ([DONE, NOBODY, NOBODY, DONE], ["+extensions_lost", "-extensions_lost"]),
        ([LOST, NOBODY], ["+extensions_lost", "+extensions_lost"]),
        ([AWAY, WRONG_PASSWORD, DONE], ["+onec_refuses", "-onec_refuses"]),
        ([WRONG_PASSWORD, AWAY, WRONG_PASSWORD], ["+onec_refuses", "+onec_refuses"]),
    ],
)
def test_alarms_are_raised_once_and_cleared(
    ends: list[tuple[int, str, str]], published: list[str]
) -> None:
    runs = Runs()

    runs.end(*ends)

    assert runs.published()[: len(published)] == published
    if ends[-1] is DONE:
        assert runs.standing() == set()


def test_a_refusal_says_that_1c_is_up() -> None:
    runs = Runs()

    runs.end(AWAY, LOST, DONE)

    assert [outcome.available for outcome in runs.events.of(OneCAvailability)] == [
        False,
        True,
        True,
    ]


def test_a_crash_is_reported_by_its_last_line_and_logged_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = Runs()

    runs.end(CRASHED, CRASHED)

    (record,) = caplog.records
    assert vars(record)["reason"] == "sync ended with code 1: MemoryError: no room"
    assert vars(record)["output"].startswith("Traceback")


def test_each_trouble_backs_off_by_itself_and_a_success_resets() -> None:
    runs = Runs()
    assert runs.pause() == MINUTE
    pauses = []
    for end in (AWAY, AWAY, WRONG_PASSWORD, WRONG_PASSWORD, DONE, AWAY, LOST, LOST):
        runs.end(end)
        pauses.append(runs.pause() / MINUTE)

    assert pauses == [1, 2, 1, 4, 1, 1, 1, 2]


@pytest.mark.parametrize("out", ["", "[]", "null", "{", "3", "\x00"])
@pytest.mark.parametrize("err", ["", "{", "[]", '{"event": 3}', "plain words", "\x00"])
@pytest.mark.parametrize("code", [0, 1, 3, 4, 5, -9])
def test_whatever_a_process_writes_is_read(code: int, out: str, err: str) -> None:
    end = read_process_result(code, out, err)

    assert (end.message == "") == (code == 0)
