"""The simulated PBX: it asks the bridge where a call goes, follows the answer and pushes events.

CallPlan -> question per node -> extension or default queue -> event sequence -> CallReport
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from zoneinfo import ZoneInfo

import httpx

from bridge.lab.sipuni.cabinet import Cabinet
from bridge.lab.sipuni.calls import (
    AskedQuestion,
    CallPlan,
    CallReport,
    LabCall,
    OrderedPlayback,
    Pause,
    WaitsForOrder,
)
from bridge.lab.sipuni.protocol.event_forms import spell_params
from bridge.lab.sipuni.protocol.event_sequences import (
    apply_switches,
    external_sequence,
    incoming_sequence,
    ordered_sequence,
    unreachable_sequence,
)
from bridge.lab.sipuni.protocol.events import (
    CallHeader,
    ScriptedEvent,
    apply_switches_to_event,
    did_leg,
    final_event,
)
from bridge.lab.sipuni.protocol.history import HistoryRow
from bridge.lab.sipuni.protocol.routing_question import event_number, question_query
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches, PlannedOutcome


class SipuniLab(Cabinet):
    """The PBX of one cabinet: calls come in, questions and events go out.

    Seconds are virtual: the events of a call are pushed at once and their timestamps run ahead of
    the clock, unless *pause* is given, which is then awaited between events. *sleep* is awaited
    where an answer of the API is late.
    """

    def __init__(
        self,
        scheme: SipuniScheme,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
        switches: CabinetSwitches | None = None,
        pause: Pause | None = None,
        sleep: Pause = asyncio.sleep,
    ) -> None:
        super().__init__(scheme, http, clock=clock, stopwatch=stopwatch, switches=switches)
        self.calls: list[LabCall] = []
        #: Rows of the statistics that belong to scenarios and not to calls of the lab itself.
        self.extra_history: list[HistoryRow] = []
        #: Scenarios that wait for the order they begin with.
        self.waiting_scenarios: list[WaitsForOrder] = []
        self.pause = pause
        self.sleep = sleep
        self._running: set[asyncio.Task[None]] = set()

    def history_rows(self) -> list[HistoryRow]:
        """Return the statistics: every call that is over, also one whose final event was lost."""
        return [*(call.history_row for call in self.calls if call.is_over), *self.extra_history]

    def run_in_background(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Start *work* in a task of its own; `wait_until_idle` waits for it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def wait_until_idle(self) -> None:
        """Wait until the events of every ordered call have been pushed."""
        while self._running:
            await asyncio.gather(*self._running)

    async def place_call(self, plan: CallPlan) -> CallReport:
        """Place the planned call and return the report of what its caller met.

        Never raises for anything the bridge does: it stands in the report.
        """
        switches = plan.switches or self._switches
        arrived = self._clock()
        source = event_number(plan.caller, switches.caller)
        call = self._begin("Входящий", source, plan.did, switches, arrived=int(arrived))
        pushed = 0
        if switches.event_before_answer:
            await self._push(call, apply_switches_to_event(did_leg(call.header), switches))
            pushed = 1
        questions, routed = await self._ask_nodes(plan, switches, arrived)
        problems = [f"node {one.label!r}: {one.problem}" for one in questions if one.problem]
        extension, unreachable = self.scheme.find_ringing_extension(routed, switches.offline_ext)
        problems += unreachable
        call.extension = extension or ""
        call.rung_extensions = (extension,) if extension else ()
        if extension is None:
            sequence = unreachable_sequence(call.header, self.scheme.default_extension)
        else:
            others = tuple(one for one in self.scheme.group if one != extension)
            sequence = incoming_sequence(
                call.header,
                plan.outcome,
                extension,
                ring_s=plan.ring_s,
                talk_s=plan.talk_s,
                others=others[:1] if plan.outcome is PlannedOutcome.TRANSFER else others,
                separator=switches.last_called_separator,
            )
        call.plan_events(sequence, skip=pushed)
        await self.push_events(call)
        problems += [f"event {one.event}: {one.problem}" for one in call.pushes if one.problem]
        call.report = CallReport(
            call_id=call.header.call_id,
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

    def take_waiting_scenario(self, phone: str, extension: str) -> OrderedPlayback | None:
        """Return the first waiting scenario that begins with the order of this call, if any."""
        for waiting in self.waiting_scenarios:
            playback = waiting.start_for_order(phone, extension)
            if playback is not None:
                self.waiting_scenarios.remove(waiting)
                return playback
        return None

    def order_call(
        self, extension: str, phone: str, *, tree: str = "", client_first: bool = False
    ) -> LabCall:
        """Accept an order to connect *extension* with *phone*; an offline softphone is no error.

        *client_first* is `reverse` 1: the phone is called before the extension.
        """
        swapped = client_first and self._switches.reverse_swaps_parties
        source, destination = (phone, extension) if swapped else (extension, phone)
        call = self._begin(
            "Исходящий",
            source,
            destination,
            self._switches,
            inner=not swapped,
            to_inner=swapped,
            ordered=True,
            tree=tree,
        )
        call.extension, call.rung_extensions = extension, (extension,)
        if extension not in self._switches.offline_ext and self.scheme.has_extension(extension):
            sequence = ordered_sequence(
                call.header, self._switches.originated, extension, ring_s=12, talk_s=60
            )
            call.plan_events(sequence)
        return call

    def order_external(self, phone_from: str, phone_to: str) -> LabCall:
        """Accept an order to connect two outside numbers."""
        call = self._begin("Исходящий", phone_from, phone_to, self._switches, ordered=True)
        sequence = external_sequence(call.header, self._switches.originated, ring_s=12, talk_s=60)
        call.plan_events(sequence)
        return call

    async def push_events(self, call: LabCall, *, only_first: bool = False) -> None:
        """Push the call's pending events, or only the first of them."""
        at = call.header.started
        while call.pending_events:
            event = call.pending_events.pop(0)
            if self.pause is not None and not only_first:
                await self.pause(max(0, event.at - at))
                if call.is_closed:
                    return
            at = event.at
            await self._push(call, event)
            if only_first:
                return
        call.is_over = True
        call.is_closed = call.is_closed or not call.switches.drop_event2

    async def hang_up(self, call_id: str) -> bool:
        """End an active call, pushing its final event; return whether there was one."""
        call = next((one for one in self.calls if one.header.call_id == call_id), None)
        return call is not None and await self._end_now(call)

    async def cancel(self, callback_id: str) -> bool:
        """Cancel an order whose call is not over; return whether there was one."""
        ordered = (one for one in self.calls if one.header.callback_id == callback_id)
        call = next(ordered, None)
        return bool(callback_id) and call is not None and await self._end_now(call)

    async def _end_now(self, call: LabCall) -> bool:
        if call.is_closed:
            return False
        call.is_closed = call.is_over = True
        call.pending_events.clear()
        answered = [int(one.param("timestamp")) for one in self._sent(call) if one.code == "3"]
        call.ends_at = self.unix_time()
        status = "ANSWER" if answered else "NOANSWER"
        talked = ((call.extension, max(0, call.ends_at - answered[0])),) if answered else ()
        call.talks = talked
        final = final_event(
            call.header, call.ends_at, status, answered[0] if answered else 0, call.extension
        )
        for event in apply_switches(
            (final,), replace(call.switches, unknown_event="", dup_event1=False)
        ):
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
        switches: CabinetSwitches,
        *,
        arrived: int | None = None,
        inner: bool = False,
        to_inner: bool = False,
        ordered: bool = False,
        tree: str = "",
    ) -> LabCall:
        started = self.unix_time() if arrived is None else arrived
        call_id = f"{started}.{self.reserve_serials(1) + 1}"
        shifted = call_id[:-1] + str((int(call_id[-1]) + 1) % 10)
        record_id = shifted if switches.record_id_shift else call_id
        order = hashlib.md5(f"callback {call_id}".encode(), usedforsecurity=False).hexdigest()
        header = CallHeader(
            call_id=call_id,
            started=started,
            source=source,
            destination=destination,
            cabinet=self.scheme.cabinet,
            tree_name="Исходящая" if ordered else "Входящая",
            tree_number=tree or self.scheme.scheme_number,
            record_link=self.recording_link(record_id),
            source_inner=inner,
            destination_inner=to_inner,
            destination_plus=inner,
            callback_id=order if ordered else "",
        )
        extension = source if inner else ""
        call = LabCall(header, record_id, kind, extension, [], switches, ends_at=started)
        self.calls.append(call)
        return call

    async def _ask_nodes(
        self, plan: CallPlan, switches: CabinetSwitches, arrived: float
    ) -> tuple[list[AskedQuestion], str | None]:
        """Ask node by node until one of them answers with an extension."""
        questions: list[AskedQuestion] = []
        for node in self.scheme.nodes_of(plan.did):
            query = question_query(
                caller=plan.caller,
                did=plan.did,
                dtmf=plan.dtmf,
                label=node.label,
                arrived=arrived,
                zone=ZoneInfo(self.scheme.zone),
                switches=switches,
            )
            questions.append(await self.bridge_client.ask(node, query))
            if questions[-1].extension is not None:
                return questions, questions[-1].extension
        return questions, None

    async def _push(self, call: LabCall, event: ScriptedEvent) -> None:
        post = call.switches.post_instead_of_get
        sent = spell_params(event.params, call.switches)
        pushes = await self.push(event.code, sent, post=post, form=call.switches.body_form)
        # Kept by the vendor's names, because `_end_now` reads the events that were sent.
        call.pushes += [replace(push, params=event.params) for push in pushes]
