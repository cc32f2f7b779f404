"""All events of one call: first as they were, then as a cabinet with its switches pushes them.

The order of events comes from published captures and, where the docstring names it, from public
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

GREETING_S = 1  # the greeting rings no telephone; an employee's leg starts after it

EventSequence = tuple[ScriptedEvent, ...]


def unreachable_sequence(header: CallHeader, extension: str) -> EventSequence:
    """Return the events of an incoming call that found no registered telephone."""
    return did_leg(header), final_event(
        header, header.started + GREETING_S, "CHANUNAVAIL", 0, last_called=extension
    )


def incoming_sequence(
    header: CallHeader,
    outcome: PlannedOutcome,
    extension: str,
    *,
    ring_s: int,
    talk_s: int,
    others: tuple[str, ...] = (),
    separator: str = ",",
) -> EventSequence:
    """Return the events of an incoming call that rings *extension* first.

    *others* are the rest of a ring group, or the colleague who takes a transfer. The order of
    events within a group ring and a transfer is inferred from public code, not captured.
    """
    rings_at, answers_at = header.started + GREETING_S, header.started + GREETING_S + ring_s
    opening = (did_leg(header), extension_leg(header, "1", rings_at, extension))
    if not outcome.is_answered:
        return *opening, final_event(header, answers_at, outcome.status, 0, extension)
    answer, ends_at = extension_leg(header, "3", answers_at, extension), answers_at + talk_s
    if outcome is PlannedOutcome.GROUP_RING:
        rung = separator.join((extension, *others))
        return (
            *opening,
            *(extension_leg(header, "1", rings_at, other) for other in others),
            answer,
            *(hangup_of_leg(header, answers_at, other, "NOANSWER", 0) for other in others),
            final_event(header, ends_at, "ANSWER", answers_at, rung),
        )
    if outcome is PlannedOutcome.TRANSFER and others:
        moves_at = answers_at + talk_s // 2
        return (
            *opening,
            answer,
            extension_leg(header, "1", moves_at, others[0]),
            hangup_of_leg(header, moves_at, extension, "ANSWER", answers_at, transfers=True),
            extension_leg(header, "3", moves_at + GREETING_S, others[0]),
            final_event(header, ends_at, "ANSWER", answers_at, others[0], transfer_from=extension),
        )
    return *opening, answer, final_event(header, ends_at, "ANSWER", answers_at, extension)


def ordered_sequence(
    header: CallHeader, outcome: PlannedOutcome, extension: str, *, ring_s: int, talk_s: int
) -> EventSequence:
    """Return the events of a call of an employee with an outside number, ordered by the API."""
    answers_at = header.started + ring_s
    opening = did_leg(header)
    if not outcome.is_answered:
        return opening, final_event(header, answers_at, outcome.status, 0, extension)
    return (
        opening,
        outside_leg(header, "3", answers_at),
        final_event(header, answers_at + talk_s, "ANSWER", answers_at, extension),
    )


def external_sequence(
    header: CallHeader, outcome: PlannedOutcome, *, ring_s: int, talk_s: int
) -> EventSequence:
    """Return the events of a call between two outside numbers.

    Event 1 comes only when the second party is dialled, 8-13 s after the time in the call id; a
    first party who hangs up before that leaves no event at all; and the answer time is always
    wrong, also when unanswered (all captured).
    """
    if outcome is PlannedOutcome.GIVES_UP:
        return ()
    second_leg = header.started + 10
    answers_at = second_leg + ring_s
    opening = outside_leg(header, "1", second_leg)
    if not outcome.is_answered:
        return opening, final_event(header, answers_at, outcome.status, header.started, "")
    return (
        opening,
        outside_leg(header, "3", answers_at),
        final_event(header, answers_at + talk_s, "ANSWER", header.started, ""),
    )


def apply_switches(sequence: EventSequence, switches: CabinetSwitches) -> EventSequence:
    """Return *sequence* as a cabinet with these *switches* pushes it."""
    changed = [apply_switches_to_event(event, switches) for event in sequence]
    if changed and switches.unknown_event:
        changed.insert(1, changed[0].with_params(event=switches.unknown_event))
    if changed and switches.dup_event1:
        first = changed[0]
        changed.insert(1, replace(first.with_params(timestamp=str(first.at + 1)), at=first.at + 1))
    if switches.drop_event2:
        changed = [event for event in changed if event.code != "2"]
    return tuple(changed)
