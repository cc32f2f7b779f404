"""The message of a page that came instead of 1C's answer: the sentences with the reason.

A page's title is often the name of a program; the sentence with the reason is in its body. So the
blocks of the body are quoted too, and those first in which a known cause is named.
"""

import re
from html import unescape
from typing import Final

from bridge.adapters.onec import schema

#: The longest message of a page; the rest of a long one is menus.
_MAX_MESSAGE: Final = 300

#: How many characters of a page are searched; a longer page is no refusal.
_MAX_SEARCHED: Final = 100_000

#: All patterns here are linear, and so is `_visible`: a page may be of any origin.
_HIDING_TAG: Final = re.compile(r"<!--|-->|<(/?)(script|style|noscript)\b[^<>]*>", re.IGNORECASE)
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

#: Names of programs and bare headings, folded: they hold no reason.
_GENERIC: Final = frozenset(
    {"1с:предприятие", "1с:предприятие 8", "1c:enterprise", "1c:enterprise 8", "1с", "1c"}
    | {"ошибка", "ошибка!", "error", "error!", "внимание", "внимание!", "server error", "document"}
    | {"1с:предприятие 8.3", "1c:enterprise 8.3", "1с:предприятие. ошибка", "untitled"}
)


def page_message(text: str) -> str:
    """Return the message of the page *text*: named causes first, then its title, then its body."""
    visible = _visible(text[:_MAX_SEARCHED])
    folded = visible.casefold()
    for reason in schema.REASON_PHRASES:
        if (at := folded.find(reason)) >= 0:
            return one_line_text(visible[at + len(reason) :])[:_MAX_MESSAGE]
    title = _TITLE.search(visible)
    blocks = [one_line_text(title[1])] if title else []
    blocks += [one_line_text(block) for block in _BLOCK.split(_TITLE.sub(" ", visible))]
    quoted: list[str] = []
    for block in sorted(blocks, key=lambda block: not names_a_cause(block)):
        if block.casefold().strip(" .!") in _GENERIC or not block:
            continue
        if not any(block.casefold() in other.casefold() for other in quoted):
            quoted.append(block)
        if sum(map(len, quoted)) >= _MAX_MESSAGE:
            break
    return "; ".join(quoted or [block for block in blocks if block][:1])[:_MAX_MESSAGE]


def names_a_cause(text: str) -> bool:
    """Return whether *text* names a cause that decides what the answer means."""
    folded = text.casefold()
    return any(phrase in folded for phrases in schema.CAUSE_PHRASES for phrase in phrases)


def has_password_field(text: str) -> bool:
    """Return whether the page *text* asks for a password."""
    return _PASSWORD.search(text[:_MAX_SEARCHED]) is not None


def one_line_text(text: str) -> str:
    """Return *text* in one line without tags, references to characters and control characters."""
    bare = unescape(_TAG.sub(" ", _visible(text)))
    return " ".join("".join(c if c.isprintable() else " " for c in bare).split())


def _visible(text: str) -> str:
    """Return *text* without comments and scripts."""
    shown, end, hidden = [], 0, ""
    for tag in _HIDING_TAG.finditer(text):
        name = (tag[2] or "").casefold() or "comment"
        closes = tag[0] == "-->" or bool(tag[1])
        if not hidden and not closes:
            shown.append(text[end : tag.start()])
            hidden = name
        elif hidden == name and closes:
            hidden, end = "", tag.end()
    return " ".join([*shown, "" if hidden else text[end:]]) if shown else text
