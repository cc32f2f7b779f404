"""Odd ways in which phones stand in contact lines, each by a name: what programs and people leave.

`POST /_lab/world/add_phone_cases` writes a contact person for each of them. The numbers differ from
case to case, so that each leads to its own contact person.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class PhoneCase(NamedTuple):
    """One line of contact information: its *columns*, and the numbers its writer *intended*.

    `{number}` in a text stands for ten national digits, and `{grouped}` for "(903) 555-02-01".
    """

    name: str
    columns: dict[str, str]
    intended: tuple[str, ...]


_RAW: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("digits column typed", {"digits": "+7 {grouped}"}),
    ("digits column with a plus", {"digits": "+7{number}"}),
    ("plain text in the JSON field", {"json_storage": "+7 {grouped}"}),
    ("JSON of another program", {"text_storage": '{{"Phone": "+7{number}"}}'}),
    ("JSON in the JSON field", {"json_storage": '{{"contact": {{"mobile": "+7{number}"}}}}'}),
    ("XML of another program", {"text_storage": "<phone><tel>+7 {grouped}</tel></phone>"}),
    ("lines of another program", {"text_storage": "Phone=+7 {grouped}"}),
    ("blanks of a web page", {"shown": "+7&nbsp;{grouped}"}),
    ("a link", {"shown": '<a href="tel:+7{number}">позвонить</a>'}),
    ("a number of a spreadsheet", {"shown": "7{number}.0"}),
    ("a name, the number elsewhere", {"shown": "Иван", "digits": "+7 {grouped}"}),
    ("a pause and an extension", {"shown": "+7{number},12345"}),
    ("two pauses and a PIN", {"shown": "+7 {grouped},,123456#"}),
    ("a wait", {"shown": "+7{number};12345"}),
    ("an escaped pause", {"shown": "+7{number}\\,12345"}),
    ("digits behind a blank", {"shown": "+7{number} 12345"}),
    ("a conference", {"shown": "+7{number},,84951234567#"}),
)


def _cases() -> tuple[PhoneCase, ...]:
    cases = []
    for at, (name, columns) in enumerate(_RAW):
        # Land lines where digits behind could borrow a city; the others are mobiles.
        area = "495" if "shown" in columns and "Иван" not in columns["shown"] else "903"
        number = f"{area}55502{at:02d}"
        grouped = f"({area}) {number[3:6]}-{number[6:8]}-{number[8:]}"
        filled = {c: text.format(number=number, grouped=grouped) for c, text in columns.items()}
        cases.append(PhoneCase(name, filled, (f"+7{number}",)))
    unknown = "+76105550200"
    cases.append(PhoneCase("a range that no library knows", {"shown": unknown}, (unknown,)))
    return tuple(cases)


PHONE_CASES: Final = _cases()
