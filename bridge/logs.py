"""Logs: one line an event on stderr, for people or as JSON, phone numbers masked."""

import ipaddress
import logging
import re
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.domain.phone.formatting import mask_phone
from bridge.log_context import current_call_key

#: Anything that may be a person's number: seven digits or more, however separated.
_NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,14}(?!\d)")

#: A moment as people and machines write it; its digits are no number.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d(?::\d\d)*)?")

#: Shorter integers are counts and milliseconds; the shortest numbers with a country code are 10.
_NUMBER_LENGTH = 10

#: Fields whose long digits are not numbers of people.
_PLAIN = frozenset({"timestamp", "level", "logger", "call", "key", "kept", "marked", "path"})


def configure_logs(form: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Send every log record, the libraries' too, to stderr in *form*."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        add_call_key,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask_numbers,  # last, as a traceback holds the message of the error
            renderer,
        ],
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level)
    # Their INFO is a line per job and per request: too much for a log that is read.
    for chatty in ("apscheduler", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def add_call_key(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the key of the call that the line is about, where its task knows it."""
    call = current_call_key()
    if call:
        event.setdefault("call", call)
    return event


def mask_numbers(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask what looks like a telephone number anywhere in a log line."""
    event.pop("color_message", None)  # uvicorn logs everything twice, once in colours
    for name, value in event.items():
        if name not in _PLAIN:
            event[name] = _masked(value)
    return event


def _masked(value: object) -> object:
    if value is None or isinstance(value, bool | float | date | timedelta):
        return value
    if isinstance(value, int):
        return mask_phone(value) if len(str(abs(value))) >= _NUMBER_LENGTH else value
    if isinstance(value, Mapping):
        return {_masked(name): _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    # Anything else is logged by its text, as the renderers would do it.
    text, end, shown = str(value), 0, ""
    for moment in _MOMENT.finditer(text):
        shown += _NUMBER.sub(_mask_match, text[end : moment.start()]) + moment[0]
        end = moment.end()
    return shown + _NUMBER.sub(_mask_match, text[end:])


def _mask_match(found: re.Match[str]) -> str:
    try:
        ipaddress.IPv4Address(found[0])
    except ValueError:
        return mask_phone(found[0])
    return found[0]  # a masked address would be of no use
