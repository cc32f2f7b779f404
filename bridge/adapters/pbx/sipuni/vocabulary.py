"""Values of Sipuni's fields that have a closed vocabulary, in every spelling that was seen.

A value that is not here is not guessed at: its meaning stays unknown.
"""

import re
from typing import Final

from bridge.domain.calls.events import EventKind, Outcome

_KINDS: Final = {
    EventKind.STARTED: ("1", "start", "started", "callstart", "ring", "ringing", "новый", "начало"),
    EventKind.ENDED: ("2", "end", "ended", "finish", "finished", "hangup", "callend", "конец"),
    EventKind.ANSWERED: ("3", "answer", "answered", "callanswer", "pickup", "ответ"),
    EventKind.LEG_ENDED: ("4", "legend", "legended", "secondaryhangup"),
}

#: Codes of the vendor's own forwarder, which do not change a call's state.
_IGNORED_CODES: Final = frozenset({"5", "6", "7", "8", "9"})

#: Asterisk's DIALSTATUS values, and their translations.
_OUTCOMES: Final = {
    Outcome.ANSWERED: (
        "answer",
        "answered",
        "answeredcall",
        "talked",
        "success",
        "successful",
        "completed",
        "отвечен",
        "отвечено",
        "отвеченный",
        "ответ",
        "принят",
        "принято",
        "успешно",
        "разговор",
        "разговорсостоялся",
    ),
    Outcome.NO_ANSWER: (
        "noanswer",
        "noanswered",
        "notanswered",
        "unanswered",
        "noreply",
        "missed",
        "timeout",
        "неотвечен",
        "неотвечено",
        "неотвеченный",
        "нетответа",
        "безответа",
        "пропущен",
        "пропущено",
        "пропущенный",
        "непринят",
        "непринято",
    ),
    Outcome.BUSY: ("busy", "userbusy", "занят", "занято"),
    Outcome.CANCELLED: (
        "cancel",
        "cancelled",
        "canceled",
        "abandon",
        "abandoned",
        "отмена",
        "отменен",
        "отменено",
        "сброшен",
        "сброшено",
    ),
    Outcome.FAILED: (
        "congestion",
        "chanunavail",
        "unavailable",
        "failed",
        "failure",
        "error",
        "недоступен",
        "недоступно",
        "ошибка",
        "перегрузка",
    ),
}

_OUTSIDE: Final = frozenset({"1", "external", "outside", "outer", "trunk", "внешний"})
_INSIDE: Final = frozenset({"2", "internal", "inside", "inner", "extension", "внутренний"})

_BETWEEN: Final = re.compile(r"[\W_]+")
_POINT_ZERO: Final = re.compile(r"0*([0-9]+)(?:\.0+)?")

_KIND_OF: Final = {value: kind for kind, values in _KINDS.items() for value in values}
_OUTCOME_OF: Final = {value: outcome for outcome, values in _OUTCOMES.items() for value in values}


def read_kind(text: str) -> EventKind:
    """Return the kind of an event's code, UNKNOWN where it is none of the documented ones."""
    return _KIND_OF.get(_normalized(text), EventKind.UNKNOWN)


def is_ignored_code(text: str) -> bool:
    """Return whether an event's code is one that does not change a call's state."""
    return _normalized(text) in _IGNORED_CODES


def read_outcome(text: str) -> Outcome | None:
    """Return how a call ended by the value of `status`, None where it is not known."""
    return _OUTCOME_OF.get(_normalized(text))


def read_outside_flag(text: str) -> bool | None:
    """Return whether a party's type means outside, None where it is neither."""
    value = _normalized(text)
    return True if value in _OUTSIDE else False if value in _INSIDE else None


def _normalized(text: str) -> str:
    """Return *text* as the tables spell it: "NO ANSWER", "no_answer" and "NoAnswer" are one."""
    number = _POINT_ZERO.fullmatch(text.strip())
    if number is not None:
        return number[1]
    return _BETWEEN.sub("", text).casefold().replace("ё", "е")
