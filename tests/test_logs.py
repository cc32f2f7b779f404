"""A log line says what happened and never whose number it was, nor a secret."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from bridge.log_context import call_in_logs
from bridge.logs import configure_logs
from tests.support import builders as b

NUMBER = "79035550123"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    chatty = {name: logging.getLogger(name).level for name in ("apscheduler", "httpx", "httpcore")}
    yield
    root.handlers[:] = before
    root.setLevel(level)
    for name, was in chatty.items():
        logging.getLogger(name).setLevel(was)


def logged(form: Literal["console", "json"], speak: Callable[[logging.Logger], None]) -> str:
    """Return what is on stderr after *speak*."""
    with redirect_stderr(io.StringIO()) as stderr:
        configure_logs(form)
        speak(logging.getLogger("bridge.test"))
    return stderr.getvalue()


def breaks(log: logging.Logger) -> None:
    try:
        int(f"no owner for +{NUMBER}")
    except ValueError:
        log.exception("broke")


SPOKEN: dict[str, Callable[[logging.Logger], None]] = {
    "the message": lambda log: log.info("call from %s", NUMBER),
    "a field": lambda log: log.info("call", extra={"caller": "+7 (903) 555-01-23"}),
    "a whole number": lambda log: log.info("call", extra={"caller": b.NUMBER}),
    "a list": lambda log: log.info("calls", extra={"callers": [NUMBER, (NUMBER,)]}),
    "a mapping": lambda log: log.info("call", extra={"query": {"fromnum": NUMBER, NUMBER: 1}}),
    "an error": lambda log: log.info("call", extra={"reason": ValueError(f"no +{NUMBER}")}),
    "a noun": lambda log: log.info("call", extra={"caller": b.question().caller}),
    "a traceback": breaks,
}


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("where", SPOKEN)
def test_a_phone_number_is_masked_wherever_it_stands(
    form: Literal["console", "json"], where: str
) -> None:
    line = logged(form, SPOKEN[where])

    digits = "".join(c for c in line if c.isdigit())
    assert NUMBER not in digits
    assert "5550123" not in digits
    assert "****" in line


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_secret_never_shows(form: Literal["console", "json"]) -> None:
    secret = SecretStr("hunter2")

    line = logged(form, lambda log: log.info("start", extra={"password": secret, "all": [secret]}))

    assert "hunter2" not in line
    assert "**********" in line


def test_json_lines_are_documents() -> None:
    def speak(log: logging.Logger) -> None:
        log.warning("onec_down", extra={"reason": "нет связи", "took": timedelta(seconds=2)})
        breaks(log)

    first, second = map(json.loads, logged("json", speak).splitlines())

    assert (first["event"], first["level"], first["reason"]) == (
        "onec_down",
        "warning",
        "нет связи",
    )
    assert first["timestamp"].endswith("Z")
    assert "Traceback" in second["exception"]


def test_what_is_no_number_stays_readable() -> None:
    fields: dict[str, Any] = {
        "client": "192.168.100.200",
        "call": "0123456789abcdef0123",
        "words": "the clock says 2026-11-25 17:02 UTC, and was at 2026-11-25T14:02:11Z",
        "code": 4,
        "bytes": 12345678,
        "seconds": 0.123456789012,
        "ok": True,
        "nothing": None,
    }

    line = json.loads(logged("json", lambda log: log.info("seen", extra=fields)))

    assert {name: line[name] for name in fields} == fields


def test_libraries_that_chat_are_asked_to_be_brief() -> None:
    def speak(_: logging.Logger) -> None:
        logging.getLogger("httpx").info("HTTP Request: GET …")
        logging.getLogger("apscheduler.executors.default").info("Running job …")

    assert logged("json", speak) == ""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_line_written_while_a_call_is_worked_on_names_it(
    form: Literal["console", "json"],
) -> None:
    def speak(log: logging.Logger) -> None:
        with call_in_logs("c0ffee"):
            log.warning("an adapter that knows of no call")
            log.warning("one that does", extra={"call": "another"})
        log.warning("behind it")

    first, second, third = logged(form, speak).splitlines()

    assert "c0ffee" in first
    assert "another" in second
    assert "c0ffee" not in second + third
