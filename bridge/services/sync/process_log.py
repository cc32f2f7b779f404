"""The log of a background sync process, line by line, in the log of the service."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

#: What a crash leaves on stderr is kept from its end: the error stands there.
_OUTPUT_LENGTH: Final = 2_000

#: Names of a log record that no field may take.
_RESERVED: Final = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", None, None)) | {"message": "", "asctime": ""}
)


@dataclass(frozen=True, slots=True)
class SyncLogLine:
    """One line of the process's log: its *event*, level and other fields as texts."""

    level: int
    event: str
    fields: tuple[tuple[str, str], ...] = ()


class SyncProcessLog:
    """Logs what one process after another writes to stderr, the moment it is written.

    A line like one of the run before is not logged again. What is not a line of a
    structured log is returned at the end of the run.
    """

    def __init__(self) -> None:
        self._lines_before: frozenset[SyncLogLine] = frozenset()
        self._lines: set[SyncLogLine] = set()

    def relay(self, lines: Iterable[bytes]) -> str:
        """Log the *lines* of one run; return the end of what else it wrote."""
        self._lines_before, self._lines = frozenset(self._lines), set()
        rest = ""
        for written in lines:
            text = written.decode("utf-8", "replace")
            line = read_log_line(text)
            if line is None:
                rest = (rest + text)[-_OUTPUT_LENGTH:]
                continue
            self._lines.add(line)
            if line not in self._lines_before:
                _log.log(line.level, line.event, extra=dict(line.fields))
        return rest.strip()


def read_log_line(text: str) -> SyncLogLine | None:
    """Read one line of a structured log; None for what is none."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        return None
    level = logging.getLevelNamesMapping().get(str(record.get("level", "")).upper())
    fields = tuple(
        (f"sync_{name}" if name in _RESERVED else str(name), str(value))
        for name, value in record.items()
        if name not in {"event", "level", "timestamp"}
    )
    return SyncLogLine(level or logging.INFO, record["event"], fields)
