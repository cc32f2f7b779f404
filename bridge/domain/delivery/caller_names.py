"""How a caller is named in documents, reminders and pages."""

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.texts import Language, format_text
from bridge.domain.directory.caller_card import Candidate
from bridge.domain.phone.callers import CallerKind
from bridge.domain.phone.formatting import format_phone

MAX_HOW_TO_REACH = 100

MAX_REMINDER = 255


def reminder_text(call: PhoneCall, lang: Language, key: str, **more: str) -> str:
    """Return the text *key* about the caller, at most 255 characters; the number stays whole."""
    name = _known_name(call) or format_text(lang, "caller.stranger")
    more["number"] = how_to_reach(call, lang)
    space = max(0, MAX_REMINDER - len(format_text(lang, key, name="", **more)))
    return format_text(lang, key, name=name[:space], **more)[:MAX_REMINDER]


def caller_name(call: PhoneCall, lang: Language) -> str:
    """Return the caller as people read it: «Иванов Пётр (ООО Ромашка)», or the number."""
    if call.caller.kind is CallerKind.INTERNAL:
        return format_text(lang, "caller.internal", number=call.caller.extension or call.caller.raw)
    return _known_name(call) or format_text(lang, "caller.unknown", number=how_to_reach(call, lang))


def candidate_name(candidate: Candidate) -> str:
    """Return one owner of a number by name: the person with the partner in brackets.

    Empty only where 1C has no name for either: imports leave such objects behind.
    """
    name = candidate.name.strip()
    partner = candidate.partner
    if partner is None or partner.partner == candidate.ref:
        return name
    company = partner.name.strip()
    if not name or not company or name == company:
        return name or company
    return f"{name} ({company})"


def how_to_reach(call: PhoneCall, lang: Language) -> str:
    """Return the caller's number as 1C writes numbers; never empty, at most 100 characters."""
    caller = call.caller
    if caller.number is not None:
        return format_phone(caller.number)
    if caller.kind is CallerKind.WITHHELD or not caller.raw.strip():
        return format_text(lang, "caller.withheld")
    return caller.raw.strip()[:MAX_HOW_TO_REACH]


def _known_name(call: PhoneCall) -> str:
    candidate = call.decision.candidate
    return "" if candidate is None else candidate_name(candidate)
