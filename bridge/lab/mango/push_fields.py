"""What stands in a push: events of legs, the summary, recordings, and how it is written.

docs/facts/mango.md, 'Call events' and 'Other pushes'.
"""

import json

from bridge.lab.mango.cabinet import MangoCabinet
from bridge.lab.mango.calls import LegPlace, LegState, MangoCall, MangoKind, MangoLeg, MangoParty
from bridge.lab.mango.switches import (
    CYRILLIC_INITIATORS,
    JsonStyle,
    LocationStyle,
    MangoSwitches,
    NumberStyle,
)

Fields = dict[str, object]


def leg_event(
    cabinet: MangoCabinet, switches: MangoSwitches, call: MangoCall, leg: MangoLeg, at: int
) -> Fields:
    """Return the fields of `events/call` for the state the leg is in."""
    event: Fields = {
        "entry_id": call.entry_id,
        "call_id": leg.call_id,
        "timestamp": at + switches.timestamp_shift_s,
        "seq": leg.seq,
        "call_state": leg.state.value,
        **_location(leg.place, switches),
        "from": _calling_side(switches, call, leg),
        "to": _called_side(cabinet, switches, call, leg),
        "dct": {"type": 0},
    }
    if leg.state is LegState.DISCONNECTED:
        event["disconnect_reason"] = leg.reason
    if leg.transfer and leg.transfer != "out":
        event["transfer"] = leg.transfer
    if leg.command_id:
        event["command_id"] = leg.command_id
    if call.plan.kind is MangoKind.CALLBACK:
        event |= _origin(switches, call)
    return _finished(event, call, switches, leg.seq)


def summary_event(cabinet: MangoCabinet, switches: MangoSwitches, call: MangoCall) -> Fields:
    """Return the fields of `events/summary`."""
    answered, kind, shift = call.answered_leg, call.plan.kind, switches.timestamp_shift_s
    outside = kind is MangoKind.INCOMING
    first = call.legs[0]
    caller = answered.caller if answered and not outside else first.caller
    if kind is MangoKind.CALLBACK:
        caller = MangoParty(call.plan.extension, cabinet.sip_user(call.plan.extension))
        callee: Fields = {"number": call.plan.number}
    else:
        callee = _side(answered.callee, switches) if answered else _missed_by(call, switches)
    lost_in_menu = outside and all(leg.place is LegPlace.MENU for leg in call.legs)
    contradicts = lost_in_menu and switches.menu_end_contradicts
    forwarded_at = call.began_at if answered or not outside else 0
    if contradicts:
        forwarded_at = call.ended_at
    event: Fields = {
        "entry_id": call.entry_id,
        "call_direction": kind.direction,
        "from": _side(caller, switches, hides=outside),
        "to": callee,
        "create_time": call.began_at + shift,
        "forward_time": forwarded_at and forwarded_at + shift,
        "talk_time": answered.connected_at + shift if answered else 0,
        "end_time": call.ended_at + shift,
        "entry_result": int(bool(answered) or contradicts),
        "disconnect_reason": call.legs[-1].reason,
    }
    if kind is not MangoKind.INTERNAL:
        event["line_number"] = _line(cabinet, switches, call)
    return _finished(event, call, switches, call.serial)


def recording_event(
    switches: MangoSwitches, call: MangoCall, leg: MangoLeg, state: str, *, seq: int, at: int
) -> Fields:
    """Return the fields of `events/recording`."""
    event: Fields = {
        "recording_id": leg.recording_id,
        "recording_state": state,
        "seq": seq,
        "entry_id": call.entry_id,
        "call_id": leg.call_id,
        "extension": leg.callee.extension or leg.caller.extension,
        "timestamp": at + switches.timestamp_shift_s,
        "recipient": "Cloud",
    }
    if state == "Completed":
        event["completion_code"] = 1000
    if leg.command_id:
        event["command_id"] = leg.command_id
    return _finished(event, call, switches, seq)


def recording_added(
    cabinet: MangoCabinet, switches: MangoSwitches, call: MangoCall, leg: MangoLeg, at: int
) -> Fields:
    """Return the fields of `events/record/added`: the recording can be fetched."""
    employee = cabinet.employee(leg.callee.extension or leg.caller.extension)
    event: Fields = {
        "entry_id": call.entry_id,
        "product_id": int(cabinet.product),
        "user_id": employee.user_id if employee else -1,
        "recording_id": leg.recording_id,
        "timestamp": at + switches.timestamp_shift_s,
    }
    return _finished(event, call, switches, call.serial)


def dtmf_event(switches: MangoSwitches, call: MangoCall, leg: MangoLeg, at: int) -> Fields:
    """Return the fields of `events/dtmf`: the whole input, not its keys."""
    number = "" if switches.hidden_callers else leg.caller.number
    event: Fields = {
        "seq": 1,
        "dtmf": call.plan.dtmf,
        "timestamp": at + switches.timestamp_shift_s,
        "call_id": leg.call_id,
        "entry_id": call.entry_id,
        "location": "ivr.1",
        "initiator": number,
        "from_number": number,
        "to_number": leg.callee.number,
        "line_number": call.line.number,
    }
    return _finished(event, call, switches, call.serial)


def result_event(switches: MangoSwitches, command_id: str, code: int) -> Fields:
    """Return the fields of `result/<command>`."""
    event: Fields = {"command_id": command_id, "result": code}
    return _wobbled(event, switches.numbers, is_odd=True)


def write_json(fields: Fields, style: JsonStyle) -> str:
    """Return the text of `json`, which is signed as it is."""
    if style is JsonStyle.COMPACT:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    if style is JsonStyle.SPACED:
        return json.dumps(fields, ensure_ascii=False)
    return json.dumps(fields, separators=(",", ":")).replace("/", r"\/")


def _calling_side(switches: MangoSwitches, call: MangoCall, leg: MangoLeg) -> Fields:
    side = _side(leg.caller, switches, hides=call.plan.kind is MangoKind.INCOMING)
    if leg.taken_from:
        side["taken_from_call_id"] = leg.taken_from
    return side


def _called_side(
    cabinet: MangoCabinet, switches: MangoSwitches, call: MangoCall, leg: MangoLeg
) -> Fields:
    side = _side(leg.callee, switches)
    is_left_out = switches.connected_without_line and leg.state is LegState.CONNECTED
    if call.plan.kind is not MangoKind.INTERNAL and not is_left_out:
        side["line_number"] = _line(cabinet, switches, call)
    if leg.group:
        side["acd_group"] = "" if switches.groups_without_number else leg.group
    if leg.state is LegState.ON_HOLD:
        side["hold_initiator"] = True
    if leg.state is LegState.DISCONNECTED and leg.transfer == "out":
        side["was_transferred"] = True
    return side


def _origin(switches: MangoSwitches, call: MangoCall) -> Fields:
    """Return who let the exchange call."""
    initiator = call.plan.initiator
    spelled = CYRILLIC_INITIATORS if switches.cyrillic_initiator else {}
    origin: Fields = {"callback_initiator": spelled.get(initiator, initiator)}
    if initiator in {"ObDial", "CallbackWidget", "MissGroupCallCallback"}:
        origin["task_id"] = call.serial
    return origin


def _line(cabinet: MangoCabinet, switches: MangoSwitches, call: MangoCall) -> str:
    is_sip = switches.sip_lines or bool(call.line.sip_name)
    return cabinet.sip_line(call.line) if is_sip else call.line.number


def _side(party: MangoParty, switches: MangoSwitches, *, hides: bool = False) -> Fields:
    side: Fields = {"extension": party.extension} if party.extension else {}
    if party.number and not (hides and switches.hidden_callers and not party.extension):
        side["number"] = party.number
    return side


def _missed_by(call: MangoCall, switches: MangoSwitches) -> Fields:
    """Return who missed the call first: an employee, a group by its number alone, or none."""
    for leg in call.legs:
        if leg.place is LegPlace.QUEUE:
            return {} if switches.groups_without_number else {"extension": leg.group}
        if leg.place is LegPlace.EMPLOYEE:
            return _side(leg.callee, switches)
    return {}


def _location(place: LegPlace, switches: MangoSwitches) -> Fields:
    if switches.location is LocationStyle.MISSING:
        return {}
    name = "locaton" if switches.location is LocationStyle.MISSPELT else "location"
    return {name: place.value}


def _finished(event: Fields, call: MangoCall, switches: MangoSwitches, number: int) -> Fields:
    if switches.sip_call_id:
        event["sip_call_id"] = f"{call.serial:08x}@vpbx"
    if switches.unknown_fields:
        event["future_field"] = {"nested": [1, None]}
    return _wobbled(event, switches.numbers, is_odd=number % 2 == 1)


def _wobbled(event: Fields, style: NumberStyle, *, is_odd: bool) -> Fields:
    if style is NumberStyle.DOCUMENTED:
        return event
    return {
        name: _wobbled(value, style, is_odd=is_odd)
        if isinstance(value, dict)
        else _wobbled_value(name, value, style, is_odd=is_odd)
        for name, value in event.items()
    }


def _wobbled_value(name: str, value: object, style: NumberStyle, *, is_odd: bool) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and (style is NumberStyle.TEXT or is_odd):
        return str(value)
    if style is NumberStyle.WOBBLING and is_odd and name in {"extension", "acd_group"}:
        return int(value) if isinstance(value, str) and value.isdecimal() else value
    return value
