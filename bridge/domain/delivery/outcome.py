"""How a call went, as text for managers in 1C and on the pages."""

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction, Outcome
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.texts import Language, format_duration, format_text


def unresolved_order_state(call: PhoneCall) -> OrderState | None:
    """Return REFUSED or UNKNOWN where that is all there is to know of an ordered call."""
    if call.order is None:
        return None
    if call.order.state is OrderState.REFUSED and not call.applied_events:
        return OrderState.REFUSED
    unknown = call.order.state is OrderState.UNKNOWN
    return OrderState.UNKNOWN if unknown and call.state.disposition is Disposition.UNKNOWN else None


def format_outcome_lines(call: PhoneCall, lang: Language) -> list[str]:
    """Return how the call went, once it is over; nothing where the PBX never reported it."""
    state = call.state
    if call.order is not None and state.disposition is not Disposition.ANSWERED:
        lines = _order_lines(call, call.order, lang)
        if lines:
            return lines
    if state.disposition is Disposition.UNKNOWN:
        return _unknown(call, lang)
    return _known_lines(call, lang) if state.disposition.is_over else []


def _known_lines(call: PhoneCall, lang: Language) -> list[str]:
    state = call.state
    parts = [format_outcome(call, lang)]
    if state.talk_time is not None:
        parts.append(format_text(lang, "call.talk", time=format_duration(lang, state.talk_time)))
    if state.wait_time is not None:
        parts.append(format_text(lang, "call.wait", time=format_duration(lang, state.wait_time)))
    lines = [format_text(lang, "call.outcome", words=", ".join(parts))]
    if len(state.talked_extensions) > 1:
        chain = " → ".join(
            format_telephone(call, extension) for extension in state.talked_extensions
        )
        lines.append(format_text(lang, "call.talked", who=chain))
    silent = [
        extension for extension in state.rung_extensions if extension not in state.talked_extensions
    ]
    if silent:
        rung = ", ".join(format_telephone(call, extension) for extension in silent)
        lines.append(format_text(lang, "call.rung", who=rung))
    if state.scheme:
        lines.append(format_text(lang, "call.scheme", name=state.scheme))
    if state.recording:
        lines.append(format_text(lang, "call.recording", address=state.recording))
    return lines


def _order_lines(call: PhoneCall, order: CallOrder, lang: Language) -> list[str]:
    """Return the lines of an order that became no call; nothing of one that did."""
    match unresolved_order_state(call):
        case OrderState.REFUSED:
            return [format_text(lang, "call.order_refused", words=order.reason)]
        case OrderState.UNKNOWN:
            return [format_text(lang, "call.order_unknown")]
    silent = call.state.disposition is Disposition.UNKNOWN
    return [format_text(lang, "call.order_silent")] if silent else []


def _unknown(call: PhoneCall, lang: Language) -> list[str]:
    """Return that the outcome of the call is unknown, where it is known to be over."""
    if call.state.ended_at is None:
        return []
    return [format_text(lang, "call.outcome", words=format_outcome(call, lang))]


def format_outcome(call: PhoneCall, lang: Language) -> str:
    """Return in a few words what became of a call: «ответил 205 Анна Петрова», «пропущен»."""
    state = call.state
    if state.disposition is Disposition.ANSWERED:
        if call.direction is Direction.OUTBOUND or not state.answered_by:
            return format_text(lang, "outcome.talked")
        if state.is_lost_in_transfer:
            return format_text(
                lang, "outcome.lost_in_transfer", who=format_telephone(call, state.answered_by)
            )
        return format_text(
            lang, "outcome.answered_by", who=format_telephone(call, state.answered_by)
        )
    fate = unresolved_order_state(call)
    if fate is not None:
        return format_text(lang, f"outcome.order_{fate}")
    text = format_text(lang, f"outcome.{state.disposition}")
    if state.outcome in (Outcome.BUSY, Outcome.FAILED):
        text += f" ({format_text(lang, f'outcome.{state.outcome}')})"
    return text


def format_telephone(call: PhoneCall, extension: str) -> str:
    """Return a telephone of the company by name: «205 Анна Петрова», or its extension alone."""
    return f"{extension} {call.target_of(extension).name}".strip()
