"""Logs: one line an event on stderr, for people or as JSON, phone numbers masked."""

import logging
import re
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.domain.phone import mask_phone

#: Anything that may be somebody's number: seven digits or more, however separated.
_NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,14}(?!\d)")

#: Fields whose long digits are not numbers of people.
_PLAIN = frozenset({"timestamp", "level", "logger", "entry", "key", "kept", "marked", "path"})


def configure_logs(form: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Send every log record, the libraries' too, to stderr in *form*."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_numbers,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level)
    # Their INFO is a line per job, per request: nobody reads logs that speak every second.
    for chatty in ("apscheduler", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def mask_numbers(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask what looks like a telephone number in every text of a log line."""
    for name, value in event.items():
        if isinstance(value, str) and name not in _PLAIN:
            event[name] = _NUMBER.sub(lambda found: mask_phone(found[0]), value)
    return event
