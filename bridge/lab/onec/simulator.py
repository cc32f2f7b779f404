"""The simulator of a 1C UT 11 publication: an infobase, its interface, and the faults between.

    lab = OneCLab(compose_infobase(partners=200))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=create_onec_app(lab)))

The service root is `<publication>/odata/standard.odata`, by default `/ut11/odata/standard.odata`;
the user is `Обмен` with the password `секрет-1с`, Basic in UTF-8 only. `/_lab/` is the control
address (see `control`). In-process a lost connection raises `LabConnectionLost` through the
transport; over uvicorn (`server`) the socket is closed without a reply.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from bridge.lab.onec.edits.bulk_edits import BulkEdits
from bridge.lab.onec.edits.manager_actions import ManagerActions
from bridge.lab.onec.edits.manual_edits import ManualEdits
from bridge.lab.onec.faults import FaultPlan
from bridge.lab.onec.infobase.infobase import Infobase
from bridge.lab.onec.odata import replies
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.odata.replies import HttpReply
from bridge.lab.onec.odata.request import ODataRequest
from bridge.lab.onec.odata.service import ODataService
from bridge.lab.onec.switches import PublicationSwitches

DEFAULT_USER: Final = "Обмен"
DEFAULT_PASSWORD: Final = "секрет-1с"  # noqa: S105 - the password of a simulator
_ROOT: Final = "/odata/standard.odata"


@dataclass(frozen=True, slots=True)
class RequestLogEntry:
    """One request the publication saw; status 0 means that no reply left."""

    method: str
    set: str
    path: str
    query: str
    status: int
    bytes: int


@dataclass(slots=True)
class _LateWrite:
    request: ODataRequest
    #: After how many further requests it is executed.
    wait: int


def _utc_now() -> datetime:
    return datetime.now(UTC)


class OneCLab(ManualEdits, BulkEdits, ManagerActions):
    """One simulated publication and the infobase behind it.

    `switches` and `faults` may be changed at any time. `request_log` keeps the last requests,
    `request_counts` counts them by method and set. `clock` gives aware moments, `sleep`
    is awaited for every delay: inject both in tests.
    """

    def __init__(
        self,
        infobase: Infobase,
        *,
        publication: str = "/ut11",
        user: str = DEFAULT_USER,
        password: str = DEFAULT_PASSWORD,
        switches: PublicationSwitches | None = None,
        faults: FaultPlan | None = None,
        server_timezone: str = "Europe/Moscow",
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(infobase, self.server_time)
        self.switches = switches or PublicationSwitches()
        self.faults = faults or FaultPlan()
        self.publication = publication.rstrip("/")
        self.user = user
        self.password = password
        self.zone = ZoneInfo(server_timezone)
        self.request_log: deque[RequestLogEntry] = deque(maxlen=100_000)
        self.request_counts: Counter[tuple[str, str]] = Counter()
        self.clock = clock
        self.sleep = sleep
        self.odata = ODataService(Publication(infobase, self.switches), self.server_time, clock)
        self._late: list[_LateWrite] = []
        self._number = 0
        self._last_request: datetime | None = None
        self._sessions: set[str] = set()

    @property
    def root(self) -> str:
        """Return the path of the service root, without a final slash."""
        return f"{self.publication}{_ROOT}"

    def server_time(self) -> datetime:
        """Return the server's wall time, naive, as 1C keeps it."""
        return self.clock().astimezone(self.zone).replace(tzinfo=None)

    def authorization(self) -> str:
        """Return the value of the Authorization header that the publication accepts."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @property
    def late_writes(self) -> int:
        """Return the number of writes answered with a failure and not executed yet."""
        return len(self._late)

    def commit_late_writes(self) -> int:
        """Execute all late writes now; return how many there were."""
        waiting, self._late = self._late, []
        for late in waiting:
            self.odata.answer(late.request)
        return len(waiting)

    def begin_request(self) -> int:
        """Return the number of the next request; late writes that are due are executed first."""
        self._number += 1
        due = [late for late in self._late if late.wait <= 0]
        self._late = [late for late in self._late if late.wait > 0]
        for late in self._late:
            late.wait -= 1
        for late in due:
            self.odata.answer(late.request)
        return self._number

    def postpone_write(self, request: ODataRequest, wait: int) -> None:
        """Execute a write only *wait* requests later."""
        self._late.append(_LateWrite(request, wait))

    def cold_start_delay_s(self) -> float:
        """Return the seconds this request waits for 1C to start after idling."""
        before, now = self._last_request, self.clock()
        self._last_request = now
        if before is None or (now - before).total_seconds() > self.switches.idle_seconds:
            return self.switches.cold_start_seconds
        return 0.0

    def open_session(self, headers: dict[str, str]) -> HttpReply | list[tuple[str, str]]:
        """Return the headers of session control, or the refusal of a session."""
        mode, action = self.switches.ibsession, headers.get("ibsession", "").lower()
        if mode == "pool_exhausted":
            return replies.pool_exhausted(as_json="json" in headers.get("accept", ""))
        if mode == "unsupported":
            return []
        _, _, cookie = headers.get("cookie", "").partition("ibsession=")
        cookie = cookie.partition(";")[0]
        if cookie and cookie not in self._sessions:
            # Real publications answer the cookie of an ended session with 400 or 404.
            return replies.html(400, "Bad Request", "Session not found")
        if action == "start":
            name = f"{self.infobase.seed:08x}-{self._number:08x}"
            self._sessions.add(name)
            return [("set-cookie", f"ibsession={name}; path={self.publication}")]
        if action == "finish":
            self._sessions.discard(cookie)
        return []
