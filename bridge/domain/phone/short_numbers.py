"""Which short digits behind a number are a number of their own, and which are dialled after it.

Telephones write pauses as `,` `;` `p` `w`, and what follows a pause is an extension, a conference
or a PIN. Read as a number of the same city, it makes the calls of one owner those of a stranger.
So codes are lent to digits only where their form or what stands before them shows that they are a
number.
"""

import re

_LOCAL = range(5, 8)  # digits of a number dialled within one city
_USUAL_LOCAL = 7  # of a city whose code cannot be derived from the digits of a whole number

_DIGITS = re.compile(r"[0-9]+")
_GROUPED = re.compile(r"[0-9][^0-9]+[0-9]")

#: A list of people has a blank behind its comma; a pause has none, and often a second pause.
_LISTED = re.compile(r"[/|\n]|(?<![,;])[,;]\s")
_TWO_PAUSES = re.compile(r"(?:\\?[,;]){2}")
_PAUSE = re.compile(r"[,;]|(?<![^\W\d_])[pw](?![^\W\d_])", re.IGNORECASE)

#: "123456#": the sign that ends a code; with digits behind it begins an extension.
_ENDS_A_CODE = re.compile(r"\s?[#*]+(?!\s?[0-9])")


def local_length(run: str, left_over: int) -> int | None:
    """Return how many digits the last number of *run* has behind its area code, as typed.

    *left_over* digits at the end of *run* belong to no number. None where they are not set apart.
    """
    groups = _DIGITS.findall(run)
    while groups and left_over > 0:
        left_over -= len(groups.pop())
    length, found = 0, None
    for group in reversed(groups[1:]):
        length += len(group)
        if length in _LOCAL:
            found = length
    return found


def is_separate_number(
    digits: str, gap: str, following: str, *, labelled: bool, length: int
) -> bool:
    """Return whether the short *digits* behind a number are proved to be another number.

    *gap* stands between the two and *following* after; *labelled*: a word shows it («тел.», «и»);
    *length* is that of the number before, without its codes, and 0 where it is not known.
    """
    if _ENDS_A_CODE.match(following) or _TWO_PAUSES.search(gap):
        return False
    if labelled or _GROUPED.search(digits):
        return True
    return bool(_LISTED.search(gap)) and len(_joined(digits)) == length


def is_dialled_after_pause(gap: str, behind: str) -> bool:
    """Return whether even the digits of a whole number are only dialled: "…,,84951234567#"."""
    return bool(_ENDS_A_CODE.match(behind) and _PAUSE.search(gap))


def may_share_area_code(count: int, length: int | None) -> bool:
    """Return whether *count* digits may be of the city of a number with *length* local ones."""
    return count == (length or _USUAL_LOCAL)


def _joined(text: str) -> str:
    return "".join(_DIGITS.findall(text))
