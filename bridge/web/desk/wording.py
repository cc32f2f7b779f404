"""The words of the desk, in Russian and English."""

from bridge.domain.texts import Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Рабочий стол", "Desk"),
    "administrator": ("администратор", "administrator"),
    "console": ("Консоль", "Console"),
    "extension": ("внутренний {extension}", "extension {extension}"),
    "live": ("На связи", "Connected"),
    "connecting": ("Соединяется…", "Connecting…"),
    "lost": (
        "Связи с мостом нет с {time}. Новые звонки здесь не появятся, пока она не вернётся.",
        "Connection lost since {time}. New calls will not show here until it is back.",
    ),
    "sound_on": ("Звук включён", "Sound is on"),
    "sound_off": ("Звук выключен", "Sound is off"),
    "sound_blocked": ("Включить звук", "Turn sound on"),
    "notify": ("Показывать уведомления", "Show notifications"),
    "now": ("Сейчас", "Now"),
    "idle": (
        "Тихо. Карточка появится здесь, как только зазвонит телефон {extension}.",
        "All quiet. A card appears here the moment telephone {extension} rings.",
    ),
    "recent": ("Недавние звонки", "Recent calls"),
    "no_recent": ("За последние полчаса звонков не было.", "No calls in the last half hour."),
    "search": ("Найти в 1С", "Find in 1C"),
    "search_label": ("Имя, компания или номер", "Name, company or number"),
    "search_button": ("Найти", "Find"),
    "found": ("Найдено: {count}", "Found: {count}"),
    "found_more": ("Показаны первые {count}, уточните запрос", "The first {count}; say more"),
    "found_nothing": ("В 1С такого нет", "1C has nothing like it"),
    "found_stranger": ("Номера нет в 1С", "1C does not know the number"),
    "no_phones": ("телефонов нет", "no telephones"),
    "missed_title": ("Ждут звонка", "To be called back"),
    "no_missed": ("Никто не ждёт: всем перезвонили.", "Nobody waits: all were called back."),
    "missed_count": ("не дозвонился раз: {count}", "tried in vain: {count}"),
    "missed_since": ("с {time}", "since {time}"),
    "missed_last": ("последний раз {time}", "last at {time}"),
    "call": ("Позвонить", "Call"),
    "call_to": ("Позвонить: {who}", "Call {who}"),
    "call_back": ("Перезвонить", "Call back"),
    "call_back_to": ("Перезвонить: {who}", "Call back {who}"),
    "open_in_1c": ("Открыть в 1С", "Open in 1C"),
    "open_in_1c_who": ("Открыть в 1С: {who}", "Open in 1C: {who}"),
    "note": ("Заметка к звонку", "Note on this call"),
    "note_hint": ("Попадёт в документ звонка в 1С", "Goes into the call's document in 1C"),
    "note_save": ("Записать", "Save"),
    "noted": ("Записано.", "Saved."),
    "note_empty": ("Заметка пуста.", "The note is empty."),
    "owners": ("Номер записан у нескольких. Кто это?", "Several people have this number. Who is it?"),
    "this_is": ("Это {who}", "This is {who}"),
    "chosen": ("выбран", "chosen"),
    "choice_kept": (
        "Запомнено: со следующего звонка номер ведёт к нему.",
        "Remembered: from the next call on the number leads to him.",
    ),
    "ended": ("уже не работает", "no longer there"),
    "manager": ("Менеджер", "Manager"),
    "no_manager": ("не указан в 1С", "none in 1C"),
    "line": ("Линия", "Line"),
    "debt": ("Ждёт звонка с {time}, пропущенных: {count}", "Waits since {time}, missed: {count}"),
    "past": ("Прошлые звонки с этого номера", "Earlier calls of this number"),
    "first_call": ("Раньше с этого номера не звонили.", "This number has never called before."),
    "stranger": ("В 1С такого номера нет", "1C does not know this number"),
    "inbound": ("входящий", "incoming"),
    "outbound": ("исходящий", "outgoing"),
    "internal": ("внутренний", "internal"),
    "ringing": ("Звонит", "Ringing"),
    "passed": ("Звонит коллеге", "Rings a colleague"),
    "calling": ("Вызываем", "Calling"),
    "talking": ("Разговор", "Talking"),
    "taken": ("Ответил коллега", "A colleague answered"),
    "talked": ("Поговорили", "Talked"),
    "answered": ("Ответил коллега", "A colleague answered"),
    "missed": ("Пропущен", "Missed"),
    "not_reached": ("Не дозвонились", "Not reached"),
    "silent": ("АТС не сообщила, чем кончилось", "The PBX did not tell how it ended"),
    "order_accepted": (
        "Звоним. Снимите трубку {extension}: АТС сначала вызовет вас.",
        "Calling. Pick up {extension}: the PBX rings you first.",
    ),
    "order_refused": ("АТС отказала: {words}", "The PBX refused: {words}"),
    "order_unknown": (
        "АТС не ответила. Телефон может зазвонить, не повторяйте сразу.",
        "The PBX did not answer. The telephone may ring all the same: do not repeat at once.",
    ),
    "no_number": ("Звонить некуда: номер скрыт.", "Nothing to call: the number is withheld."),
    "failed": ("Не вышло: {words}", "That did not work: {words}"),
    "no_seat_title": ("Чей это рабочий стол?", "Whose desk is it?"),
    "no_seat": (
        "Выберите телефон, звонки которого показывать.",
        "Choose the telephone whose calls to show.",
    ),
    "no_seat_own": (
        "В 1С у вас не указан внутренний номер, поэтому звонков здесь нет. Попросите администратора "
        "заполнить реквизит «Внутренний номер» в карточке пользователя.",
        "1C has no extension for you, so there are no calls to show. Ask the administrator to fill "
        "it in your user's card in 1C.",
    ),
    "nobody": (
        "В справочнике нет пользователей с внутренним номером.",
        "No user of 1C has an extension.",
    ),
    "seat_open": ("Открыть", "Open"),
    "seat_label": ("Телефон", "Telephone"),
    "no_script": (
        "Без JavaScript карточки сами не появляются: обновляйте страницу.",
        "Without JavaScript cards do not appear by themselves: reload the page.",
    ),
}


def words(lang: Language, key: str, **fields: object) -> str:
    """Give the words *key* in *lang*, its fields filled."""
    russian, english = _WORDS[key]
    return (russian if lang == "ru" else english).format(**fields)
