"""What a sync process writes to its log is logged by the service at once, and not twice."""

import json
import logging

import pytest

from bridge.services.sync.process_log import SyncProcessLog, read_log_line

LOST = {"event": "entity_set_lost", "level": "warning", "name": "contact"}
OTHER = {"event": "run_not_kept", "level": "unheard of"}


def written(*lines: dict[str, str], at: str = "t1") -> list[bytes]:
    return [json.dumps(line | {"timestamp": at}).encode() + b"\n" for line in lines]


def test_lines_are_logged_with_their_level_and_fields_and_not_in_every_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log = SyncProcessLog()

    rests = [
        log.relay(written(LOST, OTHER)),
        log.relay(written(LOST, OTHER, at="t2")),
        log.relay([]),
        log.relay(written(LOST)),
    ]

    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "entity_set_lost"),
        ("INFO", "run_not_kept"),
        ("WARNING", "entity_set_lost"),
    ]
    assert vars(caplog.records[0])["sync_name"] == "contact"
    assert rests == ["", "", "", ""]


def test_output_beside_the_log_is_kept_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    rest = SyncProcessLog().relay([b"x" * 5000 + b"\n", b"MemoryError: \xff\n", *written(LOST)])

    assert len(caplog.records) == 1
    assert len(rest) < 2000
    assert rest.endswith("MemoryError: \ufffd")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"event": 3}', "plain words", "\x00"])
def test_other_text_is_no_line(text: str) -> None:
    assert read_log_line(text) is None
