"""UT's entity sets, fields and phrases as one table, so that it may be long: all Cyrillic is here.

Rows (`…Row`) are what arrives, bodies (`…Body`) what is sent; both have English names in Python and
1C's on the wire. Every field that arrives may be null or absent: groups have nulls, and releases
differ. Source: docs/facts/onec-odata.md, 'Values in JSON'; docs/facts/ut11.md, 'Entity sets' and
'Differences between releases'.
"""

from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import EMPTY_REF, EntityKind

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
ENTITY_SETS: Final = {
    EntityKind.MANAGER: MANAGERS,
    EntityKind.PARTNER: PARTNERS,
    EntityKind.CONTACT: CONTACT_PERSONS,
    EntityKind.COUNTERPARTY: COUNTERPARTIES,
}

#: Names of types in links that open an object in 1C.
LINK_TYPES: Final = {
    CandidateKind.CONTACT: "Справочник.КонтактныеЛицаПартнеров",
    CandidateKind.PARTNER: "Справочник.Партнеры",
    CandidateKind.COUNTERPARTY: "Справочник.Контрагенты",
}

TYPE_PREFIX: Final = "StandardODATA."
PRIMITIVE_PREFIX: Final = "Edm."
UNDEFINED_TYPE: Final = TYPE_PREFIX + "Undefined"
LIST_VALUE_TYPE: Final = TYPE_PREFIX + PROPERTY_VALUES
MANAGER_TYPE: Final = TYPE_PREFIX + MANAGERS
PHONE_CALL_TYPE: Final = TYPE_PREFIX + PHONE_CALLS

#: Types of the objects that a phone call may have as its contact.
CONTACT_TYPES: Final = {
    CandidateKind.CONTACT: TYPE_PREFIX + CONTACT_PERSONS,
    CandidateKind.PARTNER: TYPE_PREFIX + PARTNERS,
}

#: 1C's empty date is in the year 1; 1C refuses a year of fewer than four digits.
#: Source: docs/facts/onec-odata.md, 'Filter'.
EMPTY_DATE: Final = "0001-01-01T00:00:00"

#: Name and, from BSP 3.1 on, fixed reference of the users' property set.
#: Source: docs/facts/ut11.md, 'Additional attributes'.
USERS_PROPERTY_SET: Final = "Справочник_Пользователи"
USERS_PROPERTY_SET_REF: Final = "2bf06771-775a-406a-a5dc-45a10e98914f"

# ---------------------------------------------------------------- columns
_CONTACT_LINES: Final = "КонтактнаяИнформация"
_ATTRIBUTES: Final = "ДополнительныеРеквизиты"
_REGISTER_PROPERTIES: Final = "ДополнительныеСведения"


class Column(NamedTuple):
    """One name for `$select`; `Секция/Поле` for a column of a tabular section.

    *required*: without it the set is of no use to us. *in_every_release*: it may be selected
    before `$metadata` is known.
    """

    path: str
    required: bool = False
    in_every_release: bool = True

    @property
    def name(self) -> str:
        """Return the last segment of the path: the one 1C names when it refuses the column."""
        return self.path.rpartition("/")[2]


def _required(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path, required=True) for path in paths)


def _optional(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path) for path in paths)


def _of_newer_releases(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path, in_every_release=False) for path in paths)


_OBJECT: Final = (
    *_required("Ref_Key", "DataVersion", "Description"),
    *_optional("DeletionMark"),
    *_of_newer_releases("IsFolder"),
)
_PHONES: Final = (
    *_required(f"{_CONTACT_LINES}/Тип", f"{_CONTACT_LINES}/Представление"),
    *_optional(f"{_CONTACT_LINES}/НомерТелефона"),
)

#: What the bridge reads of each kind.
COLUMNS: Final = {
    EntityKind.MANAGER: (
        *_OBJECT,
        *_optional("Недействителен", "Служебный"),
        *_optional(f"{_ATTRIBUTES}/Свойство_Key", f"{_ATTRIBUTES}/Значение"),
        *_optional(f"{_ATTRIBUTES}/Значение_Type", f"{_ATTRIBUTES}/ТекстоваяСтрока"),
    ),
    EntityKind.PARTNER: (
        *_OBJECT,
        *_required("ОсновнойМенеджер_Key"),
        *_optional("Parent_Key", "Code", "Клиент", "PredefinedDataName"),
        *_PHONES,
    ),
    EntityKind.CONTACT: (
        *_OBJECT,
        *_required("Owner_Key"),
        *_optional("ДолжностьПоВизитке", "ДатаПрекращенияСвязи"),
        *_PHONES,
    ),
    EntityKind.COUNTERPARTY: (*_OBJECT, *_required("Партнер_Key"), *_optional("ИНН"), *_PHONES),
}

#: Storages of phones are read by selecting the whole section: that is shorter than the names of
#: its large columns, so more references fit into one address, and every release has it.
PHONE_SECTION: Final = Column(_CONTACT_LINES)

#: The lines as entity sets of their own, in which owners are found by number; and what is selected
#: of an owner found so (with the whole section of phones) and of the partners above.
PHONE_LINE_SETS: Final = {
    kind: f"{ENTITY_SETS[kind]}_{_CONTACT_LINES}"
    for kind in (EntityKind.CONTACT, EntityKind.PARTNER, EntityKind.COUNTERPARTY)
}
PHONE_LINE_TYPE: Final = "Тип"
PHONE_LINE_NUMBER: Final = "НомерТелефона"
PHONE_LINE_PRESENTATION: Final = "Представление"
PHONE_LINE_TEXT_STORAGE: Final = "ЗначенияПолей"
PHONE_LINE_JSON_STORAGE: Final = "Значение"
LOOKUP_COLUMNS: Final = {
    kind: (*(c for c in COLUMNS[kind] if c not in _PHONES), PHONE_SECTION)
    for kind in PHONE_LINE_SETS
}
PARENT_PARTNER_COLUMNS: Final = tuple(c for c in COLUMNS[EntityKind.PARTNER] if c not in _PHONES)

PROPERTY_SET_COLUMNS: Final = (
    *_required("Ref_Key"),
    *_optional("PredefinedDataName"),
    *_of_newer_releases("ИмяПредопределенногоНабора"),
    *_required(f"{_ATTRIBUTES}/Свойство_Key"),
    *_optional(f"{_ATTRIBUTES}/ПометкаУдаления"),
    *_optional(f"{_REGISTER_PROPERTIES}/Свойство_Key", f"{_REGISTER_PROPERTIES}/ПометкаУдаления"),
)
PROPERTY_COLUMNS: Final = (
    *_required("Ref_Key", "Description", "Заголовок"),
    *_optional("DeletionMark", "ЭтоДополнительноеСведение"),
    *_optional("ВладелецДополнительныхЗначений_Key"),
)
PROPERTY_VALUE_COLUMNS: Final = _required("Ref_Key", "Description")
PROPERTY_VALUE_OWNER: Final = "Owner_Key"
EXTRA_VALUE_COLUMNS: Final = _required("Объект", "Объект_Type", "Значение", "Значение_Type")
EXTRA_VALUE_PROPERTY: Final = "Свойство_Key"
REF_KEY: Final = "Ref_Key"
DATA_VERSION: Final = "DataVersion"
PHONE_CALL_COLUMNS: Final = _required("Ref_Key", "Number", "Date", "DeletionMark", "Комментарий")
PHONE_CALL_DATE: Final = "Date"
PHONE_CALL_HOW_TO_REACH: Final = "АбонентКакСвязаться"
PHONE_CALL_INCOMING: Final = "Входящий"
PHONE_CALL_DELETION_MARK: Final = "DeletionMark"
#: What is selected of a call that is to be changed, and of a call that a manager orders.
WRITTEN_CALL_COLUMNS: Final = (
    *_required("Ref_Key", "DataVersion", "DeletionMark"),
    *_required("Тема", "Описание", "Комментарий", "Ответственный_Key"),
)
CALL_REQUEST_COLUMNS: Final = (
    *_required("Ref_Key", "Date", "Тема", "Описание", "Комментарий", PHONE_CALL_HOW_TO_REACH),
    *_required("Ответственный_Key", "Автор_Key", "АбонентКонтакт", "АбонентКонтакт_Type"),
)
SUBJECT_COLUMNS: Final = _required("Взаимодействие", "Взаимодействие_Type")
SUBJECT_CALL: Final = "Взаимодействие"
REMINDER_COLUMNS: Final = _required("Пользователь_Key", "ВремяСобытия", "Источник", "Источник_Type")
REMINDER_USER: Final = "Пользователь_Key"
REMINDER_TIME: Final = "ВремяСобытия"
REMINDER_SOURCE: Final = "Источник"
REMINDER_DUE_TIME: Final = "СрокНапоминания"
WRITTEN_REMINDER_COLUMNS: Final = (*REMINDER_COLUMNS, *_required(REMINDER_DUE_TIME, "Описание"))

# ---------------------------------------------------------------- rows
Row = TypeVar("Row")


class RowPage(Struct, Generic[Row], gc=False):
    """A page of rows; an answer without `value` is not 1C's, however well-formed."""

    value: list[Row]
    count: str | int | None = field(name="odata.count", default=None)


class ListingRow(Struct, gc=False):
    """One object in a listing."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)


class PhoneLineRow(Struct, gc=False):
    """One line of the contact information; its storages are selected for unread phones only."""

    type: str | None = field(name="Тип", default=None)
    presentation: str | None = field(name="Представление", default=None)
    number: str | None = field(name="НомерТелефона", default=None)
    json_storage: str | None = field(name="Значение", default=None)
    text_storage: str | None = field(name="ЗначенияПолей", default=None)


class PropertyValueRow(Struct, gc=False):
    """A value of the extension attribute, at a user or in the register of additional values."""

    property: str | None = field(name="Свойство_Key", default=None)
    value: str | int | float | bool | None = field(name="Значение", default=None)
    type: str | None = field(name="Значение_Type", default=None)
    long_text: str | None = field(name="ТекстоваяСтрока", default=None)
    owner: str | None = field(name="Объект", default=None)
    owner_type: str | None = field(name="Объект_Type", default=None)


class ObjectRow(ListingRow, gc=False):
    """What every catalog element has."""

    name: str | None = field(name="Description", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    is_folder: bool | None = field(name="IsFolder", default=None)


class ManagerRow(ObjectRow, gc=False):
    """A user."""

    invalid: bool | None = field(name="Недействителен", default=None)
    service: bool | None = field(name="Служебный", default=None)
    property_values: list[PropertyValueRow] | None = field(name=_ATTRIBUTES, default=None)


class OwnerRow(ObjectRow, gc=False):
    """An object that may have phones."""

    contact_lines: list[PhoneLineRow] | None = field(name=_CONTACT_LINES, default=None)


class PartnerRow(OwnerRow, gc=False):
    """A partner."""

    code: str | None = field(name="Code", default=None)
    parent: str | None = field(name="Parent_Key", default=None)
    manager: str | None = field(name="ОсновнойМенеджер_Key", default=None)
    customer: bool | None = field(name="Клиент", default=None)
    predefined: str | None = field(name="PredefinedDataName", default=None)


class ContactPersonRow(OwnerRow, gc=False):
    """A contact person of a partner."""

    partner: str | None = field(name="Owner_Key", default=None)
    position: str | None = field(name="ДолжностьПоВизитке", default=None)
    ended: str | None = field(name="ДатаПрекращенияСвязи", default=None)


class CounterpartyRow(OwnerRow, gc=False):
    """A legal entity."""

    partner: str | None = field(name="Партнер_Key", default=None)
    tax_id: str | None = field(name="ИНН", default=None)


class PropertySetMemberRow(Struct, gc=False):
    """One property in a property set."""

    property: str | None = field(name="Свойство_Key", default=None)
    deletion_mark: bool | None = field(name="ПометкаУдаления", default=None)


class PropertySetRow(Struct, gc=False):
    """A property set: which additional attributes the objects of one catalog have."""

    ref: str = field(name="Ref_Key")
    predefined: str | None = field(name="PredefinedDataName", default=None)
    name: str | None = field(name="ИмяПредопределенногоНабора", default=None)
    attributes: list[PropertySetMemberRow] | None = field(name=_ATTRIBUTES, default=None)
    register_properties: list[PropertySetMemberRow] | None = field(
        name=_REGISTER_PROPERTIES, default=None
    )


class PropertyRow(Struct, gc=False):
    """An additional attribute; *in_register* when its values stand in the register."""

    ref: str = field(name="Ref_Key")
    name: str | None = field(name="Description", default=None)
    title: str | None = field(name="Заголовок", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    in_register: bool | None = field(name="ЭтоДополнительноеСведение", default=None)
    list_owner: str | None = field(name="ВладелецДополнительныхЗначений_Key", default=None)


class PhoneCallRow(Struct, gc=False):
    """A phone call document, as far as is needed to know whether it is ours."""

    ref: str = field(name="Ref_Key")
    number: str | None = field(name="Number", default=None)
    at: str | None = field(name="Date", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    comment: str | None = field(name="Комментарий", default=None)


class WrittenPhoneCallRow(Struct, gc=False):
    """A phone call document as it is now, as far as the bridge may change it."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    subject: str | None = field(name="Тема", default=None)
    description: str | None = field(name="Описание", default=None)
    comment: str | None = field(name="Комментарий", default=None)
    responsible: str | None = field(name="Ответственный_Key", default=None)


class CallRequestRow(Struct, gc=False):
    """An outgoing phone call document that may order a call."""

    ref: str = field(name="Ref_Key")
    at: str | None = field(name="Date", default=None)
    subject: str | None = field(name="Тема", default=None)
    description: str | None = field(name="Описание", default=None)
    comment: str | None = field(name="Комментарий", default=None)
    how_to_reach: str | None = field(name=PHONE_CALL_HOW_TO_REACH, default=None)
    responsible: str | None = field(name="Ответственный_Key", default=None)
    author: str | None = field(name="Автор_Key", default=None)
    contact: str | None = field(name="АбонентКонтакт", default=None)
    contact_type: str | None = field(name="АбонентКонтакт_Type", default=None)


class SubjectRow(Struct, gc=False):
    """The key of a call's subject record."""

    call: str | None = field(name=SUBJECT_CALL, default=None)


class ReminderRow(Struct, gc=False):
    """A reminder: its key, and where they are selected, its due time and text."""

    user: str | None = field(name=REMINDER_USER, default=None)
    at: str | None = field(name=REMINDER_TIME, default=None)
    source: str | None = field(name=REMINDER_SOURCE, default=None)
    due: str | None = field(name=REMINDER_DUE_TIME, default=None)
    text: str | None = field(name="Описание", default=None)


# ---------------------------------------------------------------- bodies
class PhoneCallBody(Struct, kw_only=True):
    """The phone call document, every field sent: 1C fills nothing over OData."""

    ref: str = field(name="Ref_Key")
    at: str = field(name="Date")
    incoming: bool = field(name="Входящий")
    subject: str = field(name="Тема")
    description: str = field(name="Описание")
    contact: str = field(name="АбонентКонтакт")
    contact_type: str = field(name="АбонентКонтакт_Type")
    presentation: str = field(name="АбонентПредставление")
    how_to_reach: str = field(name=PHONE_CALL_HOW_TO_REACH)
    author: str = field(name="Автор_Key")
    responsible: str = field(name="Ответственный_Key")
    comment: str = field(name="Комментарий")
    importance: str = field(name="Важность", default="Обычная")
    basis: str = field(name="ВзаимодействиеОснование", default="")
    basis_type: str = field(name="ВзаимодействиеОснование_Type", default=UNDEFINED_TYPE)


class SubjectBody(Struct, kw_only=True):
    """The record that shows a call in its partner's list; a call is its own subject."""

    call: str = field(name=SUBJECT_CALL)
    subject: str = field(name="Предмет")
    call_type: str = field(name=f"{SUBJECT_CALL}_Type", default=PHONE_CALL_TYPE)
    subject_type: str = field(name="Предмет_Type", default=PHONE_CALL_TYPE)
    mail_folder: str = field(name="ПапкаЭлектронногоПисьма_Key", default=EMPTY_REF)
    considered: bool = field(name="Рассмотрено", default=False)
    consider_after: str = field(name="РассмотретьПосле", default=EMPTY_DATE)


class ReminderBody(Struct, kw_only=True):
    """A reminder. The interval is an Int64, which 1C was seen to drop: it is not sent."""

    user: str = field(name=REMINDER_USER)
    at: str = field(name=REMINDER_TIME)
    source: str = field(name=REMINDER_SOURCE)
    due: str = field(name=REMINDER_DUE_TIME)
    text: str = field(name="Описание")
    source_type: str = field(name=f"{REMINDER_SOURCE}_Type", default=PHONE_CALL_TYPE)
    method: str = field(name="СпособУстановкиВремениНапоминания", default="ВУказанноеВремя")
    attribute: str = field(name="ИмяРеквизитаИсточника", default="")
    source_presentation: str = field(name="ПредставлениеИсточника", default="")
    identifier: str = field(name="Идентификатор", default="")


class DeletionMarkBody(Struct):
    """The deletion mark."""

    deletion_mark: bool = field(name="DeletionMark", default=True)


class PhoneCallChangeBody(Struct, kw_only=True):
    """Fields of a phone call document to be changed; what is unset is not sent."""

    subject: str | UnsetType = field(name="Тема", default=UNSET)
    description: str | UnsetType = field(name="Описание", default=UNSET)
    comment: str | UnsetType = field(name="Комментарий", default=UNSET)
    responsible: str | UnsetType = field(name="Ответственный_Key", default=UNSET)


class ConsideredBody(Struct, kw_only=True):
    """The flag by which a call counts as considered."""

    considered: bool = field(name="Рассмотрено")


class ReminderTextBody(Struct, kw_only=True):
    """The text of a reminder and nothing else: when it is due is its user's."""

    text: str = field(name="Описание")


#: Everything the bridge uses: what `onec-bridge check` looks for in the publication.
USED_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    **{ENTITY_SETS[kind]: columns for kind, columns in COLUMNS.items()},
    PROPERTY_SETS: PROPERTY_SET_COLUMNS,
    PROPERTIES: PROPERTY_COLUMNS,
    PROPERTY_VALUES: PROPERTY_VALUE_COLUMNS,
    EXTRA_VALUES: EXTRA_VALUE_COLUMNS,
    PHONE_CALLS: _required(
        DATA_VERSION, "Number", PHONE_CALL_DELETION_MARK, *PhoneCallBody.__struct_encode_fields__
    ),
    SUBJECTS: _required(*SubjectBody.__struct_encode_fields__),
    REMINDERS: _required(*ReminderBody.__struct_encode_fields__),
}

#: Sets the bridge can do without: list values and additional information are one way of several.
OPTIONAL_SETS: Final = frozenset({PROPERTY_VALUES, EXTRA_VALUES})

# ---------------------------------------------------------------- texts
#: `Тип` of the lines that are phones; faxes are another type, and no calls come from them.
PHONE_CONTACT_TYPE: Final = "Телефон"

#: Between a number and its extension; `read_phones` knows it.
EXTENSION_SEPARATOR: Final = ", доб. "

#: The parts of a phone in its storages: XML attributes, `Ключ=Значение` lines and JSON members.
PHONE_STORAGE_KEYS: Final = {
    "country": ("countryCode", "КодСтраны"),
    "area": ("areaCode", "КодГорода"),
    "number": ("number", "Номер", "НомерТелефона"),
    "extension": ("extNumber", "Добавочный"),
    "whole": ("value", "Представление"),
}

#: Phrases, folded, in 1C's messages that name the cause of a failure.
#: Source: docs/facts/onec-odata.md, 'Errors'.
LOCK_PHRASES: Final = ("ошибка блокировки данных", "конфликт блокировок", "lock conflict")
MEMORY_PHRASES: Final = ("недостаточно памяти", "not enough memory", "32767")
LICENCE_PHRASES: Final = (
    "свободной лицензии",
    "не найдена лицензия",
    "не обнаружена лицензия",
    "license not found",
    "no free license",
    "free license",
)
RIGHTS_PHRASES: Final = ("нарушение прав доступа", "access rights violation", "access violation!")
#: The same in pages of web servers and of the platform.
PAGE_RIGHTS_PHRASES: Final = (
    *RIGHTS_PHRASES,
    "недостаточно прав",
    "insufficient access rights",
    "insufficient rights",
    "идентификация пользователя не выполнена",
    "неправильное имя или пароль",
    "неверное имя пользователя или пароль",
    "user authentication failed",
)
BLOCK_PHRASES: Final = (
    "начало сеанса с информационной базой запрещено",
    "база заблокирована",
    "база данных заблокирована",
    "сеансы заблокированы",
    "заблокирована администратором",
    "infobase is locked",
    "session start is not allowed",
    "session start with the infobase",
)
EXCLUSIVE_PHRASES: Final = ("монопольн", "exclusive mode", "exclusive lock")
CAUSE_PHRASES: Final = (
    PAGE_RIGHTS_PHRASES,
    BLOCK_PHRASES,
    EXCLUSIVE_PHRASES,
    LICENCE_PHRASES,
    LOCK_PHRASES,
    MEMORY_PHRASES,
)
REASON_PHRASES: Final = ("by reason:", "по причине:")
