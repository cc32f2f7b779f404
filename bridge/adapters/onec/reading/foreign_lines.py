"""Values in contact lines that programs other than 1C wrote, with other names for a number.

1C's own names are `schema.PHONE_STORAGE_KEYS`; storages that have any of them are not read here. A
value counts as a number by its name, or where it is the only one: other values are tax
numbers and accounts, which would be read as phones.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

#: Found in the folded name of a value that is a number.
_NAME_PARTS: Final = re.compile(
    r"phone|mobile|cell(?!s)|whatsapp|(?:^|[^a-z])tel(?!egram|ex)|(?:^|[^а-я])тел(?!еграм|екс)|"
    r"номертел|(?:^|[^а-я])(?:моб|сотов)"
)
#: Whole folded names of values that are a number.
_WHOLE_NAMES: Final = frozenset({"number", "номер", "value", "значение", "contact", "контакт"})
_TAG: Final = re.compile(r"<[^<>]*>")


def find_numbers(found: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of *found*, by their names, that are numbers."""
    filled = {name: value.strip() for name, value in found.items() if value.strip()}
    named = tuple(value for name, value in filled.items() if _names_a_number(name))
    if named:
        return named
    return tuple(filled.values()) if len(filled) == 1 and len(found) == 1 else ()


def strip_tags(text: str) -> str:
    """Return *text* without tags and references to characters."""
    return unescape(_TAG.sub(" ", text))


def _names_a_number(name: str) -> bool:
    folded = name.casefold()
    return folded in _WHOLE_NAMES or _NAME_PARTS.search(folded) is not None
