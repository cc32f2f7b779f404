"""OData query options: literals, encoding, and how long a query may be."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

#: Query options by name, decoded.
Query = Mapping[str, str]

#: Without metadata 1C leaves out a link beside every reference.
#: Source: docs/facts/onec-odata.md, 'Formats'.
_FORMAT: Final = "application/json;odata=nometadata"

#: Request filtering of IIS allows 2048 bytes of query by default.
#: Source: docs/facts/onec-odata.md, 'Limits of the web server'.
MAX_QUERY_BYTES: Final = 2048

#: Left as they are in option values: they are no delimiters of a query and cost 3 bytes encoded.
_SAFE: Final = "'$,/:()"


def guid_literal(ref: str) -> str:
    """Return a reference as an OData literal."""
    return f"guid'{ref}'"


def text_literal(value: str) -> str:
    """Return a text as an OData literal; apostrophes are doubled."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def date_literal(wall: str) -> str:
    """Return 1C's wall time as an OData literal."""
    return f"datetime'{wall}'"


def encode_query(query: Query) -> str:
    """Return query options encoded as 1C reads them: UTF-8, `%20` for a blank, never `+`."""
    return "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in query.items())


def listing_query(select: str, **options: str) -> dict[str, str]:
    """Return the options of a request for rows; *options* are named without their `$`.

    An empty *select* asks for every column.
    """
    return {
        "$format": _FORMAT,
        **({"$select": select} if select else {}),
        **{f"${name}": value for name, value in options.items()},
    }


def max_filter_bytes(query: Query) -> int:
    """Return how many bytes an encoded `$filter` may take beside *query*."""
    return MAX_QUERY_BYTES - len(encode_query({**query, "$filter": ""}))
