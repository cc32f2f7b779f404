"""What a page that came instead of 1C's answer says to people: its telling sentences, in few words.

A page's title is often the name of a program; the sentence that says why stands in its body. So the
blocks of the body are quoted too, and those first in which a known cause is named.
"""

import re
from html import unescape
from typing import Final

from bridge.adapters.onec import schema

#: What a page may say at most; the rest of a long one is menus.
_MAX_PAGE: Final = 300

_LOOKED_AT: Final = 100_000  # characters of a page; more is no refusal
#: All patterns here are linear, and so is `_seen`: a page may be anybody's.
_HIDES: Final = re.compile(r"<!--|-->|<(/?)(script|style|noscript)\b[^<>]*>", re.IGNORECASE)
_TITLE: Final = re.compile(
    r"<title[^<>]*>([^<]{0,1000}(?:<(?!/title)[^<]{0,100}){0,5})</title>", re.IGNORECASE
)
_BLOCK: Final = re.compile(
    r"</?(?:p|div|h[1-6]|li|ul|ol|td|th|tr|table|br|hr|center|body|head|html|title|form|label|"
    r"section|article|header|footer|main|fieldset|legend|dl|dt|dd|pre|b)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[^<>]*>")
_PASSWORD: Final = re.compile(r"<input\b[^<>]*?\btype\s*=\s*[\"']?password", re.IGNORECASE)

#: Names of programs and bare announcements, folded: they tell nobody what is wrong.
_GENERIC: Final = frozenset(
    {"1с:предприятие", "1с:предприятие 8", "1c:enterprise", "1c:enterprise 8", "1с", "1c"}
    | {"ошибка", "ошибка!", "error", "error!", "внимание", "внимание!", "server error", "document"}
    | {"1с:предприятие 8.3", "1c:enterprise 8.3", "1с:предприятие. ошибка", "untitled"}
)


def page_message(text: str) -> str:
    """Return what the page *text* says: named causes first, then its title, then its body."""
    seen = _seen(text[:_LOOKED_AT])
    folded = seen.casefold()
    for reason in schema.REASON_PHRASES:
        if (at := folded.find(reason)) >= 0:
            return one_line_text(seen[at + len(reason) :])[:_MAX_PAGE]
    title = _TITLE.search(seen)
    blocks = [one_line_text(title[1])] if title else []
    blocks += [one_line_text(block) for block in _BLOCK.split(_TITLE.sub(" ", seen))]
    told: list[str] = []
    for block in sorted(blocks, key=lambda block: not names_a_cause(block)):
        if block.casefold().strip(" .!") in _GENERIC or not block:
            continue
        if not any(block.casefold() in other.casefold() for other in told):
            told.append(block)
        if sum(map(len, told)) >= _MAX_PAGE:
            break
    return "; ".join(told or [block for block in blocks if block][:1])[:_MAX_PAGE]


def names_a_cause(text: str) -> bool:
    """Return whether *text* names a cause that decides what the answer means."""
    folded = text.casefold()
    return any(word in folded for words in schema.CAUSE_PHRASES for word in words)


def has_password_field(text: str) -> bool:
    """Return whether the page *text* is one to sign in at."""
    return _PASSWORD.search(text[:_LOOKED_AT]) is not None


def one_line_text(text: str) -> str:
    """Return *text* in one line without tags, references to characters and control characters."""
    bare = unescape(_TAG.sub(" ", _seen(text)))
    return " ".join("".join(c if c.isprintable() else " " for c in bare).split())


def _seen(text: str) -> str:
    """Return *text* without comments and scripts."""
    shown, end, hidden = [], 0, ""
    for sign in _HIDES.finditer(text):
        name = (sign[2] or "").casefold() or "comment"
        closes = sign[0] == "-->" or bool(sign[1])
        if not hidden and not closes:
            shown.append(text[end : sign.start()])
            hidden = name
        elif hidden == name and closes:
            hidden, end = "", sign.end()
    return " ".join([*shown, "" if hidden else text[end:]]) if shown else text
