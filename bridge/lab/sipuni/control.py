"""The control address `/_lab/` of the simulated cabinet, for tests and demonstrations.

- `POST /_lab/call` `{caller, did, outcome?, dtmf?, ring_s?, talk_s?, switches?}` → report
- `GET /_lab/calls` → reports of all incoming calls so far, and the state of the event push
- `GET /_lab/orders` → every call ordered through the API, and the events it left
- `POST /_lab/story` with a scenario file as body (see `scenarios.scenario`) → what was asked and
  pushed; roles are replaced in the query, `?client=79031112233`; with `?staged=1` the scenario
  waits for its order
- `POST /_lab/drop` → closes the websockets; how many there were
- `POST /_lab/switches` `{switch: value, …}` → all switches; also resumes a suspended push
"""

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.playback import play_scenario, queue_scenario
from bridge.lab.sipuni.scenarios.scenario import parse_scenario
from bridge.lab.sipuni.switches import CabinetSwitches


class CabinetControl:
    """What a test may ask of the simulator; a real cabinet has nothing of it."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab

    def routes(self) -> list[Route]:
        """Return the addresses below `/_lab/`."""
        return [
            Route("/_lab/call", self._place_call, methods=["POST"]),
            Route("/_lab/calls", self._list_calls),
            Route("/_lab/orders", self._list_orders),
            Route("/_lab/story", self._play_scenario, methods=["POST"]),
            Route("/_lab/drop", self._drop_websockets, methods=["POST"]),
            Route("/_lab/switches", self._set_switches, methods=["POST"]),
        ]

    async def _place_call(self, request: Request) -> Response:
        try:
            fields = _json_object(await request.body())
            if "switches" in fields:
                fields["switches"] = _changed(self._lab.switches, fields["switches"])
            plan = msgspec.convert(fields, CallPlan)
        except ValueError as error:
            return _refusal(error)
        return _as_json(await self._lab.place_call(plan))

    async def _list_calls(self, request: Request) -> Response:
        del request  # it takes no parameters
        reports = [call.report for call in self._lab.calls if call.report is not None]
        return _as_json(
            {
                "calls": reports,
                "bad_answers": self._lab.bad_answers,
                "suspended": self._lab.is_suspended,
            }
        )

    async def _list_orders(self, request: Request) -> Response:
        del request  # it takes no parameters
        return _as_json(
            [
                {
                    "id": call.header.callback_id,
                    "call_id": call.header.call_id,
                    "source": call.header.source,
                    "destination": call.header.destination,
                    "over": call.is_over,
                    "events": [push.event for push in call.pushes],
                }
                for call in self._lab.calls
                if call.header.callback_id
            ]
        )

    async def _play_scenario(self, request: Request) -> Response:
        roles = dict(request.query_params)
        waits_for_order = roles.pop("staged", "") not in {"", "0"}
        try:
            scenario = parse_scenario((await request.body()).decode())
            if waits_for_order:
                queue_scenario(scenario, self._lab, roles=roles)
                return _as_json({"story": scenario.name, "waits_for": scenario.order})
            playback = await play_scenario(scenario, self._lab, roles=roles)
        except ValueError as error:
            return _refusal(error)
        return _as_json(
            {
                "story": scenario.name,
                "start": playback.start,
                "expect": playback.expect,
                "questions": playback.questions,
                "pushes": playback.pushes,
                "problems": playback.problems,
            }
        )

    async def _drop_websockets(self, request: Request) -> Response:
        del request  # it takes no parameters
        return _as_json({"dropped": await self._lab.listeners.drop()})

    async def _set_switches(self, request: Request) -> Response:
        try:
            changed = _changed(self._lab.switches, _json_object(await request.body()))
        except ValueError as error:
            return _refusal(error)
        self._lab.set_switches(changed)
        return _as_json(changed)


def read_cabinet_switches(raw: bytes) -> CabinetSwitches:
    """Read a file of switches, the same JSON that `POST /_lab/switches` takes.

    Raises:
        ValueError: it is no such JSON, or names an unknown switch.
    """
    return _changed(CabinetSwitches(), _json_object(raw))


def _json_object(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def _changed(switches: CabinetSwitches, changes: object) -> CabinetSwitches:
    """Return a copy of *switches* with *changes*; a ValueError names what does not fit."""
    current: dict[str, object] = msgspec.to_builtins(switches)
    given = msgspec.convert(changes, dict[str, object])
    if unknown := sorted(given.keys() - current.keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return msgspec.convert(current | given, CabinetSwitches)


def _refusal(error: ValueError) -> Response:
    return JSONResponse({"error": str(error)}, status_code=422)


def _as_json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
