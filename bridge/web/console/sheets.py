"""Tables to take away: CSV as a country's spreadsheet programs open it by a double click."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from starlette.responses import Response

from bridge.domain.texts import Language

#: A text that begins so would be run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Phone(str):
    """A number we wrote ourselves: its plus begins no formula."""

    __slots__ = ()


def sheet(
    lang: Language, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Response:
    """Give *rows* as a file: UTF-8 with its mark, `;` between cells where the comma is decimal."""
    text = StringIO()
    writer = csv.writer(text, delimiter=";" if lang == "ru" else ",")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Phone) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
