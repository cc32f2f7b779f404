"""Emergency numbers: no program may dial them for a person, and they are no extensions."""

import re

#: Russia's (01-04, 101-104, 112), and those that mobile networks and other countries know.
_CODES = "0[1-4]|10[1-4]|112|911|999"

#: What may stand before one: a country, a trunk or an outside line, set apart from it.
_APART = r"(?:(?:\+|00|8[ ~]?10)?[ ]?[0-9]{1,3}[ ,~.()pw-]+)"
#: Directly before it, where the whole is longer than an extension that begins so is likely to be.
_DIRECT = r"(?:\+7?|\+?[7890])"

_EMERGENCY = re.compile(rf"{_APART}?\(?(?:{_CODES})\)?|{_DIRECT}\(?(?:112|911)\)?|\+7(?:{_CODES})")


def is_emergency_number(typed: str) -> bool:
    """Return whether *typed*, without a `tel:` before it, is an emergency number.

    A country, a trunk or an outside line may stand before it: "8 112", "9,101", "+7 112".
    """
    return _EMERGENCY.fullmatch(" ".join(typed.replace("\u00a0", " ").split())) is not None
