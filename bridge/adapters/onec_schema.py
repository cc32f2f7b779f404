"""UT's entity sets, fields and words: the only room with 1C identifiers, and with Cyrillic.

Rows (`…Row`) are what arrives, bodies (`…Body`) what is sent; both wear English names outside and
1C's on the wire. Every field that arrives may be null or absent: groups carry nulls, and releases
differ (facts/onec-odata.md §3.2, facts/ut11-metadata.md §2-§6, §9).
"""

from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from bridge.domain.directory import EntityKind

# ---------------------------------------------------------------- entity sets
MANAGERS: Final = "Catalog_Пользователи"
PARTNERS: Final = "Catalog_Партнеры"
CONTACT_PERSONS: Final = "Catalog_КонтактныеЛицаПартнеров"
COUNTERPARTIES: Final = "Catalog_Контрагенты"
PROPERTY_SETS: Final = "Catalog_НаборыДополнительныхРеквизитовИСведений"
PROPERTIES: Final = "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"
PROPERTY_VALUES: Final = "Catalog_ЗначенияСвойствОбъектов"
EXTRA_VALUES: Final = "InformationRegister_ДополнительныеСведения"
PHONE_CALLS: Final = "Document_ТелефонныйЗвонок"
SUBJECTS: Final = "InformationRegister_ПредметыПапкиВзаимодействий"
REMINDERS: Final = "InformationRegister_НапоминанияПользователя"

#: The listing of each kind.
SETS: Final = {
    EntityKind.MANAGER: MANAGERS,
    EntityKind.PARTNER: PARTNERS,
    EntityKind.CONTACT: CONTACT_PERSONS,
    EntityKind.COUNTERPARTY: COUNTERPARTIES,
}

#: Types of composite values on the wire.
TYPE_PREFIX: Final = "StandardODATA."
UNDEFINED: Final = "StandardODATA.Undefined"


# ---------------------------------------------------------------- columns
class Column(NamedTuple):
    """One name for `$select`, `Секция/Поле` for a column of a tabular section.

    *required*: without it the set is of no use to us. *everywhere*: every release has it, so it
    may be asked for before `$metadata` is known.
    """

    path: str
    required: bool = False
    everywhere: bool = True


_LINES: Final = "КонтактнаяИнформация"
_EXTRA: Final = "ДополнительныеРеквизиты"
_EXTRA_INFO: Final = "ДополнительныеСведения"

_OBJECT: Final = (
    Column("Ref_Key", required=True),
    Column("DataVersion", required=True),
    Column("Description", required=True),
    Column("DeletionMark"),
    Column("IsFolder", everywhere=False),
)

_PHONES: Final = (
    Column(f"{_LINES}/Тип", required=True),
    Column(f"{_LINES}/Представление", required=True),
    Column(f"{_LINES}/НомерТелефона"),
)

#: What the bridge reads of each kind.
COLUMNS: Final[dict[EntityKind, tuple[Column, ...]]] = {
    EntityKind.MANAGER: (
        *_OBJECT,
        Column("Недействителен"),
        Column("Служебный"),
        Column(f"{_EXTRA}/Свойство_Key"),
        Column(f"{_EXTRA}/Значение"),
        Column(f"{_EXTRA}/Значение_Type"),
        Column(f"{_EXTRA}/ТекстоваяСтрока"),
    ),
    EntityKind.PARTNER: (
        *_OBJECT,
        Column("Code"),
        Column("Parent_Key"),
        Column("ОсновнойМенеджер_Key", required=True),
        Column("Клиент"),
        Column("PredefinedDataName"),
        *_PHONES,
    ),
    EntityKind.CONTACT: (
        *_OBJECT,
        Column("Owner_Key", required=True),
        Column("ДолжностьПоВизитке"),
        Column("ДатаПрекращенияСвязи"),
        *_PHONES,
    ),
    EntityKind.COUNTERPARTY: (
        *_OBJECT,
        Column("Партнер_Key", required=True),
        Column("ИНН"),
        *_PHONES,
    ),
}

#: The second look at a phone asks for the whole section: shorter than naming its two fat columns,
#: so more references fit into one address, and whichever storages the release has come along.
WHOLE_SECTION: Final = _LINES

PROPERTY_SET_COLUMNS: Final = (
    Column("Ref_Key", required=True),
    Column("PredefinedDataName"),
    Column("ИмяПредопределенногоНабора", everywhere=False),
    Column(f"{_EXTRA}/Свойство_Key", required=True),
    Column(f"{_EXTRA}/ПометкаУдаления"),
    Column(f"{_EXTRA_INFO}/Свойство_Key"),
    Column(f"{_EXTRA_INFO}/ПометкаУдаления"),
)
PROPERTY_COLUMNS: Final = (
    Column("Ref_Key", required=True),
    Column("Description", required=True),
    Column("DeletionMark"),
    Column("Заголовок", required=True),
    Column("ЭтоДополнительноеСведение"),
    Column("ДополнительныеЗначенияИспользуются"),
    Column("ВладелецДополнительныхЗначений_Key"),
)
_VALUE_COLUMNS: Final = (Column("Ref_Key", required=True), Column("Description", required=True))
_EXTRA_VALUE_COLUMNS: Final = tuple(
    Column(path, required=True) for path in ("Объект", "Объект_Type", "Значение", "Значение_Type")
)
_PHONE_CALL_COLUMNS: Final = tuple(
    Column(path, required=True)
    for path in (
        "Ref_Key", "Number", "Date", "DeletionMark", "Комментарий", "АбонентКакСвязаться",
        "АбонентКонтакт", "АбонентКонтакт_Type", "АбонентПредставление", "Автор_Key",
        "Ответственный_Key", "Важность", "Входящий", "Описание", "Тема",
    )
)  # fmt: skip
_SUBJECT_COLUMNS: Final = tuple(
    Column(path, required=True)
    for path in ("Взаимодействие", "Взаимодействие_Type", "Предмет", "Предмет_Type", "Рассмотрено")
)
_REMINDER_COLUMNS: Final = tuple(
    Column(path, required=True)
    for path in (
        "Пользователь_Key", "ВремяСобытия", "Источник", "Источник_Type", "СрокНапоминания",
        "Описание", "СпособУстановкиВремениНапоминания",
    )
)  # fmt: skip

#: Everything the bridge touches: what `onec-bridge check` looks for in the publication.
NEEDED: Final[dict[str, tuple[Column, ...]]] = {
    **{SETS[kind]: columns for kind, columns in COLUMNS.items()},
    PROPERTY_SETS: PROPERTY_SET_COLUMNS,
    PROPERTIES: PROPERTY_COLUMNS,
    PROPERTY_VALUES: _VALUE_COLUMNS,
    EXTRA_VALUES: _EXTRA_VALUE_COLUMNS,
    PHONE_CALLS: _PHONE_CALL_COLUMNS,
    SUBJECTS: _SUBJECT_COLUMNS,
    REMINDERS: _REMINDER_COLUMNS,
}

#: Sets a bridge can live without: list values and additional information are one way of many.
SPARE_SETS: Final = frozenset({PROPERTY_VALUES, EXTRA_VALUES})

# ---------------------------------------------------------------- the extension attribute
#: Name and, from BSP 3.1 on, fixed reference of the users' set (facts/ut11-metadata.md §2.11).
USERS_SET: Final = "Справочник_Пользователи"
USERS_SET_REF: Final = "2bf06771-775a-406a-a5dc-45a10e98914f"
VALUE_OWNER: Final = "Owner_Key"
VALUE_PROPERTY: Final = "Свойство_Key"
MANAGER_TYPE: Final = TYPE_PREFIX + MANAGERS

# ---------------------------------------------------------------- rows
Row = TypeVar("Row")


class Page(Struct, Generic[Row], gc=False):
    """A collection; without `value` it is not 1C's, however well-formed."""

    value: list[Row]
    count: str | int | None = field(name="odata.count", default=None)


class ListingRow(Struct, gc=False):
    """What a listing holds of each object."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)


class ContactLineRow(Struct, gc=False):
    """One line of the contact information; the last two come only at a second look."""

    type: str | None = field(name="Тип", default=None)
    shown: str | None = field(name="Представление", default=None)
    digits: str | None = field(name="НомерТелефона", default=None)
    json_storage: str | None = field(name="Значение", default=None)
    text_storage: str | None = field(name="ЗначенияПолей", default=None)


#: `Тип` of the lines that are telephones; faxes are another type and nobody calls from them.
PHONE_LINE: Final = "Телефон"


class AttributeRow(Struct, gc=False):
    """One additional attribute of a user."""

    property: str | None = field(name="Свойство_Key", default=None)
    value: str | int | float | bool | None = field(name="Значение", default=None)
    type: str | None = field(name="Значение_Type", default=None)
    long_text: str | None = field(name="ТекстоваяСтрока", default=None)


class ManagerRow(Struct, gc=False):
    """A user."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)
    name: str | None = field(name="Description", default=None)
    marked: bool | None = field(name="DeletionMark", default=None)
    folder: bool | None = field(name="IsFolder", default=None)
    invalid: bool | None = field(name="Недействителен", default=None)
    service: bool | None = field(name="Служебный", default=None)
    attributes: list[AttributeRow] | None = field(name=_EXTRA, default=None)


class PartnerRow(Struct, gc=False):
    """A partner."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)
    name: str | None = field(name="Description", default=None)
    marked: bool | None = field(name="DeletionMark", default=None)
    folder: bool | None = field(name="IsFolder", default=None)
    code: str | None = field(name="Code", default=None)
    parent: str | None = field(name="Parent_Key", default=None)
    manager: str | None = field(name="ОсновнойМенеджер_Key", default=None)
    customer: bool | None = field(name="Клиент", default=None)
    predefined: str | None = field(name="PredefinedDataName", default=None)
    lines: list[ContactLineRow] | None = field(name=_LINES, default=None)


class ContactPersonRow(Struct, gc=False):
    """A contact person of a partner."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)
    name: str | None = field(name="Description", default=None)
    marked: bool | None = field(name="DeletionMark", default=None)
    folder: bool | None = field(name="IsFolder", default=None)
    partner: str | None = field(name="Owner_Key", default=None)
    position: str | None = field(name="ДолжностьПоВизитке", default=None)
    ended: str | None = field(name="ДатаПрекращенияСвязи", default=None)
    lines: list[ContactLineRow] | None = field(name=_LINES, default=None)


class CounterpartyRow(Struct, gc=False):
    """A legal entity."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)
    name: str | None = field(name="Description", default=None)
    marked: bool | None = field(name="DeletionMark", default=None)
    folder: bool | None = field(name="IsFolder", default=None)
    partner: str | None = field(name="Партнер_Key", default=None)
    tax_id: str | None = field(name="ИНН", default=None)
    lines: list[ContactLineRow] | None = field(name=_LINES, default=None)
