"""The refusals of 1C: status, code and text of every error of the interface.

Source: docs/facts/onec-odata.md, 'Errors'. A text is kept in Russian and, where the English one is
known, in English; the infobase's language picks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INTERNAL: Final = (
    "Произошла внутренняя ошибка OData сервиса. "
    "Дополнительные сведения можно найти в технологическом журнале."
)


@dataclass(eq=False)
class ODataRefusal(Exception):
    """1C itself answered with an `odata.error`."""

    status: int
    code: str
    text: str
    english: str = ""

    def message(self, lang: str) -> str:
        """Return the text in the infobase's language, Russian where there is no other."""
        return self.english or self.text if lang == "en" else self.text


def unknown_set(name: str) -> ODataRefusal:
    """Refuse an address that is not published."""
    return ODataRefusal(
        404, "8", f'Сущность "{name}" не найдена.', f'Entity "{name}" is not found.'
    )


def no_instance(name: str) -> ODataRefusal:
    """Refuse a key that does not exist."""
    return ODataRefusal(
        404,
        "9",
        f'Экземпляр сущности "{name}" не найден по переданному ключу.',
        "Entity instance not found",
    )


def no_segment(name: str) -> ODataRefusal:
    """Refuse an unknown field."""
    return ODataRefusal(
        400, "6", f"Сегмент пути {name} не найден!", f"Path segment {name} not found!"
    )


def no_method(name: str) -> ODataRefusal:
    """Refuse an unknown function or action (code 6 as measured; the documented table has 11)."""
    return ODataRefusal(400, "6", f'Метод не найден "{name}"', f'Method not found "{name}"')


def bad_option(name: str) -> ODataRefusal:
    """Refuse a query option that cannot be parsed."""
    return ODataRefusal(
        400, "14", f"Ошибка при разборе опции запроса {name}", f"Error parsing query option {name}"
    )


def bad_value(text: object, edm: str) -> ODataRefusal:
    """Refuse a text that is no value of its type; the text is echoed."""
    return ODataRefusal(
        400,
        "1",
        f"Не удалось разобрать строку '{text}' как значение типа Edm.{edm}!",
        f"Cannot parse string '{text}' as a value of type Edm.{edm}!",
    )


def wrong_property(text: object, name: str) -> ODataRefusal:
    """Refuse a value that its property cannot take."""
    return ODataRefusal(400, "4", f"Недопустимое значение '{text}' для свойства {name}")


def wrong_composite(text: object) -> ODataRefusal:
    """Refuse the type name of a composite value: the prefix is missing or the type is unknown."""
    return ODataRefusal(400, "4", f"Недопустимое значение '{text}' для свойства составного типа")


def missing_key(name: str) -> ODataRefusal:
    """Refuse an incomplete key."""
    return ODataRefusal(400, "7", f"Не указан элемент ключа {name}")


def exists(name: str) -> ODataRefusal:
    """Refuse a second instance of one key."""
    return ODataRefusal(
        400, "15", f'Сущность "{name}" с такими ключевыми значениями уже существует!'
    )


def unsupported(text: str, english: str = "") -> ODataRefusal:
    """Refuse what the interface does not do at all."""
    return ODataRefusal(501, "0", text, english)


def incomparable(position: int) -> ODataRefusal:
    """Refuse a comparison the query language cannot make; a 500 and not the client's fault."""
    return ODataRefusal(
        500,
        "-1",
        f"{{(3, {position})}}: Неверные параметры в операции сравнения. "
        "Нельзя сравнивать поля неограниченной длины и поля несовместимых типов.",
    )


def plus_is_no_space() -> ODataRefusal:
    """Refuse a literal plus between the parts of `$filter`."""
    return ODataRefusal(500, "-1", 'Операция не разрешена в предложении "ГДЕ"')


def wrong_argument(function: str) -> ODataRefusal:
    """Refuse a function applied to a field of another type."""
    return ODataRefusal(500, "-1", f'Неверные параметры "{function}"')


def internal() -> ODataRefusal:
    """Refuse without an explanation."""
    return ODataRefusal(500, "-1", INTERNAL, "An internal OData service error occurred.")


def broken_json() -> ODataRefusal:
    """Refuse a body that is no JSON: a 500, not a 400."""
    return ODataRefusal(
        500, "-1", "Непредвиденный символ при чтении JSON", "Unexpected character when reading JSON"
    )


def by_handler(text: str, event: str = "ПередЗаписью") -> ODataRefusal:
    """Refuse by a rule of the configuration: a permanent refusal with status 500."""
    return ODataRefusal(
        500,
        "-1",
        f"Ошибка при выполнении обработчика - '{event}'\nпо причине:\n{text}",
        f"Error running processor — '{event}'\n{text}",
    )


def no_rights(status: int) -> ODataRefusal:
    """Refuse for want of rights, or for a forbidden row without `allowedOnly`."""
    return ODataRefusal(status, "20", "Нарушение прав доступа!", "Access violation!")


def forbidden_method(method: str) -> ODataRefusal:
    """Refuse an HTTP method this address does not have."""
    return ODataRefusal(
        405, "19", f"Использование HTTP метода {method} запрещено для этого ресурса"
    )


def changed_meanwhile() -> ODataRefusal:
    """Refuse a stale `If-Match`, as the guide describes and real publications do not."""
    return ODataRefusal(412, "-1", "Версия данных объекта не совпадает с переданной")


def rows_apart() -> ODataRefusal:
    """Refuse lines of a tabular section sent to its own address."""
    return ODataRefusal(400, "13", "Прямое создание строк табличных частей не поддерживается")
