"""A Sipuni cabinet in a box: it asks the bridge, follows the answer, pushes events, serves the API.

It is the referee: it believes nothing but bytes on the wire, retries nothing, and tells what a
caller would have lived through. Where the vendor's pages are silent (time-out, branch on error)
it assumes the worst a cabinet may do: no retry, no redirect, branch 0.

    CallPlan -> question per node -> extension or default queue -> event script -> CallReport
"""

import asyncio
import csv
import hashlib
import hmac
import io
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.lab.sipuni_events import (
    Line,
    Outcome,
    Params,
    Script,
    ScriptedEvent,
    Switches,
    bend,
    bend_event,
    did_leg,
    encode_event,
    event_number,
    external_script,
    final_event,
    incoming_script,
    ordered_script,
    question_query,
    unreachable_script,
)

DEFAULT_HOOK_URL = "http://127.0.0.1:8000/sipuni/route"
DEFAULT_PORT = 8082
# Extensions are 200-9999 by the vendor's page; older cabinets keep 100-199.
EXTENSION = re.compile(r"[1-9][0-9]{2,3}")
MAX_SHOWN_ANSWER = 500

Pause = Callable[[float], Awaitable[object]]


# ---------------------------------------------------------------- the cabinet's settings


class NodeMode(StrEnum):
    """What a scheme node understands as its answer."""

    BRANCH = "branch"  # the documented one: `choice` 0 or 1 picks a branch
    NUMBER = "number"  # unverified: `choice` is the extension
    EXTENSION = "extension"  # unverified: `choice` 1 and the extension beside it
    TEXT = "text"  # unverified: the whole text/plain body is the extension


@dataclass(frozen=True, slots=True)
class SchemeNode:
    """One "HTTP request" node; *target* is where its branch 1 leads, by default its label."""

    label: str = ""
    mode: NodeMode = NodeMode.EXTENSION
    target: str = ""


@dataclass(frozen=True, slots=True)
class Employee:
    """A person with an extension in the cabinet."""

    extension: str
    name: str


@dataclass(frozen=True, slots=True)
class SipuniScheme:
    """The settings of one cabinet and its incoming scheme.

    Attributes:
        hook_url: what every node asks; Basic credentials may stand in its userinfo.
        events_url: where events go; empty means beside a hook that ends in `/route`, else nowhere.
        nodes: the chain of the incoming scheme, asked in this order.
        did_nodes: chains of DIDs that have a scheme of their own.
        default_extension: the queue at the end of the last 0-branch.
        group: who is rung beside the decided extension in a group ring; the first of them who is
            not the decided extension takes a transfer.
        timeout_s: how long a node waits; the vendor names no number.
        employees: who exists; nobody listed means any extension does.
    """

    hook_url: str = field(default=DEFAULT_HOOK_URL, repr=False)
    events_url: str = field(default="", repr=False)
    events_method: str = "GET"
    nodes: tuple[SchemeNode, ...] = (SchemeNode(),)
    did_nodes: Mapping[str, tuple[SchemeNode, ...]] = field(default_factory=dict)
    default_extension: str = "200"
    group: tuple[str, ...] = ("206", "207")
    timeout_s: float = 3.0
    cabinet: str = "012345"
    key: str = field(default="demo-secret", repr=False)
    scheme_number: str = "000-123456"
    employees: tuple[Employee, ...] = ()
    public_url: str = "https://sipuni.com"
    zone: str = "Europe/Moscow"

    def chain(self, did: str) -> tuple[SchemeNode, ...]:
        """Give the nodes that a call to *did* passes."""
        return self.did_nodes.get(did, self.nodes)

    @property
    def push_url(self) -> str:
        """Give the address of the event push, or an empty string when none is set."""
        if self.events_url or not self.hook_url.endswith("/route"):
            return self.events_url
        return self.hook_url.removesuffix("route") + "events"

    def knows(self, extension: str) -> bool:
        """Tell whether the cabinet has this extension."""
        return not self.employees or any(one.extension == extension for one in self.employees)


# ---------------------------------------------------------------- a planned call and its report


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call that somebody is going to make; *switches* replace the lab's for this call alone."""

    caller: str
    did: str
    outcome: Outcome = Outcome.ANSWERED
    dtmf: str = ""
    ring_s: int = 12
    talk_s: int = 60
    switches: Switches | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One routing question as it went, and what the node made of the answer."""

    label: str
    query: str
    status: int | None
    latency_ms: float
    answer: str
    extension: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Push:
    """One pushed event and how the bridge took it; *problem* is empty for a correct answer."""

    event: str
    params: Params
    status: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """What the caller lived through.

    Attributes:
        rang_first: whose telephone rang first; None when nobody's could.
        default_queue: the call fell out of the scheme's last 0-branch.
        silence_ms: how long the caller heard nothing while the nodes waited for answers.
        problems: what went wrong, in words and in order.
    """

    call_id: str
    caller: str
    did: str
    outcome: Outcome
    rang_first: str | None
    default_queue: bool
    silence_ms: float
    questions: tuple[Question, ...]
    pushes: tuple[Push, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class LabCall:
    """A call the cabinet remembers, for its statistics and for the orders about it."""

    line: Line
    record_id: str
    kind: str
    status: str
    extension: str
    rest: list[ScriptedEvent]
    switches: Switches
    talk_s: int = 0
    ends: int = 0
    closed: bool = False
    report: CallReport | None = None
    pushes: list[Push] = field(default_factory=list)


# ---------------------------------------------------------------- reading an answer


def read_answer(node: SchemeNode, media_type: str, body: bytes) -> tuple[str | None, str]:
    """Tell where the node's answer leads: (extension or None for branch 0, what is wrong)."""
    if node.mode is NodeMode.TEXT:
        return _read_text(media_type, body)
    try:
        answer = json.loads(body)
    except ValueError:
        return None, "the answer is not JSON" if body else "the answer is empty"
    if not isinstance(answer, dict) or "choice" not in answer:
        return None, "the answer has no choice"
    return _read_choice(node, answer)


def _read_choice(node: SchemeNode, answer: Mapping[str, object]) -> tuple[str | None, str]:
    choice = answer["choice"]
    is_number = type(choice) is int  # JSON's true is no branch
    if is_number and choice == 0:
        return None, ""
    if node.mode is NodeMode.NUMBER:
        return _as_extension(choice)
    if not (is_number and choice == 1):
        return None, f"choice {choice!r} is neither 0 nor 1"
    by_branch = node.mode is NodeMode.BRANCH
    return _as_extension(node.target or node.label if by_branch else answer.get("extension"))


def _read_text(media_type: str, body: bytes) -> tuple[str | None, str]:
    if media_type.partition(";")[0].strip().lower() != "text/plain":
        return None, f"the answer is labelled {media_type or 'nothing'}, not text/plain"
    text = body.decode("utf-8", errors="replace").strip()
    return _as_extension(text) if text else (None, "")


def _as_extension(named: object) -> tuple[str | None, str]:
    if isinstance(named, str | int) and EXTENSION.fullmatch(str(named)):
        return str(named), ""
    return None, f"{named!r:.40} is not an extension"


def signature(params: Mapping[str, str], cabinet: str, key: str) -> str:
    """Sign an API request as Sipuni does: MD5 of the values, by name, then cabinet, then key.

    Neither the names nor the endpoint are covered, so a record and a hangup of one id share one.
    """
    values = [params[name] for name in sorted(params) if name not in {"user", "hash"}]
    text = "+".join([*values, cabinet, key])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# ---------------------------------------------------------------- the exchange


class SipuniLab:
    """The exchange itself: calls come in, questions and events go out.

    Seconds are virtual: a script is pushed at once and its timestamps run ahead of the clock,
    unless *pause* is given, which is then awaited between events.
    """

    def __init__(
        self,
        scheme: SipuniScheme,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
        switches: Switches | None = None,
        pause: Pause | None = None,
    ) -> None:
        self.scheme = scheme
        self.calls: list[LabCall] = []
        self.bad_answers = 0
        self._http = http
        self._clock = clock
        self._stopwatch = stopwatch
        self._switches = switches or Switches()
        self._pause = pause
        self._counter = 100_000

    @property
    def switches(self) -> Switches:
        """Give the switches of calls that bring none of their own."""
        return self._switches

    def switch(self, switches: Switches) -> None:
        """Set the cabinet's switches and forgive the incorrect answers so far."""
        self._switches = switches
        self.bad_answers = 0

    @property
    def suspended(self) -> bool:
        """Tell whether the cabinet has stopped pushing because of incorrect answers."""
        return 0 < self._switches.suspend_after <= self.bad_answers

    async def place_call(self, plan: CallPlan) -> CallReport:
        """Make the planned call and tell what its caller lived through.

        Never raises for anything the bridge does: that is what the report is for.
        """
        switches = plan.switches or self._switches
        arrived = self._clock()
        source = event_number(plan.caller, switches.caller)
        call = self._begin("Входящий", source, plan.did, switches, arrived=int(arrived))
        opening = 0
        if switches.event_before_answer:
            await self._push(call, bend_event(did_leg(call.line), switches))
            opening = 1
        questions, routed = await self._walk(plan, switches, arrived)
        problems = [f"node {one.label!r}: {one.problem}" for one in questions if one.problem]
        extension = self._reachable(routed, switches, problems)
        call.extension = extension or ""
        if extension is None:
            script = unreachable_script(call.line, self.scheme.default_extension)
        else:
            others = tuple(one for one in self.scheme.group if one != extension)
            script = incoming_script(
                call.line,
                plan.outcome,
                extension,
                ring_s=plan.ring_s,
                talk_s=plan.talk_s,
                others=others[:1] if plan.outcome is Outcome.TRANSFER else others,
                separator=switches.last_called_separator,
            )
        self._load(call, script, skip=opening)
        await self.play(call)
        problems += [f"event {one.event}: {one.problem}" for one in call.pushes if one.problem]
        call.report = CallReport(
            call_id=call.line.call_id,
            caller=plan.caller,
            did=plan.did,
            outcome=plan.outcome,
            rang_first=extension,
            default_queue=routed is None or extension != routed,
            silence_ms=sum(one.latency_ms for one in questions),
            questions=tuple(questions),
            pushes=tuple(call.pushes),
            problems=tuple(problems),
        )
        return call.report

    def order_call(self, extension: str, phone: str, *, tree: str = "") -> LabCall:
        """Accept an order to connect *extension* with *phone*; an absent softphone is no error."""
        call = self._begin(
            "Исходящий", extension, phone, self._switches, inner=True, ordered=True, tree=tree
        )
        if extension not in self._switches.offline_ext and self.scheme.knows(extension):
            script = ordered_script(
                call.line, self._switches.originated, extension, ring_s=12, talk_s=60
            )
            self._load(call, script)
        return call

    def order_external(self, phone_from: str, phone_to: str) -> LabCall:
        """Accept an order to connect two outside numbers."""
        call = self._begin("Исходящий", phone_from, phone_to, self._switches, ordered=True)
        script = external_script(call.line, self._switches.originated, ring_s=12, talk_s=60)
        self._load(call, script)
        return call

    async def play(self, call: LabCall, *, only_first: bool = False) -> None:
        """Push what is left of the call's script, or only its first event."""
        at = call.line.started
        while call.rest:
            event = call.rest.pop(0)
            if self._pause is not None and not only_first:
                await self._pause(max(0, event.at - at))
                if call.closed:
                    return
            at = event.at
            await self._push(call, event)
            if only_first:
                return
        call.closed = call.closed or not call.switches.drop_event2

    async def hang_up(self, call_id: str) -> bool:
        """End a call that goes on, pushing its final event; tell whether there was one."""
        call = next((one for one in self.calls if one.line.call_id == call_id), None)
        return call is not None and await self._cut(call)

    async def cancel(self, callback_id: str) -> bool:
        """Withdraw an order that has not run its course; tell whether there was one."""
        ordered = (one for one in self.calls if one.line.callback_id == callback_id)
        call = next(ordered, None)
        return bool(callback_id) and call is not None and await self._cut(call)

    async def save_settings_page(self) -> Push:
        """Push the call without a single field that saving the cabinet's settings may cause."""
        return await self._send("", ())

    async def _cut(self, call: LabCall) -> bool:
        if call.closed:
            return False
        call.closed = True
        call.rest.clear()
        answered = [int(one.value("timestamp")) for one in self._sent(call) if one.code == "3"]
        call.ends = int(self._clock())
        call.status = "ANSWER" if answered else "NOANSWER"
        call.talk_s = max(0, call.ends - answered[0]) if answered else 0
        final = final_event(
            call.line, call.ends, call.status, answered[0] if answered else 0, call.extension
        )
        for event in bend((final,), replace(call.switches, unknown_event="", dup_event1=False)):
            await self._push(call, event)
        return True

    @staticmethod
    def _sent(call: LabCall) -> list[ScriptedEvent]:
        return [ScriptedEvent(at=0, params=one.params) for one in call.pushes]

    def _begin(
        self,
        kind: str,
        source: str,
        destination: str,
        switches: Switches,
        *,
        arrived: int | None = None,
        inner: bool = False,
        ordered: bool = False,
        tree: str = "",
    ) -> LabCall:
        started = int(self._clock()) if arrived is None else arrived
        self._counter += 1
        call_id = f"{started}.{self._counter}"
        shifted = call_id[:-1] + str((int(call_id[-1]) + 1) % 10)
        record_id = shifted if switches.record_id_shift else call_id
        record_hash = signature({"id": record_id}, self.scheme.cabinet, self.scheme.key)
        order = hashlib.md5(f"callback {call_id}".encode(), usedforsecurity=False).hexdigest()
        line = Line(
            call_id=call_id,
            started=started,
            source=source,
            destination=destination,
            cabinet=self.scheme.cabinet,
            tree_name="Исходящая" if ordered else "Входящая",
            tree_number=tree or self.scheme.scheme_number,
            record_link=f"{self.scheme.public_url}/api/crm/record"
            f"?id={record_id}&hash={record_hash}&user={self.scheme.cabinet}",
            source_inner=inner,
            destination_plus=inner,
            callback_id=order if ordered else "",
        )
        extension = source if inner else ""
        call = LabCall(line, record_id, kind, "CHANUNAVAIL", extension, [], switches, ends=started)
        self.calls.append(call)
        return call

    @staticmethod
    def _load(call: LabCall, script: Script, *, skip: int = 0) -> None:
        """Give the call its script, and its statistics the truth that events may distort."""
        finals = [event for event in script if event.code == "2"]
        answers = [event.at for event in script if event.code == "3"]
        if finals:
            call.ends, call.status = finals[-1].at, finals[-1].value("status")
            call.talk_s = call.ends - answers[0] if answers else 0
        call.rest = list(bend(script, call.switches))[skip:]

    async def _walk(
        self, plan: CallPlan, switches: Switches, arrived: float
    ) -> tuple[list[Question], str | None]:
        """Pass the chain node by node until one of them knows the way."""
        questions: list[Question] = []
        for node in self.scheme.chain(plan.did):
            query = question_query(
                caller=plan.caller,
                did=plan.did,
                dtmf=plan.dtmf,
                label=node.label,
                arrived=arrived,
                zone=ZoneInfo(self.scheme.zone),
                switches=switches,
            )
            questions.append(await self._ask(node, query))
            if questions[-1].extension is not None:
                return questions, questions[-1].extension
        return questions, None

    async def _ask(self, node: SchemeNode, query: str) -> Question:
        limit = self.scheme.timeout_s
        began = self._stopwatch()
        status, shown, extension, problem, late = None, "", None, "", False
        try:
            async with asyncio.timeout(limit):
                response = await self._http.get(
                    _with_query(self.scheme.hook_url, query), follow_redirects=False, timeout=None
                )
        except (TimeoutError, httpx.TimeoutException):
            late = True
        except httpx.HTTPError as failure:
            problem = f"no connection ({type(failure).__name__})"
        else:
            status, shown = response.status_code, response.text[:MAX_SHOWN_ANSWER]
            if response.is_success:
                label = response.headers.get("content-type", "")
                extension, problem = read_answer(node, label, response.content)
            else:
                problem = f"status {status}"
        waited = self._stopwatch() - began
        # A virtual stopwatch shows a late answer the loop's own timer could not see.
        if late or waited > limit:
            waited, extension, problem = limit, None, f"no answer within {limit:g} s"
        latency_ms = round(waited * 1000, 3)
        return Question(node.label, query, status, latency_ms, shown, extension, problem)

    def _reachable(self, routed: str | None, switches: Switches, problems: list[str]) -> str | None:
        """Find whose telephone rings: the decided one's, the default queue's, or nobody's."""
        for extension in (routed, self.scheme.default_extension):
            if extension is None:
                continue
            if not self.scheme.knows(extension):
                problems.append(f"the cabinet has no extension {extension}")
            elif extension in switches.offline_ext:
                problems.append(f"the telephone of {extension} is offline")
            else:
                return extension
        return None

    async def _push(self, call: LabCall, event: ScriptedEvent) -> None:
        if not self.suspended and self.scheme.push_url:
            post = call.switches.post_instead_of_get
            call.pushes.append(await self._send(event.code, event.params, post=post))

    async def _send(self, code: str, params: Params, *, post: bool = False) -> Push:
        url, body = self.scheme.push_url, encode_event(params)
        by_post = post or self.scheme.events_method == "POST"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, problem = None, ""
        try:
            async with asyncio.timeout(self.scheme.timeout_s):
                if by_post:
                    request = self._http.build_request(
                        "POST", url, content=body, headers=form, timeout=None
                    )
                else:
                    request = self._http.build_request("GET", _with_query(url, body), timeout=None)
                response = await self._http.send(request, follow_redirects=False)
        except (TimeoutError, httpx.TimeoutException):
            problem = f"no answer within {self.scheme.timeout_s:g} s"
        except httpx.HTTPError as failure:
            problem = f"no connection ({type(failure).__name__})"
        else:
            status, problem = response.status_code, _wrong_acknowledgement(response)
        self.bad_answers += bool(problem)
        return Push(event=code, params=params, status=status, problem=problem)


def _with_query(url: str, query: str) -> httpx.URL:
    parsed = httpx.URL(url)
    whole = b"&".join(part for part in (parsed.query, query.encode("ascii")) if part)
    return parsed.copy_with(query=whole or None)


def _wrong_acknowledgement(response: httpx.Response) -> str:
    """Name what is wrong with the answer to an event; empty when it is correct."""
    if response.status_code != httpx.codes.OK:
        return f"status {response.status_code}"
    try:
        answer = json.loads(response.content)
    except ValueError:
        return "the answer is not JSON"
    accepted = isinstance(answer, dict) and answer.get("success") is True
    return "" if accepted else "the answer has no true success"


# ---------------------------------------------------------------- the cabinet's API


Endpoint = Callable[[Request], Awaitable[Response]]
SignedAction = Callable[[Mapping[str, str]], Awaitable[Response]]

# Thirteen headers seen in public clients; the places of 0-2, 4, 5, 7 and 11 were seen too.
COLUMNS = (
    "Тип",
    "Статус",
    "Время",
    "Схема",
    "Откуда",
    "Куда",
    "Кто ответил",
    "Длительность звонка, сек",
    "Длительность разговора, сек",
    "Кто разговаривал",
    "Кому звонили",
    "ID записи",
    "Запись существует",
)
ANSWERED_WORDS = {True: "Отвечен", False: "Не отвечен"}
# An ID3 header and one silent MPEG frame's sync word: enough for a reader of magic bytes.
SILENT_MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + b"\x00" * 413


def create_sipuni_app(lab: SipuniLab) -> Starlette:
    """Build the cabinet's API and, under `/_lab/`, the levers of whoever runs the experiment.

    - `POST /_lab/call` `{caller, did, outcome?, dtmf?, ring_s?, talk_s?, switches?}` → report
    - `GET /_lab/calls` → reports of all incoming calls so far, the state of the push beside them
    - `POST /_lab/switches` `{switch: value, …}` → all switches; also resumes a suspended push
    """
    api, levers = _CabinetApi(lab), _Levers(lab)
    signed: dict[str, SignedAction] = {
        "callback/call_number": api.call_number,
        "callback/call_tree": api.call_tree,
        "callback/call_external": api.call_external,
        "callback/cancel": api.cancel,
        "events/call/hangup": api.hang_up,
        "statistic/export": api.export,
        "statistic/record": api.record,
        "statistic/operators": api.operators,
        "crm/record": api.record,  # the link of event 2: its own hash, no login
    }
    return Starlette(
        routes=[
            *(
                Route(f"/api/{path}", api.signed(action), methods=["GET", "POST"])
                for path, action in signed.items()
            ),
            Route("/_lab/call", levers.call, methods=["POST"]),
            Route("/_lab/calls", levers.calls),
            Route("/_lab/switches", levers.switches, methods=["POST"]),
        ]
    )


class _CabinetApi:
    """The vendor's side of the API; every action gets parameters whose signature was right."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab

    def signed(self, action: SignedAction) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            form = (await request.body()).decode("utf-8", errors="replace")
            params = dict(request.query_params)
            params |= dict(parse_qsl(form, keep_blank_values=True))
            scheme = self._lab.scheme
            right = signature(params, scheme.cabinet, scheme.key)
            if params.get("user") != scheme.cabinet or not hmac.compare_digest(
                params.get("hash", "").encode(), right.encode()
            ):
                return self._refuse("Неверная подпись запроса")
            return await action(params)

        return endpoint

    async def call_number(self, params: Mapping[str, str]) -> Response:
        return await self._call_employee(params, tree="")

    async def call_tree(self, params: Mapping[str, str]) -> Response:
        if not params.get("tree"):
            return self._refuse("Не указана схема")
        return await self._call_employee(params, tree=params["tree"])

    async def _call_employee(self, params: Mapping[str, str], *, tree: str) -> Response:
        if not (params.get("phone") and params.get("sipnumber")):
            return self._refuse("Не указан номер")
        call = self._lab.order_call(params["sipnumber"], params["phone"], tree=tree)
        if self._lab.switches.event_before_reply:
            await self._lab.play(call, only_first=True)
        return self._accepted(call)

    async def call_external(self, params: Mapping[str, str]) -> Response:
        if not (params.get("phoneFrom") and params.get("phoneTo")):
            return self._refuse("Не указан номер")
        # Its event 1 waits for the second party, so here nothing overtakes the reply.
        call = self._lab.order_external(params["phoneFrom"], params["phoneTo"])
        return self._accepted(call)

    async def cancel(self, params: Mapping[str, str]) -> Response:
        if await self._lab.cancel(params.get("callbackId", "")):
            return _as_html({"success": True})
        return self._refuse("Обратный звонок не найден")

    async def hang_up(self, params: Mapping[str, str]) -> Response:
        if await self._lab.hang_up(params.get("callId", "")):
            return _as_html({"success": True})
        return self._refuse("Звонок не найден")

    async def export(self, params: Mapping[str, str]) -> Response:
        zone = ZoneInfo(self._lab.scheme.zone)
        try:
            since = _moment(params["from"], params.get("timeFrom") or "00:00", zone)
            until = _moment(params["to"], params.get("timeTo") or "23:59", zone) + 59
        except (KeyError, ValueError):
            return self._refuse("Неверный период")
        rows = [
            self._row(call, zone) for call in self._lab.calls if since <= call.line.started <= until
        ]
        reordered = self._lab.switches.reordered_columns
        columns = tuple(reversed(COLUMNS)) if reordered else COLUMNS
        return _csv([columns, *([row[name] for name in columns] for row in rows)])

    async def record(self, params: Mapping[str, str]) -> Response:
        call = next(
            (one for one in self._lab.calls if one.record_id == params.get("id")),
            None,
        )
        if call is None or not call.talk_s or not self._lab.switches.recordings_ready:
            return Response("Запись не найдена", media_type="text/html")
        return Response(SILENT_MP3, media_type="audio/mpeg")

    async def operators(self, params: Mapping[str, str]) -> Response:
        del params  # signed like every request, though it takes none
        offline = self._lab.switches.offline_ext
        return _csv(
            [
                ("Внутренний номер", "Имя", "Статус"),
                *(
                    (one.extension, one.name, "Офлайн" if one.extension in offline else "Онлайн")
                    for one in self._lab.scheme.employees
                ),
            ]
        )

    def _accepted(self, call: LabCall) -> Response:
        reply = _as_html({"success": True, "id": call.line.callback_id})
        # Starlette runs a background task after the reply has left: events follow their order.
        reply.background = BackgroundTask(self._lab.play, call)
        return reply

    def _refuse(self, message: str) -> Response:
        return _as_html(
            {"success": False, "message": message}, status=self._lab.switches.refusal_status
        )

    def _row(self, call: LabCall, zone: ZoneInfo) -> dict[str, str]:
        names = {one.extension: one.name for one in self._lab.scheme.employees}
        talked = f"{call.extension} ({names.get(call.extension, '')}) {call.talk_s}"
        answered = call.status == "ANSWER"
        values = (
            call.kind,
            ANSWERED_WORDS[answered],
            datetime.fromtimestamp(call.line.started, tz=zone).strftime("%d.%m.%Y %H:%M:%S"),
            call.switches.renamed_scheme or call.line.tree_name,
            call.line.source,
            call.line.destination,
            call.extension if answered else "",
            str(call.ends - call.line.started),
            str(call.talk_s),
            talked if answered else "",
            call.extension,
            call.record_id,
            str(int(answered)),
        )
        return dict(zip(COLUMNS, values, strict=True))


def _as_html(answer: Mapping[str, object], status: int = 200) -> Response:
    """Send JSON under the label the real API puts on it."""
    text = json.dumps(answer, ensure_ascii=False)
    return Response(text, status_code=status, media_type="text/html")


def _csv(rows: list[tuple[str, ...] | list[str]]) -> Response:
    sheet = io.StringIO()
    csv.writer(sheet, delimiter=";", lineterminator="\r\n").writerows(rows)
    return Response(sheet.getvalue().encode("utf-8-sig"), media_type="text/csv")


def _moment(day: str, clock: str, zone: ZoneInfo) -> float:
    parsed = datetime.strptime(f"{day} {clock}", "%d.%m.%Y %H:%M").replace(tzinfo=zone)
    return parsed.timestamp()


# ---------------------------------------------------------------- the levers of the experiment


class _Levers:
    """What the person who runs the experiment may ask of the lab; no cabinet has this."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab

    async def call(self, request: Request) -> Response:
        try:
            wanted = _json_object(await request.body())
            if "switches" in wanted:
                wanted["switches"] = _changed(self._lab.switches, wanted["switches"])
            plan = msgspec.convert(wanted, CallPlan)
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        return _plain(await self._lab.place_call(plan))

    async def calls(self, request: Request) -> Response:
        del request  # a list has no questions to ask
        reports = [one.report for one in self._lab.calls if one.report is not None]
        return _plain(
            {
                "calls": reports,
                "bad_answers": self._lab.bad_answers,
                "suspended": self._lab.suspended,
            }
        )

    async def switches(self, request: Request) -> Response:
        try:
            changed = _changed(self._lab.switches, _json_object(await request.body()))
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        self._lab.switch(changed)
        return _plain(changed)


def _json_object(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def _changed(switches: Switches, changes: object) -> Switches:
    """Copy *switches* with *changes*; a ValueError names what does not fit."""
    standing: dict[str, object] = msgspec.to_builtins(switches)
    wanted = msgspec.convert(changes, dict[str, object])
    if unknown := sorted(wanted.keys() - standing.keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return msgspec.convert(standing | wanted, Switches)


def _plain(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


# ---------------------------------------------------------------- running it alone


def run_sipuni_lab(
    *,
    hook_url: str = DEFAULT_HOOK_URL,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    scheme: SipuniScheme | None = None,
    paced: bool = False,
) -> None:
    """Serve the lab until interrupted; *paced* lets events take the seconds they tell of."""
    asyncio.run(
        serve_sipuni_lab(hook_url=hook_url, host=host, port=port, scheme=scheme, paced=paced)
    )


async def serve_sipuni_lab(
    *, hook_url: str, host: str, port: int, scheme: SipuniScheme | None, paced: bool
) -> None:
    """Serve the lab inside a running loop; *hook_url* is what its scheme asks."""
    settings = replace(
        scheme or SipuniScheme(), hook_url=hook_url, public_url=f"http://{host}:{port}"
    )
    # A PBX knows nothing of the proxies in our environment.
    async with httpx.AsyncClient(trust_env=False) as http:
        lab = SipuniLab(settings, http, pause=asyncio.sleep if paced else None)
        config = uvicorn.Config(create_sipuni_app(lab), host=host, port=port, log_level="warning")
        await uvicorn.Server(config).serve()
