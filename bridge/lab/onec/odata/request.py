"""One request to the OData interface, as it came over the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.lab.onec.infobase.tables import Row


@dataclass(frozen=True, slots=True)
class ODataRequest:
    """One request: everything below the service root, raw.

    `is_kept` is false for rows that a fault removes; `headers` have lower-case names.
    """

    method: str
    path: str
    query: str
    root: str
    number: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_kept: Callable[[Row], bool] | None = None
