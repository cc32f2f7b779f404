"""A telephone number, and by which rules one is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NewType

if TYPE_CHECKING:
    #: E.164 digits as an integer, e.g. 74951234567.
    PhoneNumber = NewType("PhoneNumber", int)
else:
    # The call of a NewType is Python's: it took a tenth of the time in which a number is read.
    PhoneNumber = int


@dataclass(frozen=True, slots=True)
class PhoneRules:
    """How to read numbers written without country or city.

    *region* is an ISO 3166 code; *area_code* is digits, e.g. "495", and gives numbers of 5-7
    digits a city. Without it such numbers are not read: a guessed city is a stranger's phone.
    """

    region: str = "RU"
    area_code: str | None = None


class ParsedPhone(NamedTuple):
    """One number found in a typed field; *extension* is kept to be shown, never matched."""

    number: PhoneNumber
    extension: str | None = None
