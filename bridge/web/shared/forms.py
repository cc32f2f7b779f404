"""Forms as browsers send them: URL-encoded, small, read by hand (a parser of files is not needed).

Also where a form may lead back to: pages of ours alone.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.web.shared.bodies import read_body

_MOST_BYTES = 65536
_MOST_FIELDS = 50


async def read_form(request: Request) -> Mapping[str, str]:
    """Read a form's fields; of repeated ones the last counts.

    Raises:
        HTTPException: 413 for one that is no form of ours, 400 for one that cannot be read.
    """
    body = await read_body(request, _MOST_BYTES)
    try:
        text = body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error


def safe_path(path: str, otherwise: str = "/") -> str:
    """Return *path* if it is one of ours, else *otherwise*: no browser is led to another site."""
    parts = urlsplit(path)
    plain = path.isprintable() and "\\" not in path and not parts.scheme and not parts.netloc
    return path if plain and path.startswith("/") and not path.startswith("//") else otherwise
