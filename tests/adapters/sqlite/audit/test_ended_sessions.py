"""Sessions that were signed out stay so: over restarts, with a broken file, with a full disk."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.adapters.sqlite.audit.ended_sessions import EndedSessionsFile
from bridge.ports.alarms import Alarm
from bridge.ports.events import Event
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from tests.support.builders import manager

pytestmark = pytest.mark.anyio

SECRET = b"the secret of a test house, 32 b"


@dataclass
class RecordedAlarms:
    """Keeps the alarms that were published."""

    alarms: list[Alarm] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        assert isinstance(event, Alarm)
        self.alarms.append(event)


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_a_session_that_was_ended_stays_so_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    seals = SignedTokens(SECRET, "pw", EndedSessionsFile(path, RecordedAlarms()))
    admin, other = seals.create_admin_session(), seals.create_admin_session()
    desk = seals.create_manager_session(ManagerClaim(manager().ref, 0))
    link = seals.create_console_link()
    assert await seals.use_console_link(link)
    await seals.end_admin_session(admin)
    await seals.end_manager_session(desk)

    recorded = RecordedAlarms()
    later = SignedTokens(SECRET, "pw", EndedSessionsFile(path, recorded))

    assert not later.is_valid_admin_session(admin)
    assert later.is_valid_admin_session(other)
    assert later.read_manager_session(desk) is None
    assert not await later.use_console_link(link)
    assert not recorded.alarms
    assert path.stat().st_mode & 0o077 == 0
    assert names_in(tmp_path) == ["sessions.json"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"generation": "", "ended": []}'])
async def test_where_the_list_is_lost_no_session_of_before_counts(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "sessions.json"
    session = SignedTokens(
        SECRET, "pw", EndedSessionsFile(path, RecordedAlarms())
    ).create_admin_session()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    recorded = RecordedAlarms()
    seals = SignedTokens(SECRET, "pw", EndedSessionsFile(path, recorded))
    begun = seals.create_admin_session()

    assert not seals.is_valid_admin_session(session)
    assert seals.is_valid_admin_session(begun)
    assert SignedTokens(
        SECRET, "pw", EndedSessionsFile(path, RecordedAlarms())
    ).is_valid_admin_session(begun)
    assert [(a.name, a.subject) for a in recorded.alarms] == (
        [] if content is None else [("store_damaged", "sessions.json")]
    )


async def test_where_the_disk_refuses_memory_keeps_it_with_an_alarm_until_it_is_well(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    recorded = RecordedAlarms()
    ended = EndedSessionsFile(folder / "sessions.json", recorded)  # there is no such folder
    seals = SignedTokens(SECRET, "pw", ended)
    session, other = seals.create_admin_session(), seals.create_admin_session()
    await seals.end_admin_session(session)
    in_memory = seals.is_valid_admin_session(session)
    folder.mkdir()
    await seals.end_admin_session(other)

    assert not in_memory
    assert [a.clear for a in recorded.alarms] == [False, False, True]
    assert str(tmp_path) not in recorded.alarms[0].message
    later = SignedTokens(
        SECRET, "pw", EndedSessionsFile(folder / "sessions.json", RecordedAlarms())
    )
    assert not later.is_valid_admin_session(session)


async def test_the_list_is_bounded_by_a_new_generation(tmp_path: Path) -> None:
    ended = EndedSessionsFile(tmp_path / "sessions.json", RecordedAlarms(), max_sessions=20)
    seals = SignedTokens(SECRET, "pw", ended)
    first, generation = seals.create_admin_session(), ended.generation
    await seals.end_admin_session(first)
    for n in range(20):
        await ended.end(str(n))

    assert ended.generation != generation
    assert not seals.is_valid_admin_session(first)
