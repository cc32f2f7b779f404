"""How a call went, told in the words a manager reads in 1C and on the pages."""

from bridge.domain.call_events import Direction, Outcome
from bridge.domain.calls import PhoneCall
from bridge.domain.life import Disposition
from bridge.domain.orders import CallOrder, OrderState
from bridge.domain.texts import Language, say, say_duration


def fate_of(call: PhoneCall) -> OrderState | None:
    """Return REFUSED or UNKNOWN where that is all there is to know of an ordered call."""
    if call.order is None:
        return None
    if call.order.state is OrderState.REFUSED and not call.heard:
        return OrderState.REFUSED
    unknown = call.order.state is OrderState.UNKNOWN
    return OrderState.UNKNOWN if unknown and call.life.disposition is Disposition.UNKNOWN else None


def outcome_lines(call: PhoneCall, lang: Language) -> list[str]:
    """Say how the call went, once it is over; nothing of a call nobody told about."""
    life = call.life
    if call.order is not None and life.disposition is not Disposition.ANSWERED:
        lines = _order_lines(call, call.order, lang)
        if lines:
            return lines
    if life.disposition is Disposition.UNKNOWN:
        return _unknown(call, lang)
    return _known_lines(call, lang) if life.disposition.is_over else []


def _known_lines(call: PhoneCall, lang: Language) -> list[str]:
    life = call.life
    words = [say_outcome(call, lang)]
    if life.talk is not None:
        words.append(say(lang, "call.talk", time=say_duration(lang, life.talk)))
    if life.wait is not None:
        words.append(say(lang, "call.wait", time=say_duration(lang, life.wait)))
    lines = [say(lang, "call.outcome", words=", ".join(words))]
    if len(life.talked) > 1:
        chain = " → ".join(who(call, extension) for extension in life.talked)
        lines.append(say(lang, "call.talked", who=chain))
    silent = [extension for extension in life.rung if extension not in life.talked]
    if silent:
        rung = ", ".join(who(call, extension) for extension in silent)
        lines.append(say(lang, "call.rung", who=rung))
    if life.scheme:
        lines.append(say(lang, "call.scheme", name=life.scheme))
    if life.recording:
        lines.append(say(lang, "call.recording", address=life.recording))
    return lines


def _order_lines(call: PhoneCall, order: CallOrder, lang: Language) -> list[str]:
    """Return what is to say of an order that became no call; nothing of one that did."""
    match fate_of(call):
        case OrderState.REFUSED:
            return [say(lang, "call.order_refused", words=order.words)]
        case OrderState.UNKNOWN:
            return [say(lang, "call.order_unknown")]
    silent = call.life.disposition is Disposition.UNKNOWN
    return [say(lang, "call.order_silent")] if silent else []


def _unknown(call: PhoneCall, lang: Language) -> list[str]:
    """Return that nobody knows how the call ended, where it is known to be over."""
    if call.life.ended_at is None:
        return []
    return [say(lang, "call.outcome", words=say_outcome(call, lang))]


def say_outcome(call: PhoneCall, lang: Language) -> str:
    """Say in a few words what became of a call: «ответил 205 Анна Петрова», «пропущен»."""
    life = call.life
    if life.disposition is Disposition.ANSWERED:
        if call.direction is Direction.OUTBOUND or not life.answered_by:
            return say(lang, "outcome.talked")
        if life.lost_in_transfer:
            return say(lang, "outcome.lost_in_transfer", who=who(call, life.answered_by))
        return say(lang, "outcome.answered_by", who=who(call, life.answered_by))
    fate = fate_of(call)
    if fate is not None:
        return say(lang, f"outcome.order_{fate}")
    words = say(lang, f"outcome.{life.disposition}")
    if life.outcome in (Outcome.BUSY, Outcome.FAILED):
        words += f" ({say(lang, f'outcome.{life.outcome}')})"
    return words


def who(call: PhoneCall, extension: str) -> str:
    """Name a telephone of the company: «205 Анна Петрова», or its extension alone."""
    return f"{extension} {call.person(extension).name}".strip()
