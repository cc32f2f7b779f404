"""What a person at a terminal is asked and shown about a sync."""

import contextlib
import os
import pty
import subprocess
import sys
from datetime import timedelta

import pytest

from bridge.domain.directory.entities import EntityKind, Ref
from bridge.errors import Loss, OneCNotPublished, RoutingFactsLost
from bridge.ports.stores.directory import EntitySync, SyncReport
from bridge.terminal import build_sync_notes, format_loss_question
from tests.support.builders import NOON

_ASKS = """
import sys
from bridge.errors import SyncRefused
from bridge.terminal import ProgressBar, is_interactive
refused = SyncRefused("contact", 1200, 7, 0.2)
with ProgressBar() as bar:
    yes = is_interactive() and bar.confirm(refused)
sys.exit(0 if yes else 3)
"""


def asked(typed: bytes) -> tuple[int, str]:
    """Ask at a terminal of our own, answer *typed*: exit code, and what was on the screen."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own words
            (sys.executable, "-c", _ASKS), stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        os.write(ours, typed)
        code = process.wait(30)
        shown = b""
        with contextlib.suppress(OSError):  # so a terminal ends on Linux
            while piece := os.read(ours, 65536):
                shown += piece
    finally:
        os.close(ours)
    return code, shown.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("typed", "code"),
    [(b"y\n", 0), ("Да\n".encode(), 0), (b"n\n", 3), (b"\n", 3), (b"yess\n", 3), (b"\x04", 3)],
)
def test_only_a_yes_at_the_terminal_accepts_a_loss(typed: bytes, code: int) -> None:
    ended, shown = asked(typed)

    assert ended == code
    assert "1C lists 7 contact persons, the bridge holds 1,200" in shown


def test_without_a_terminal_nobody_is_asked() -> None:
    ended = subprocess.run(  # noqa: S603 - our own words
        (sys.executable, "-c", _ASKS), input=b"y\n", capture_output=True, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"", b"")


def test_a_set_that_was_not_compared_is_named_with_its_menu_and_its_age() -> None:
    missing = OneCNotPublished("Catalog_Контрагенты", "the entity set is not published")
    before = NOON - timedelta(days=1)
    known = EntitySync(EntityKind.COUNTERPARTY, held=5, proven_at=before, error=str(missing))
    never = EntitySync(EntityKind.CONTACT, error=str(missing))
    report = SyncReport(NOON, 1.0, False, False, 9, (known, never))

    notes = build_sync_notes(report, "Внутренний номер")

    assert "Состав. The 5 counterparties held stay as they were at " in notes[1]
    assert notes[2].endswith("→ Состав.")


def test_a_person_is_asked_of_every_fact_that_is_lost() -> None:
    losses = (Loss("extension", "managers with an extension", 1200, 0),)
    refused = RoutingFactsLost("extension", 1200, 0, 0.2, losses, "1C has no such attribute.")

    asked = format_loss_question(refused)

    assert "managers with an extension: 1,200 before, 0 now" in asked
    assert asked.endswith("1C has no such attribute. Is 1C right?")


def test_a_directory_in_which_nobody_can_be_called_is_reported() -> None:
    report = SyncReport(
        NOON, 1.0, True, True, 9, (), extension_property=Ref("x"), nobody_reachable=True
    )

    (note,) = [n for n in build_sync_notes(report, "Кабинет") if "Кабинет" in n]

    assert "BRIDGE_EXTENSION_ATTRIBUTE" in note
