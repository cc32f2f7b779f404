"""Our text among a manager's: the text we wrote into a document is replaced, the notes stay.

Managers type into Описание while they talk, above, below and between our lines.
"""

import re
from collections.abc import Sequence

_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def merge_text(present: str, ours_before: str, ours_now: str) -> str:
    r"""Return *present* with *ours_now* in the place of *ours_before*.

    No line is lost but our own. Where a manager only put lines between ours, ours are taken out
    from between them; where some of ours were edited or deleted, the whole of *ours_now* is
    appended, and it is what will be replaced the next time. Merging twice is merging once; when
    nothing is to be done *present* comes back as it is, otherwise its line ends are ``\n``.
    """
    was = _LINE_ENDS.split(present)
    old, new = _block(ours_before), _block(ours_now)
    lines = _merged(was, old, new)
    return present if lines == was else "\n".join(lines)


def find_written_text(present: str, texts: Sequence[str]) -> str:
    """Return the one of *texts*, all ours, that stands in *present*: of several the longest.

    Where none stands whole, the first of them: it is the one we know was there.
    """
    lines = _LINE_ENDS.split(present)
    whole = [text for text in texts if _places(lines, _block(text)) is not None]
    return max(whole, key=lambda text: len(_block(text)), default=texts[0] if texts else "")


def subject_change(present: str, ours_before: str, ours_now: str) -> str | None:
    """Return the new subject; None where a manager changed it, or it is right already."""
    if _one_line(present) != _one_line(ours_before):
        return None
    return None if _one_line(present) == _one_line(ours_now) else ours_now


def _merged(lines: list[str], old: list[str], new: list[str]) -> list[str]:
    if old != new and _find(old, new) is not None:
        # Ours became shorter: finding the new text proves nothing while the old one is there.
        while (shorter := _replaced(lines, old, new)) is not None:
            lines = shorter
        return lines if _find(lines, new) is not None else _merged(_added(lines, new), old, new)
    if _find(lines, new) is not None:
        return lines
    replaced = _replaced(lines, old, new)
    return _added(lines, new) if replaced is None else replaced


def _replaced(lines: list[str], old: list[str], new: list[str]) -> list[str] | None:
    """Return *lines* with *new* where *old* is; None when a manager changed it."""
    places = _places(lines, old)
    if places is None:
        return None
    # A text of ours whose reply was lost may stand there, unknown to us: more of the same
    # lines right below.
    new_keys = {_key(line) for line in new} - {""}
    end = places[-1] + 1
    while end < len(lines) and _key(lines[end]) in new_keys:
        places.append(end)
        end += 1
    rest = (line for at, line in enumerate(lines) if at > places[0] and at not in places)
    return [*lines[: places[0]], *new, *rest]


def _places(lines: list[str], block: list[str]) -> list[int] | None:
    """Return where the lines of *block* stand: in one piece, else with others between them."""
    if not block:
        return None
    start = _find(lines, block)
    if start is not None:
        return list(range(start, start + len(block)))
    # From the end: what we appended last is ours rather than what is left of it above.
    found: list[int] = []
    block_keys = [_key(line) for line in block]
    for at in range(len(lines) - 1, -1, -1):
        if block_keys and _key(lines[at]) == block_keys[-1]:
            block_keys.pop()
            found.append(at)
    return None if block_keys else found[::-1]


def _find(lines: Sequence[str], block: Sequence[str]) -> int | None:
    """Return where *block* begins in *lines*; an empty one begins everywhere."""
    keys, block_keys = [_key(line) for line in lines], [_key(line) for line in block]
    starts = range(len(keys) - len(block_keys) + 1)
    return next((at for at in starts if keys[at : at + len(block_keys)] == block_keys), None)


def _added(lines: list[str], new: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return [*lines, *new]


def _block(text: str) -> list[str]:
    """Return the lines of a text of ours, without empty ones around it."""
    lines = _LINE_ENDS.split(text)
    while lines and not _key(lines[-1]):
        lines.pop()
    while lines and not _key(lines[0]):
        lines.pop(0)
    return lines


def _key(line: str) -> str:
    """Return what of a line survives 1C: no control characters, no blanks at its end."""
    kept = "".join(c for c in line if c >= " " or c == "\t")
    return kept.encode("utf-8", "replace").decode().rstrip()


def _one_line(text: str) -> str:
    return " ".join(_key(text).split())
