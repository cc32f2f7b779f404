"""UT's entity sets, fields and words: the only room of the bridge with Cyrillic identifiers.

Rows (`…Row`) are what arrives, bodies (`…Body`) what is sent; both wear English names outside and
1C's on the wire. Every field that arrives may be null or absent: groups carry nulls, and releases
differ (facts/onec-odata.md §3.2, facts/ut11-metadata.md §2-§6, §9).
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

#: Names of types in links that open an object.
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

#: Year 1 is 1C's empty date; written with four digits or refused (facts/onec-odata.md §2.2).
EMPTY_DATE: Final = "0001-01-01T00:00:00"

#: Name and, from BSP 3.1 on, fixed reference of the users' set (facts/ut11-metadata.md §2.11).
USERS_PROPERTY_SET: Final = "Справочник_Пользователи"
USERS_PROPERTY_SET_REF: Final = "2bf06771-775a-406a-a5dc-45a10e98914f"

# ---------------------------------------------------------------- columns
_LINES: Final = "КонтактнаяИнформация"
_EXTRA: Final = "ДополнительныеРеквизиты"
_EXTRA_INFO: Final = "ДополнительныеСведения"


class Column(NamedTuple):
    """One name for `$select`; `Секция/Поле` for a column of a tabular section.

    *required*: without it the set is of no use to us. *everywhere*: every release has it, so it
    may be asked for before `$metadata` is known.
    """

    path: str
    required: bool = False
    in_every_release: bool = True

    @property
    def name(self) -> str:
        """The last segment of the path: the one 1C names when it refuses it."""
        return self.path.rpartition("/")[2]


def _must(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path, required=True) for path in paths)


def _may(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path) for path in paths)


def _newer(*paths: str) -> tuple[Column, ...]:
    return tuple(Column(path, in_every_release=False) for path in paths)


_OBJECT: Final = (
    *_must("Ref_Key", "DataVersion", "Description"),
    *_may("DeletionMark"),
    *_newer("IsFolder"),
)
_PHONES: Final = (
    *_must(f"{_LINES}/Тип", f"{_LINES}/Представление"),
    *_may(f"{_LINES}/НомерТелефона"),
)

#: What the bridge reads of each kind.
COLUMNS: Final = {
    EntityKind.MANAGER: (
        *_OBJECT,
        *_may("Недействителен", "Служебный"),
        *_may(f"{_EXTRA}/Свойство_Key", f"{_EXTRA}/Значение"),
        *_may(f"{_EXTRA}/Значение_Type", f"{_EXTRA}/ТекстоваяСтрока"),
    ),
    EntityKind.PARTNER: (
        *_OBJECT,
        *_must("ОсновнойМенеджер_Key"),
        *_may("Parent_Key", "Code", "Клиент", "PredefinedDataName"),
        *_PHONES,
    ),
    EntityKind.CONTACT: (
        *_OBJECT,
        *_must("Owner_Key"),
        *_may("ДолжностьПоВизитке", "ДатаПрекращенияСвязи"),
        *_PHONES,
    ),
    EntityKind.COUNTERPARTY: (*_OBJECT, *_must("Партнер_Key"), *_may("ИНН"), *_PHONES),
}

#: The second look at a phone asks for the whole section instead of naming its fat columns: that is
#: shorter, so more references fit into one address, and works whichever storages a release has.
PHONE_SECTION: Final = Column(_LINES)

#: The lines as sets of their own, in which owners are found by number; and what is asked for
#: of an owner found so (the whole section, as at a second look) and of the partners above him.
PHONE_LINE_SETS: Final = {
    kind: f"{ENTITY_SETS[kind]}_{_LINES}"
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
    *_must("Ref_Key"),
    *_may("PredefinedDataName"),
    *_newer("ИмяПредопределенногоНабора"),
    *_must(f"{_EXTRA}/Свойство_Key"),
    *_may(f"{_EXTRA}/ПометкаУдаления"),
    *_may(f"{_EXTRA_INFO}/Свойство_Key", f"{_EXTRA_INFO}/ПометкаУдаления"),
)
PROPERTY_COLUMNS: Final = (
    *_must("Ref_Key", "Description", "Заголовок"),
    *_may("DeletionMark", "ЭтоДополнительноеСведение"),
    *_may("ВладелецДополнительныхЗначений_Key"),
)
PROPERTY_VALUE_COLUMNS: Final = _must("Ref_Key", "Description")
PROPERTY_VALUE_OWNER: Final = "Owner_Key"
EXTRA_VALUE_COLUMNS: Final = _must("Объект", "Объект_Type", "Значение", "Значение_Type")
EXTRA_VALUE_PROPERTY: Final = "Свойство_Key"
REF_KEY: Final = "Ref_Key"
DATA_VERSION: Final = "DataVersion"
PHONE_CALL_COLUMNS: Final = _must("Ref_Key", "Number", "Date", "DeletionMark", "Комментарий")
PHONE_CALL_DATE: Final = "Date"
PHONE_CALL_HOW_TO_REACH: Final = "АбонентКакСвязаться"
PHONE_CALL_INCOMING: Final = "Входящий"
PHONE_CALL_DELETION_MARK: Final = "DeletionMark"
#: What a call as it stands is read by, and a call that a manager orders.
WRITTEN_CALL_COLUMNS: Final = (
    *_must("Ref_Key", "DataVersion", "DeletionMark"),
    *_must("Тема", "Описание", "Комментарий", "Ответственный_Key"),
)
CALL_REQUEST_COLUMNS: Final = (
    *_must("Ref_Key", "Date", "Тема", "Описание", "Комментарий", PHONE_CALL_HOW_TO_REACH),
    *_must("Ответственный_Key", "Автор_Key", "АбонентКонтакт", "АбонентКонтакт_Type"),
)
SUBJECT_COLUMNS: Final = _must("Взаимодействие", "Взаимодействие_Type")
SUBJECT_CALL: Final = "Взаимодействие"
REMINDER_COLUMNS: Final = _must("Пользователь_Key", "ВремяСобытия", "Источник", "Источник_Type")
REMINDER_USER: Final = "Пользователь_Key"
REMINDER_TIME: Final = "ВремяСобытия"
REMINDER_SOURCE: Final = "Источник"
REMINDER_DUE_TIME: Final = "СрокНапоминания"
WRITTEN_REMINDER_COLUMNS: Final = (*REMINDER_COLUMNS, *_must(REMINDER_DUE_TIME, "Описание"))

# ---------------------------------------------------------------- rows
Row = TypeVar("Row")


class RowPage(Struct, Generic[Row], gc=False):
    """A collection; an answer without `value` is not 1C's, however well-formed."""

    value: list[Row]
    count: str | int | None = field(name="odata.count", default=None)


class ListingRow(Struct, gc=False):
    """What a listing holds of each object."""

    ref: str = field(name="Ref_Key")
    version: str | None = field(name="DataVersion", default=None)


class PhoneLineRow(Struct, gc=False):
    """One line of the contact information; the storages come only at a second look."""

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
    property_values: list[PropertyValueRow] | None = field(name=_EXTRA, default=None)


class OwnerRow(ObjectRow, gc=False):
    """Whoever may own telephones."""

    contact_lines: list[PhoneLineRow] | None = field(name=_LINES, default=None)


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
    attributes: list[PropertySetMemberRow] | None = field(name=_EXTRA, default=None)
    register_properties: list[PropertySetMemberRow] | None = field(name=_EXTRA_INFO, default=None)


class PropertyRow(Struct, gc=False):
    """An additional attribute; *in_register* when its values stand in the register."""

    ref: str = field(name="Ref_Key")
    name: str | None = field(name="Description", default=None)
    title: str | None = field(name="Заголовок", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    in_register: bool | None = field(name="ЭтоДополнительноеСведение", default=None)
    list_owner: str | None = field(name="ВладелецДополнительныхЗначений_Key", default=None)


class PhoneCallRow(Struct, gc=False):
    """A phone call document, as far as it tells whether it is ours."""

    ref: str = field(name="Ref_Key")
    number: str | None = field(name="Number", default=None)
    at: str | None = field(name="Date", default=None)
    deletion_mark: bool | None = field(name="DeletionMark", default=None)
    comment: str | None = field(name="Комментарий", default=None)


class WrittenPhoneCallRow(Struct, gc=False):
    """A phone call document as it stands, as far as the bridge may change it."""

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
    """A reminder: its key, and where it is asked for, what stands in it."""

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
    """The sign by which a call counts as looked at."""

    considered: bool = field(name="Рассмотрено")


class ReminderTextBody(Struct, kw_only=True):
    """The text of a reminder and nothing else: when it is due is its user's."""

    text: str = field(name="Описание")


#: Everything the bridge touches: what `onec-bridge check` looks for in the publication.
USED_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    **{ENTITY_SETS[kind]: columns for kind, columns in COLUMNS.items()},
    PROPERTY_SETS: PROPERTY_SET_COLUMNS,
    PROPERTIES: PROPERTY_COLUMNS,
    PROPERTY_VALUES: PROPERTY_VALUE_COLUMNS,
    EXTRA_VALUES: EXTRA_VALUE_COLUMNS,
    PHONE_CALLS: _must(
        DATA_VERSION, "Number", PHONE_CALL_DELETION_MARK, *PhoneCallBody.__struct_encode_fields__
    ),
    SUBJECTS: _must(*SubjectBody.__struct_encode_fields__),
    REMINDERS: _must(*ReminderBody.__struct_encode_fields__),
}

#: Sets the bridge can do without: list values and additional information are one way of several.
OPTIONAL_SETS: Final = frozenset({PROPERTY_VALUES, EXTRA_VALUES})

# ---------------------------------------------------------------- words
#: `Тип` of the lines that are telephones; faxes are another type and nobody calls from them.
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

#: By these 1C's texts of passing trouble are known, folded (facts/onec-odata.md §5.3-5.4).
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
#: The same where a web server or a page says it.
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
