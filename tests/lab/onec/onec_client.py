"""A client of the simulated 1C for its tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import (
    PARTNERS,
    PHONE_CALLS,
    REMINDERS,
)
from bridge.lab.onec.infobase.schema import Release
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.onec.switches import PublicationSwitches
from tests.support.lab_transport import LabTransport

NOWHERE = "0f9e375d-6e83-11e5-96ed-0025907c0298"
JSON = "$format=json"


@dataclass
class Clock:
    """A clock that stands still and sleeps by moving."""

    now: datetime = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass
class OneCClient:
    """The lab, a client that is let in, and the clock of both."""

    lab: OneCLab
    http: httpx.AsyncClient
    clock: Clock

    async def get(self, path: str, *options: str, json: bool = True) -> httpx.Response:
        """GET below the service root; options are joined raw, spaces become %20."""
        parts = [*options, JSON] if json else list(options)
        query = "&".join(parts).replace(" ", "%20")
        return await self.http.get(f"{path}?{query}" if query else path)

    async def rows(self, path: str, *options: str) -> list[dict[str, Any]]:
        response = await self.get(path, *options)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["value"]
        return found

    async def post(self, set_name: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post(f"/{set_name}?{JSON}", json=body, headers=headers)

    async def patch(self, set_name: str, ref: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.patch(f"/{set_name}(guid'{ref}')?{JSON}", json=body, headers=headers)

    def a_partner(self) -> str:
        """Return an ordinary partner: neither predefined nor marked."""
        table = self.lab.infobase.tables[PARTNERS]
        return next(
            str(ref)
            for ref, row in table.rows.items()
            if not row.get("Predefined") and not row.get("DeletionMark")
        )

    def a_user(self) -> str:
        infobase = self.lab.infobase
        return next(ref for ref in infobase.extensions if infobase.may_take_calls(ref))

    async def a_call(self, **fields: Any) -> str:
        response = await self.post(PHONE_CALLS, {"Тема": "Звонок", **fields})
        assert response.status_code == 201, response.text
        return str(response.json()["Ref_Key"])

    def a_reminder(self, source: str, **fields: Any) -> dict[str, Any]:
        return {
            "Пользователь_Key": self.a_user(),
            "ВремяСобытия": "2026-11-23T09:00:00",
            "Источник": source,
            "Источник_Type": f"StandardODATA.{PHONE_CALLS}",
            "СрокНапоминания": "2026-11-23T09:00:00",
            "Описание": "Пропущен звонок",
            "СпособУстановкиВремениНапоминания": "ВУказанноеВремя",
            **fields,
        }

    async def remind(self, source: str, **fields: Any) -> httpx.Response:
        return await self.post(REMINDERS, self.a_reminder(source, **fields))


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and text of a refusal 1C itself spoke."""
    error = response.json()["odata.error"]
    return response.status_code, error["code"], error["message"]["value"]


def open_lab(
    partners: int = 60,
    *,
    seed: int = 7,
    release: Release = "11.5.20",
    quirks: DataQuirks | None = None,
    switches: PublicationSwitches | None = None,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> OneCClient:
    """Compose a small company and return a client of its publication."""
    clock = Clock()
    lab = OneCLab(
        compose_infobase(partners, seed, release, quirks),
        switches=switches,
        clock=clock,
        sleep=sleep or clock.sleep,
    )
    http = httpx.AsyncClient(
        transport=LabTransport(lab),
        base_url=f"http://1c.test{lab.root}",
        headers={"authorization": lab.authorization()},
    )
    return OneCClient(lab, http, clock)
