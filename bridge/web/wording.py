"""The words of the console, in Russian and English."""

from datetime import timedelta

from bridge.domain.texts import Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Мост 1С и АТС", "1C and PBX bridge"),
    "live": ("на связи", "live"),
    "lost": ("нет связи с мостом", "no connection to the bridge"),
    "onec": ("1С", "1C"),
    "onec_up": ("отвечает", "answers"),
    "onec_down": ("недоступна", "is away"),
    "onec_down_hint": (
        "Звонки идут по справочнику моста, запись в 1С подождёт. Причина:",
        "Calls are routed from the bridge's index, writing waits. The reason:",
    ),
    "onec_unknown": ("ещё не спрашивали", "not asked yet"),
    "freshness": ("Данные сверены", "Data proven"),
    "never": ("ещё ни разу", "never yet"),
    "never_hint": (
        "Справочник не загружен: все звонки идут по умолчанию. Запустите onec-bridge sync",
        "Nothing was pulled: every call goes to the default. Run onec-bridge sync",
    ),
    "stale": ("устарели", "stale"),
    "ago": ("{time} назад", "{time} ago"),
    "numbers": ("Номеров в справочнике", "Numbers in the index"),
    "outbox": ("Ждут записи в 1С", "Owed to 1C"),
    "dead": ("отказано", "refused"),
    "due": ("ждёт", "waiting"),
    "sending": ("пишется", "being written"),
    "oldest": ("старейший с {time}", "oldest since {time}"),
    "attempts": ("попыток: {count}", "attempts: {count}"),
    "next": ("следующая в {time}", "next at {time}"),
    "retry": ("Повторить", "Retry"),
    "drop": ("Не писать…", "Drop…"),
    "drop_sure": (
        "Звонок останется в журнале моста, но в 1С не попадёт никогда.",
        "The call stays in the bridge's journal, but never gets into 1C.",
    ),
    "drop_yes": ("Да, не писать в 1С", "Yes, drop it"),
    "alarms": ("Требует внимания", "Needs attention"),
    "sync_failed": ("Обмен", "Sync"),
    "slow_disk": ("Диск", "Disk"),
    "onec_unauthorized": ("Права в 1С", "Rights in 1C"),
    "answer_broken": ("Справочник", "Directory"),
    "onec_not_published": ("Публикация OData", "OData publication"),
    "pbx_events_lost": ("События АТС", "PBX events"),
    "sync_failed_hint": (
        "Обмен с 1С не дошёл до конца, звонки идут по прежним данным. Причина:",
        "Sync did not come to its end; calls are routed by what was held before. The reason:",
    ),
    "slow_disk_hint": (
        "Диск не успевает: АТС получает ответ вовремя, запись звонка следует за ним.",
        "The disk does not keep up: the PBX has its answer in time, the call's record follows.",
    ),
    "onec_unauthorized_hint": (
        "Звонки ждут, ничего не потеряно: исправьте пользователя моста или его права. Ответ 1С:",
        "Calls wait, nothing is lost: mend the bridge's 1C user or his rights. 1C's answer:",
    ),
    "answer_broken_hint": (
        "Справочник моста не читается: звонки идут по умолчанию. Причина:",
        "The bridge's index cannot be read: every call goes to the default. The reason:",
    ),
    "onec_not_published_hint": (
        "Нужного объекта нет в составе OData. Звонки ждут: опубликуйте его. Ответ 1С:",
        "The OData publication lacks a set we need. Calls wait: publish it. 1C's answer:",
    ),
    "pbx_events_lost_hint": (
        "Звонки маршрутизируются, но чем они кончились, мост узнает позже из статистики. Причина:",
        "Calls are routed; how they ended will be learnt later, from the statistics. The reason:",
    ),
    "call_title": ("Позвонить", "Call"),
    "call_from": ("С внутреннего номера", "From extension"),
    "call_button": ("Позвонить", "Call"),
    "call_sending": ("Заказываем звонок у АТС…", "The PBX is being told…"),
    "call_accepted": (
        "Звонит телефон {extension}: снимите трубку, и АТС наберёт номер.",
        "Telephone {extension} rings: pick it up, and the PBX dials the number.",
    ),
    "call_refused": ("АТС не взялась звонить:", "The PBX refused to call:"),
    "call_unknown": (
        "АТС не ответила: телефон {extension} может и зазвонить. Повтор — только вручную.",
        "The PBX did not answer: telephone {extension} may ring all the same. Repeat it by hand.",
    ),
    "call_no_number": ("Это не похоже на номер телефона.", "This is not a telephone number."),
    "call_not_set_up": (
        "Мост не может звонить: задайте BRIDGE_SIPUNI_USER и BRIDGE_SIPUNI_KEY.",
        "The bridge cannot call: set BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY.",
    ),
    "behind": ("не сверено: {what}", "not compared: {what}"),
    "sync_notes": ("Сверка с 1С", "Comparison with 1C"),
    "rows_there": ("в 1С", "in 1C"),
    "rows_here": ("у нас", "held"),
    "unread_phones": ("телефонов не прочитано", "unread phones"),
    "cost": ("запросов, время", "requests, time"),
    "cost_of": ("{requests}, {seconds:.1f} с", "{requests}, {seconds:.1f} s"),
    "proven": ("сверено", "proven"),
    "manager": ("пользователи", "managers"),
    "partner": ("партнёры", "partners"),
    "contact": ("контактные лица", "contact persons"),
    "counterparty": ("контрагенты", "counterparties"),
    "data_notes": ("О данных 1С", "About the data in 1C"),
    "shared": (
        "Внутренний номер {extension} записан у нескольких: {names}. Оставьте его одному.",
        "Extension {extension} belongs to several: {names}. Leave it to one of them.",
    ),
    "no_property": (
        "В 1С не найден реквизит с внутренним номером: ни у кого нет телефона.",
        "1C has no attribute for extensions: nobody has a telephone.",
    ),
    "without_extension": (
        "Менеджеров без внутреннего номера: {count}",
        "Managers without an extension: {count}",
    ),
    "calls": ("Последние звонки", "Last calls"),
    "no_calls": (
        "Звонков ещё не было. Первый появится здесь сам.",
        "No calls yet. The first will appear here by itself.",
    ),
    "to_scheme": ("схема АТС", "the PBX scheme"),
    "line": ("линия {number}", "line {number}"),
    "test_call": ("проверка из кабинета АТС", "a test from the PBX cabinet"),
    "why": ("Почему", "Why"),
    "others": ("Номер записан и у других", "The number has other owners too"),
    "api": ("Программный доступ", "API"),
    "fresh_at_call": ("данные сверены {time}", "data proven {time}"),
}

_MINUTE = 60
_HOUR = 3600
_DAY = 86400


def words(lang: Language, key: str, **fields: object) -> str:
    """Give the words *key* in *lang*, its fields filled."""
    russian, english = _WORDS[key]
    return (russian if lang == "ru" else english).format(**fields)


def duration(lang: Language, span: timedelta) -> str:
    """Write *span* roughly, in its largest unit: "40 с", "12 мин", "3 ч", "2 дн."."""
    seconds = max(int(span.total_seconds()), 0)
    for size, russian, english in ((_DAY, "дн.", "d"), (_HOUR, "ч", "h"), (_MINUTE, "мин", "min")):
        if seconds >= size:
            return f"{seconds // size} {russian if lang == 'ru' else english}"
    return f"{seconds} {'с' if lang == 'ru' else 's'}"
