"""What answers mean: every row of the table of errors, for reads and for writes."""

import base64
import json

import httpx
import pytest

from bridge.adapters.onec.protocol.errors import (
    MAY_HAVE_ARRIVED,
    NoRights,
    RequestTooLarge,
    UnknownField,
    error_of_response,
    error_of_transport,
)
from bridge.adapters.onec.protocol.responses import ResponseKind, parse_response
from bridge.errors import (
    OneCAlreadyExists,
    OneCError,
    OneCFilteredByWebServer,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCObjectMissing,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)

BOM = b"\xef\xbb\xbf"


def odata(code: str, text: str) -> bytes:
    error = {"code": code, "message": {"lang": "ru", "value": text}}
    return json.dumps({"odata.error": error}, ensure_ascii=False).encode()


def exception(inner: str, outer: str = "HTTP: Forbidden") -> bytes:
    body = {"#exception": "{…}Exception", "exception": {"descr": outer, "inner": {"descr": inner}}}
    return BOM + json.dumps(body, ensure_ascii=False).encode()


def html(title: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head></html>".encode()


POOL = (
    '<?xml version="1.0"?><exception xmlns="http://v8.1c.ru/8.2/virtual-resource-system" '
    'reason="406"><descr>Истекло время ожидания сеанса</descr></exception>'
).encode()
ATOM = (
    '<m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    "<m:code>{code}</m:code><m:message>{text}</m:message></m:error>"
)
HANDLER = "Ошибка при выполнении обработчика - 'ПередЗаписью'\nпо причине:\nДень закрыт"


def page(sentence: str, title: str = "1С:Предприятие") -> bytes:
    """Return a page of 1C's: a title without a reason, and a sentence that says why."""
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title><style>p {{color: red}}</style></head>"
        f"<body><div>Ошибка</div><p>{sentence}</p><script>var x = 1</script></body></html>"
    ).encode()


NGINX = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway"
    b"</h1></center><hr><center>nginx/1.18.0</center></body></html>"
)
APACHE = (
    b"<HTML><HEAD><TITLE>403 Forbidden</TITLE></HEAD><BODY><H1>Forbidden</H1><P>You don't "
    b"have permission to access /ut11/ on this server.</P></BODY></HTML>"
)
IIS = (
    b"<title>404 - File or directory not found.</title><h1>Server Error</h1><h2>404 - File "
    b"or directory not found.</h2><h3>The resource might have been removed.</h3>"
)
SIGN_IN = (
    "<html><head><title>1С:Фреш</title></head><body><h1>Вход в приложение</h1><form>"
    '<input name="login"><input type="password" name="password"></form></body></html>'
).encode()
#: 1C's own message may stand in a nested error, below a formula.
NESTED = json.dumps(
    {
        "odata.error": {
            "code": "-1",
            "message": {"lang": "ru", "value": "Внутренняя ошибка"},
            "innererror": {
                "message": "Внутренняя ошибка",
                "internalexception": {"message": "Нарушение прав доступа!", "type": "Exception"},
            },
        }
    },
    ensure_ascii=False,
).encode()
NESTED_XML = (
    '<m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    "<m:code>-1</m:code><m:message>Внутренняя ошибка</m:message><m:innererror>"
    "<m:message>Нарушение прав доступа!</m:message></m:innererror></m:error>"
).encode()

CASES = [
    # status, body, to a read, to a write
    (400, odata("15", "уже существует"), OneCAlreadyExists, OneCAlreadyExists),
    (401, odata("20", "Нарушение прав доступа!"), NoRights, NoRights),
    (403, odata("20", "Нарушение прав доступа!"), NoRights, NoRights),
    (404, odata("8", 'Сущность "X" не найдена.'), OneCNotPublished, OneCNotPublished),
    (404, odata("9", "Экземпляр сущности не найден"), OneCObjectMissing, OneCObjectMissing),
    (400, odata("6", "Сегмент пути Нет не найден!"), UnknownField, OneCRejected),
    (400, odata("14", "Ошибка при разборе опции запроса"), OneCInvalidResponse, OneCRejected),
    (400, odata("1", "Не удалось разобрать строку"), OneCInvalidResponse, OneCRejected),
    (405, odata("19", "метод запрещён"), OneCInvalidResponse, OneCRejected),
    (412, odata("-1", "Версия не совпадает"), OneCInvalidResponse, OneCRejected),
    (501, odata("0", "не поддерживается"), OneCInvalidResponse, OneCRejected),
    (500, odata("-1", HANDLER), OneCUnavailable, OneCRejected),
    (500, odata("-1", "Непредвиденный символ при чтении JSON"), OneCUnavailable, OneCRejected),
    (500, odata("-1", "Ошибка блокировки данных: превышено"), OneCUnavailable, OneCUnavailable),
    (500, odata("-1", "Недостаточно памяти для получения"), RequestTooLarge, OneCUnavailable),
    (500, odata("-1", "Не обнаружено свободной лицензии!"), OneCUnavailable, OneCUnavailable),
    (500, ATOM.format(code="-1", text="Отказ").encode(), OneCUnavailable, OneCRejected),
    (503, odata("-1", "занято"), OneCUnavailable, OneCOutcomeUnknown),
    (
        403,
        exception("Начало сеанса запрещено.\nИдёт обновление"),
        OneCSessionsBlocked,
        OneCSessionsBlocked,
    ),
    (401, exception("Идентификация не выполнена"), OneCUnauthorized, OneCUnauthorized),
    (404, exception("Ресурс не найден"), OneCNotPublished, OneCNotPublished),
    (406, exception("Истекло время ожидания сеанса"), OneCUnavailable, OneCUnavailable),
    (406, POOL, OneCUnavailable, OneCUnavailable),
    (500, exception("Не обнаружено свободной лицензии!"), OneCUnavailable, OneCUnavailable),
    (500, exception("Соединение разорвано"), OneCUnavailable, OneCOutcomeUnknown),
    (401, html("401 - Unauthorized"), OneCUnauthorized, OneCUnauthorized),
    (403, html("403 - Forbidden"), OneCUnauthorized, OneCUnauthorized),
    (404, html("404 - File or directory not found."), OneCNotPublished, OneCNotPublished),
    (405, b"", OneCInvalidResponse, OneCRejected),
    (406, html("Not acceptable"), OneCUnavailable, OneCUnavailable),
    (429, html("Too many requests"), OneCUnavailable, OneCUnavailable),
    (413, html("Too large"), RequestTooLarge, OneCRejected),
    (414, html("URI too long"), RequestTooLarge, OneCRejected),
    (500, html("1C:Enterprise 8 application error"), RequestTooLarge, OneCOutcomeUnknown),
    (502, html("502 Bad Gateway"), OneCUnavailable, OneCOutcomeUnknown),
    (503, html("Service Unavailable"), OneCUnavailable, OneCOutcomeUnknown),
    (503, b"<p>\xd0\x9d\xd0\xb5 no free license</p>", OneCUnavailable, OneCUnavailable),
    (504, b"", OneCUnavailable, OneCOutcomeUnknown),
    (301, b"", OneCInvalidResponse, OneCUnavailable),
    (400, html("Bad Request - Invalid URL"), OneCFilteredByWebServer, OneCFilteredByWebServer),
    (400, html("Bad Request"), OneCInvalidResponse, OneCOutcomeUnknown),
    (200, html("Ведутся технические работы"), OneCInvalidResponse, OneCOutcomeUnknown),
    (200, b'{"value": 1}', OneCInvalidResponse, OneCOutcomeUnknown),
    (418, b"\xff\xfe", OneCInvalidResponse, OneCOutcomeUnknown),
    # A page of 1C's own names the cause, whatever its status; so does a text without markup.
    (200, page("Нарушение прав доступа! Обратитесь к администратору."), *[OneCUnauthorized] * 2),
    (500, page("Нарушение прав доступа!"), OneCUnauthorized, OneCUnauthorized),
    (200, "Нарушение прав доступа!".encode("cp1251"), OneCUnauthorized, OneCUnauthorized),
    (
        200,
        page("Начало сеанса с информационной базой запрещено. До 18:00"),
        *[OneCSessionsBlocked] * 2,
    ),
    (200, page("База заблокирована для обновления"), OneCSessionsBlocked, OneCSessionsBlocked),
    (200, page("Установлен монопольный режим"), OneCUnavailable, OneCUnavailable),
    (200, page("Не обнаружено свободной лицензии!"), OneCUnavailable, OneCUnavailable),
    (200, SIGN_IN, OneCUnauthorized, OneCUnauthorized),
    (500, odata("-1", "Нарушение прав доступа!"), NoRights, NoRights),
    (500, NESTED, NoRights, NoRights),
    (500, NESTED_XML, NoRights, NoRights),
]


@pytest.mark.parametrize(("status", "body", "read", "write"), CASES)
def test_every_answer_means_one_error(
    status: int, body: bytes, read: type[OneCError], write: type[OneCError]
) -> None:
    response = parse_response(status, body)

    assert type(error_of_response(response, "Set", write=False)) is read
    assert type(error_of_response(response, "Set", write=True)) is write


def test_the_administrators_message_is_read_without_the_formula() -> None:
    response = parse_response(
        403, exception("Начало сеанса с информационной базой запрещено.\nДо 18:00 обмен")
    )

    assert error_of_response(response, "Set", write=False).detail == "До 18:00 обмен"


def test_a_refusal_carries_status_code_and_the_handlers_text() -> None:
    error = error_of_response(parse_response(500, odata("-1", HANDLER)), "Set", write=True)

    assert isinstance(error, OneCRejected)
    assert (error.status, error.code) == (500, "-1")
    assert "День закрыт" in error.detail


def test_a_page_speaks_by_its_title_or_by_the_cause_the_platform_names() -> None:
    platform = "<title>1C:Enterprise 8 application error</title>x<br>by reason:<br>No space left"

    assert parse_response(502, html("502 Bad Gateway")).message == "502 Bad Gateway"
    assert parse_response(500, platform.encode()).message == "No space left"
    assert (
        parse_response(503, "<title>Обслуживание</title>".encode("cp1251")).message
        == "Обслуживание"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            page("Нарушение прав доступа! Обратитесь к администратору."),
            "Нарушение прав доступа! Обратитесь к администратору.",
        ),
        (page("Сервер 1С не найден", "Ошибка"), "Сервер 1С не найден"),
        (page("Повторите вход", "Портал"), "Портал; Повторите вход"),
        (
            NGINX,
            "502 Bad Gateway; nginx/1.18.0",
        ),
        (
            APACHE,
            "403 Forbidden; You don't have permission to access /ut11/ on this server.",
        ),
        (
            IIS,
            "404 - File or directory not found.; The resource might have been removed.",
        ),
        (page("Нет&nbsp;связи &lt;b&gt; с\x00базой"), "Нет связи <b> с базой"),
        (b'{"error": {"code": 7, "message": "no such route"}}', "no such route"),
        (NESTED, "Внутренняя ошибка: Нарушение прав доступа!"),
        ("База недоступна".encode("cp1251"), "База недоступна"),
        (page("<!-- нарушение прав доступа -->Нет связи"), "Нет связи"),
        (page(""), "1С:Предприятие"),
        (b"", ""),
    ],
)
def test_the_sentence_that_says_why_is_quoted_without_markup(body: bytes, message: str) -> None:
    assert parse_response(200, body).message == message


def test_a_page_of_many_menus_is_quoted_within_bounds_and_its_cause_first() -> None:
    menus = "".join(f"<li>Пункт меню {n}</li>" for n in range(2_000))
    response = parse_response(200, page(f"{menus}<p>Нарушение прав доступа!</p>"))

    assert response.message.startswith("Нарушение прав доступа!")
    assert len(response.message) <= 300


@pytest.mark.parametrize(
    "scrap", ["<", "<script>", "<!--", "<title>", "<input ", "<m:error ", "<message>", "</p", "&"]
)
def test_a_giant_page_is_not_worked_through(scrap: str) -> None:
    assert len(parse_response(200, scrap.encode() * 200_000).message) <= 500


def test_a_page_to_sign_in_at_is_reported_as_what_it_is() -> None:
    error = error_of_response(parse_response(200, SIGN_IN), "Set", write=False)

    assert "a page to sign in at" in error.detail
    assert "Вход в приложение" in error.detail


def test_a_message_that_xml_cannot_carry_is_unpacked() -> None:
    packed = base64.b64encode("Поле\x01неверно".encode()).decode()
    response = parse_response(400, ATOM.format(code="6", text=packed).encode())

    assert (response.kind, response.code, response.message) == (
        ResponseKind.ODATA,
        "6",
        "Поле неверно",
    )


def test_a_long_page_becomes_a_short_message() -> None:
    assert len(parse_response(500, b"<p>" + b"x" * 100_000).message) <= 500


def test_the_address_of_a_redirect_is_reported() -> None:
    error = error_of_response(
        parse_response(302, b"", "https://login.example.ru/"), "Set", write=False
    )

    assert "https://login.example.ru/" in error.detail


def all_subclasses(kind: type[httpx.RequestError]) -> set[type[httpx.RequestError]]:
    return {kind}.union(*(all_subclasses(subclass) for subclass in kind.__subclasses__()))


def test_the_table_knows_every_way_in_which_httpx_can_lose_a_request() -> None:
    assert set(MAY_HAVE_ARRIVED) == all_subclasses(httpx.RequestError)


@pytest.mark.parametrize("kind", sorted(MAY_HAVE_ARRIVED, key=str))
def test_a_lost_write_is_surely_undone_only_if_it_was_never_sent(
    kind: type[httpx.RequestError],
) -> None:
    never_sent = {
        "ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol",
    }  # fmt: skip
    expected = OneCUnavailable if kind.__name__ in never_sent else OneCOutcomeUnknown

    assert type(error_of_transport(kind("gone"), "Set", write=True)) is expected
    assert type(error_of_transport(kind("gone"), "Set", write=False)) in {
        OneCUnavailable,
        RequestTooLarge,
    }
