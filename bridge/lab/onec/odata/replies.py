"""Replies that do not come from the OData layer: pages of web servers, platform and session errors.

Only a body with `odata.error` proves that 1C answered (docs/facts/onec-odata.md, 'Answers that
OData did not give'); these prove nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bridge.lab.onec.odata import errors

_BOM: Final = "\ufeff"
_HTML: Final = ("content-type", "text/html; charset=utf-8")
_VIRTUAL: Final = "http://v8.1c.ru/8.2/virtual-resource-system"


@dataclass(slots=True)
class HttpReply:
    """One answer on the wire; the body may come in pieces."""

    status: int
    body: bytes | Iterator[bytes] = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def chunks(self) -> Iterable[bytes]:
        """Return the body in pieces."""
        return (self.body,) if isinstance(self.body, bytes) else self.body

    def whole(self) -> bytes:
        """Return the body in one piece."""
        self.body = b"".join(self.chunks())
        return self.body


def html(status: int, title: str, text: str = "") -> HttpReply:
    """Return a page of a web server or proxy."""
    page = (
        f"<!DOCTYPE html><html><head><title>{title}</title></head>"
        f"<body><h1>{title}</h1><p>{text}</p></body></html>"
    )
    return HttpReply(status, page.encode(), [_HTML])


def platform_error(cause: str) -> HttpReply:
    """Return the page of an application error, with the cause after "by reason"."""
    return html(
        500,
        "1C:Enterprise 8 application error",
        f"Error of the application server<br>by reason:<br>{cause}",
    )


def exception(status: int, description: str, inner: str, *, bom: bool = True) -> HttpReply:
    """Return a `#exception` document: from the session layer, not OData."""
    body = {
        "#exception": f"{{{_VIRTUAL}}}Exception",
        "exception": {
            "reason": status,
            "descr": description,
            "inner": {
                "descr": inner,
                "inner": {"descr": inner, "creationStack": "", "data": "AQAAAA=="},
            },
        },
    }
    text = (_BOM if bom else "") + json.dumps(body, ensure_ascii=False)
    return HttpReply(status, text.encode(), [("content-type", "application/json;charset=utf-8")])


def pool_exhausted(*, as_json: bool) -> HttpReply:
    """Return the 406 of a session pool whose wait time is over, XML or its JSON twin."""
    message = "Истекло время ожидания сеанса"
    if as_json:
        return exception(406, message, message)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<exception xmlns="{_VIRTUAL}" '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema" reason="406">'
        f"<descr>{message}</descr></exception>"
    )
    return HttpReply(406, text.encode(), [("content-type", "application/xml")])


def unauthorised() -> HttpReply:
    """Return the 401 of the web server."""
    reply = html(401, "401 - Unauthorized", "Access is denied due to invalid credentials.")
    reply.headers.append(("www-authenticate", 'Basic realm="1C:Enterprise 8.3"'))
    return reply


def _sessions_blocked(text: str) -> HttpReply:
    message = text or "Идёт регламентное обслуживание базы. Повторите попытку позже."
    return exception(
        403,
        "HTTP: Forbidden\nОшибка при выполнении запроса GET к ресурсу /odata/standard.odata:",
        f"Начало сеанса с информационной базой запрещено.\n{message}",
    )


def page(status: int, sentence: str) -> HttpReply:
    """Return a page as 1C gives it: a title without information, and a sentence with the reason."""
    text = (
        "<!DOCTYPE html><html><head><title>1С:Предприятие</title></head>"
        f"<body><div>Ошибка</div><p>{sentence}</p></body></html>"
    )
    return HttpReply(status, text.encode(), [_HTML])


def sign_in_page(title: str) -> HttpReply:
    """Return the page to sign in at that a portal before 1C gives instead of data."""
    form = '<form><input name="login"><input type="password" name="password"></form>'
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{form}</body></html>"
    return HttpReply(200, text.encode(), [_HTML])


_NO_RIGHTS: Final = "Нарушение прав доступа! Обратитесь к администратору."
_BLOCKED: Final = "Начало сеанса с информационной базой запрещено."
_NO_LICENCE: Final = "Не обнаружено свободной лицензии!"

#: Replies given instead of 1C's own, by the kind of fault; the argument is the fault's text.
REPLY_OF_FAULT: Final[dict[str, Callable[[str], HttpReply]]] = {
    "maintenance_200": lambda text: html(200, "Ведутся технические работы", text),
    "rights_200": lambda text: page(200, text or _NO_RIGHTS),
    "blocked_200": lambda text: page(200, text or f"{_BLOCKED} Идёт обновление."),
    "no_licence_200": lambda text: page(200, text or _NO_LICENCE),
    "page_200": lambda text: page(200, text),
    "sign_in_200": lambda text: sign_in_page(text or "Вход в приложение"),
    "plain_200": lambda text: HttpReply(
        200, (text or _NO_RIGHTS).encode("cp1251"), [("content-type", "text/plain")]
    ),
    "maintenance_503": lambda text: html(503, "Service Unavailable", text),
    "sessions_blocked": _sessions_blocked,
    "unauthorised": lambda _: unauthorised(),
    "no_licence_503": lambda _: html(503, "Service Unavailable", _NO_LICENCE),
    "no_licence_500": lambda _: exception(500, "HTTP: Internal server error", _NO_LICENCE),
    "platform_error": lambda text: platform_error(text or "No space left on device"),
    "bad_gateway": lambda text: html(502, "502 Bad Gateway", text),
    "late_commit": lambda text: html(502, "502 Bad Gateway", text),
}


def refusal_of_fault(kind: str, text: str, rights_status: int) -> errors.ODataRefusal | None:
    """Return the refusal in OData's own form that a fault means, if it has one."""
    match kind:
        case "rights":
            return errors.no_rights(rights_status)
        case "data_lock":
            return errors.ODataRefusal(
                500,
                "-1",
                "Ошибка блокировки данных: превышено максимальное время ожидания "
                "предоставления блокировки",
            )
        case "out_of_memory":
            return errors.ODataRefusal(
                500,
                "-1",
                "Недостаточно памяти для получения результата запроса к базе данных",
            )
        case "business_refusal":
            return errors.by_handler(text or "Запись запрещена настройками программы")
        case "flaky":
            return errors.internal()
    return None
