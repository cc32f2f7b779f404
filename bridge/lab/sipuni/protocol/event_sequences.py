"""The whole series of events that one call leaves, first as it was, then as a cabinet shows it.

The order of events comes from published captures and, where the docstring says so, from public
code alone.
"""

from dataclasses import replace

from bridge.lab.sipuni.protocol.events import (
    CallHeader,
    ScriptedEvent,
    apply_switches_to_event,
    did_leg,
    extension_leg,
    final_event,
    hangup_of_leg,
    outside_leg,
)
from bridge.lab.sipuni.switches import CabinetSwitches, PlannedOutcome

GREETING_S = 1  # the greeting rings nobody; an employee's leg starts after it

EventSequence = tuple[ScriptedEvent, ...]


def unreachable_sequence(line: CallHeader, extension: str) -> EventSequence:
    """Script an incoming call that found nobody's telephone registered."""
    return did_leg(line), final_event(
        line, line.started + GREETING_S, "CHANUNAVAIL", 0, last_called=extension
    )


def incoming_sequence(
    line: CallHeader,
    outcome: PlannedOutcome,
    extension: str,
    *,
    ring_s: int,
    talk_s: int,
    others: tuple[str, ...] = (),
    separator: str = ",",
) -> EventSequence:
    """Script an incoming call that rings *extension* first.

    *others* are the rest of a ring group, or the colleague who takes a transfer. The order of
    events within a group ring and a transfer is inferred from public code, not captured.
    """
    rings, answers = line.started + GREETING_S, line.started + GREETING_S + ring_s
    opening = (did_leg(line), extension_leg(line, "1", rings, extension))
    if not outcome.is_answered:
        return *opening, final_event(line, answers, outcome.status, 0, extension)
    answer, ends = extension_leg(line, "3", answers, extension), answers + talk_s
    if outcome is PlannedOutcome.GROUP_RING:
        rung = separator.join((extension, *others))
        return (
            *opening,
            *(extension_leg(line, "1", rings, other) for other in others),
            answer,
            *(hangup_of_leg(line, answers, other, "NOANSWER", 0) for other in others),
            final_event(line, ends, "ANSWER", answers, rung),
        )
    if outcome is PlannedOutcome.TRANSFER and others:
        moved = answers + talk_s // 2
        return (
            *opening,
            answer,
            extension_leg(line, "1", moved, others[0]),
            hangup_of_leg(line, moved, extension, "ANSWER", answers, transfers=True),
            extension_leg(line, "3", moved + GREETING_S, others[0]),
            final_event(line, ends, "ANSWER", answers, others[0], transfer_from=extension),
        )
    return *opening, answer, final_event(line, ends, "ANSWER", answers, extension)


def ordered_sequence(
    line: CallHeader, outcome: PlannedOutcome, extension: str, *, ring_s: int, talk_s: int
) -> EventSequence:
    """EventSequence a call between an employee and an outside number, ordered through the API."""
    answers = line.started + ring_s
    opening = did_leg(line)
    if not outcome.is_answered:
        return opening, final_event(line, answers, outcome.status, 0, extension)
    return (
        opening,
        outside_leg(line, "3", answers),
        final_event(line, answers + talk_s, "ANSWER", answers, extension),
    )


def external_sequence(
    line: CallHeader, outcome: PlannedOutcome, *, ring_s: int, talk_s: int
) -> EventSequence:
    """Script a call between two outside numbers.

    Event 1 comes only when the second party is dialled, 8-13 s after the time in the call id; a
    first party who hangs up before that leaves no event at all; and the answer time is always
    wrong, also when nobody answered (all captured).
    """
    if outcome is PlannedOutcome.GIVES_UP:
        return ()
    second_leg = line.started + 10
    answers = second_leg + ring_s
    opening = outside_leg(line, "1", second_leg)
    if not outcome.is_answered:
        return opening, final_event(line, answers, outcome.status, line.started, "")
    return (
        opening,
        outside_leg(line, "3", answers),
        final_event(line, answers + talk_s, "ANSWER", line.started, ""),
    )


def apply_switches(script: EventSequence, switches: CabinetSwitches) -> EventSequence:
    """Show *script* as a cabinet with these *switches* would push it."""
    bent = [apply_switches_to_event(event, switches) for event in script]
    if bent and switches.unknown_event:
        bent.insert(1, bent[0].with_params(event=switches.unknown_event))
    if bent and switches.dup_event1:
        first = bent[0]
        bent.insert(1, replace(first.with_params(timestamp=str(first.at + 1)), at=first.at + 1))
    if switches.drop_event2:
        bent = [event for event in bent if event.code != "2"]
    return tuple(bent)
