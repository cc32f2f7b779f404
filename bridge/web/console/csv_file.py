"""Tables to take away: CSV as a country's spreadsheet programs open it by a double click."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

from starlette.responses import Response

from bridge.domain.delivery.texts import Language

#: A text that begins so is run as a formula: blanks before it are skipped, and so may be a BOM.
#: The wide forms are those that input methods of the East give; they are run alike.
_FORMULA = re.compile(r"[\s\ufeff\x00]*[=+\-@|%\uFF1D\uFF0B\uFF0D\uFF20\t\r\n]")

#: A telephone number, by what it is and not by where it came from: no formula is made of digits.
_NUMBER = re.compile(r"\+[0-9](?:[0-9 ()-]{0,30}[0-9])?")


def csv_response(
    lang: Language, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Response:
    """Return *rows* as a file: UTF-8 with a BOM, `;` between cells where the comma is decimal."""
    text = StringIO()
    writer = csv.writer(text, delimiter=";" if lang == "ru" else ",")
    writer.writerow([_cell(title) for title in header])
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
    if isinstance(value, int | float):
        return value
    text = str(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
