"""Texts for people, in Russian and English: those written to 1C and lines of evidence."""

from datetime import timedelta
from typing import Literal

from bridge.domain.routing.decision import EvidenceStep, Finding, Rule

Language = Literal["ru", "en"]

_TEXTS: dict[str, tuple[str, str]] = {
    "call.subject.inbound": ("Входящий звонок: {name}", "Incoming call: {name}"),
    "call.subject.outbound": ("Исходящий звонок: {name}", "Outgoing call: {name}"),
    "call.subject.internal": ("Внутренний звонок: {name}", "Internal call: {name}"),
    "call.from": ("Звонит: {number}", "Caller: {number}"),
    "call.from.outbound": ("Набран номер: {number}", "Dialled: {number}"),
    "call.from.internal": ("Звонит: {number}", "Caller: {number}"),
    "call.placed_by": ("Звонок совершает: {who}", "Placed by: {who}"),
    "call.line": ("Линия: {number}", "Line: {number}"),
    "call.to": ("Направлен: {who}, {why}", "Sent to: {who}, {why}"),
    "call.to_scheme": (
        "Ответственного нет: решает схема АТС",
        "Nobody is responsible: the PBX scheme decides",
    ),
    "call.shared": (
        "Номер записан у нескольких: {names}",
        "The number has several owners: {names}",
    ),
    "retention.forgotten": (
        "звонков {calls}, событий {events}, записей {records}; не завершено и оставлено {kept}",
        "calls {calls}, events {events}, records {records}; not done and kept {kept}",
    ),
    "call.outcome": ("Итог: {words}", "Outcome: {words}"),
    "call.talk": ("разговор {time}", "talk {time}"),
    "call.wait": ("ожидание {time}", "wait {time}"),
    "call.talked": ("Разговаривали: {who}", "Talked: {who}"),
    "call.rung": ("Звонили и не дождались: {who}", "Rang without an answer: {who}"),
    "call.scheme": ("Схема: {name}", "Scheme: {name}"),
    "call.recording": ("Запись: {address}", "Recording: {address}"),
    "call.note": ("Заметка ({by}, {at}): {text}", "Note ({by}, {at}): {text}"),
    "call.order_refused": ("Звонок не состоялся: {words}", "The call was not placed: {words}"),
    "call.order_unknown": (
        "Состоялся ли звонок, неизвестно: ответа АТС на заказ нет. Посмотрите в АТС",
        "Whether the call was placed is unknown: no answer to the order. Look at the PBX",
    ),
    "call.order_silent": (
        "АТС приняла заказ, но о звонке не сообщила: вероятно, телефон сотрудника не в сети",
        "The PBX took the order and told nothing of a call: the telephone is probably offline",
    ),
    "outcome.answered_by": ("ответил {who}", "answered by {who}"),
    "outcome.lost_in_transfer": (
        "ответил {who}, перевод никто не принял",
        "answered by {who}, nobody took the transfer",
    ),
    "outcome.talked": ("разговор состоялся", "talked"),
    "outcome.missed": ("пропущен", "missed"),
    "outcome.not_reached": ("не дозвонились", "not reached"),
    "outcome.busy": ("занято", "busy"),
    "outcome.failed": ("нет связи", "unreachable"),
    "outcome.unknown": ("итог неизвестен", "outcome unknown"),
    "outcome.order_unknown": ("неизвестно, посмотрите в АТС", "unknown, look at the PBX"),
    "outcome.order_refused": ("звонок не состоялся", "the call was not placed"),
    "outcome.ringing": ("звонит", "ringing"),
    "outcome.talking": ("идёт разговор", "talking"),
    "missed.once": (
        "Пропущен звонок в {time}: {name}, {number}",
        "Missed call at {time}: {name}, {number}",
    ),
    "missed.lost": (
        "Не дождался при переводе в {time}, перезвоните: {name}, {number}",
        "Lost in a transfer at {time}, call back: {name}, {number}",
    ),
    "missed.often": (
        "Пропущено звонков: {count}, последний в {time}: {name}, {number}",
        "Missed calls: {count}, the last at {time}: {name}, {number}",
    ),
    "missed.escalated": (
        "Не перезвонили с {time} ({owner}): {name}, {number}",
        "Not called back since {time} ({owner}): {name}, {number}",
    ),
    "missed.no_owner": ("ответственного нет", "nobody is responsible"),
    "call.reminder": ("Звонит {name}, {number}", "Call from {name}, {number}"),
    "caller.unknown": ("Неизвестный абонент, {number}", "Unknown caller, {number}"),
    "caller.stranger": ("неизвестный абонент", "an unknown caller"),
    "caller.internal": ("внутренний номер {number}", "internal number {number}"),
    "caller.withheld": ("номер скрыт", "number withheld"),
    "order.no_extension": (
        "не знаем, с какого телефона звонить: «{extension}» не внутренний номер",
        "there is no telephone to call from: “{extension}” is not an extension",
    ),
    "order.no_number": ("номер телефона не указан", "no telephone number is given"),
    "order.nonsense": ("«{number}» не похоже на номер", "“{number}” is not a telephone number"),
    "order.own": (
        "{number} — это сам телефон, с которого звонят",
        "{number} is the very telephone to call from",
    ),
    "order.colleague": (
        "{number} — внутренний номер: наберите его на телефоне",
        "{number} is an extension: dial it on the telephone",
    ),
    "order.emergency": (
        "{number} — номер экстренной службы: мост по нему не звонит, наберите его сами",
        "{number} is an emergency number: the bridge does not call it, dial it yourself",
    ),
    "order.repeated": (
        "телефон {extension} уже звонит по этому номеру: заказано {ago} назад, ещё не завершено",
        "telephone {extension} calls this number already: ordered {ago} ago and is not over",
    ),
    "order.in_doubt": (
        "телефон {extension}: звонок уже заказан {ago} назад, исход неизвестен; посмотрите в АТС",
        "telephone {extension}: ordered {ago} ago already, outcome unknown; look at the PBX",
    ),
    "order.not_sent": (
        "заказ не удалось записать, и в АТС он не отправлен",
        "the order could not be written down and was not sent to the PBX",
    ),
    "order.lost": (
        "мост остановился, не узнав ответа АТС; звонок мог состояться",
        "the bridge stopped before it heard the PBX; the call may have been placed",
    ),
    "order.no_user": (
        "в документе не указан пользователь, с чьего телефона звонить",
        "the document names no user whose telephone to call from",
    ),
    "order.no_telephone": (
        "у пользователя {name} нет внутреннего номера",
        "the user {name} has no extension",
    ),
    "kind.contact": ("контактное лицо", "contact person"),
    "kind.partner": ("партнёр", "partner"),
    "kind.counterparty": ("контрагент", "counterparty"),
}

_RULES: dict[Rule, tuple[str, str]] = {
    Rule.CONTACT_MANAGER: ("менеджер партнёра контактного лица", "the contact's partner's manager"),
    Rule.PARTNER_MANAGER: ("основной менеджер партнёра", "the partner's main manager"),
    Rule.COUNTERPARTY_MANAGER: (
        "менеджер партнёра контрагента",
        "the counterparty's partner's manager",
    ),
    Rule.PARENT_MANAGER: ("менеджер вышестоящего партнёра", "the holding's manager"),
    Rule.DID: ("по набранному номеру", "by the dialled number"),
    Rule.DEFAULT: ("по умолчанию", "by default"),
    Rule.NOBODY: ("решает схема АТС", "the PBX scheme decides"),
}

_FINDINGS: dict[Finding, tuple[str, str]] = {
    Finding.CALLER_READ: (
        "номер «{who}» прочитан как +{detail}",
        "caller “{who}” read as +{detail}",
    ),
    Finding.CALLER_INTERNAL: (
        "звонит внутренний номер {detail}",
        "the caller is the internal number {detail}",
    ),
    Finding.CALLER_SHORT: (
        "звонят снаружи с короткого номера «{who}»: перезвонить на него нельзя",
        "an outside caller with the short number “{who}”: it cannot be called back",
    ),
    Finding.CALLER_WITHHELD: ("номер скрыт", "the caller's number is withheld"),
    Finding.CALLER_NONSENSE: ("«{who}» не похоже на номер", "“{who}” is not a telephone number"),
    Finding.INDEX_EMPTY: (
        "индекс ещё не загружен из 1С: запустите onec-bridge sync",
        "nothing was pulled from 1C yet: run onec-bridge sync",
    ),
    Finding.INDEX_STALE: (
        "данные 1С устарели, сверены {detail}",
        "data are stale, proven {detail}",
    ),
    Finding.INDEX_BROKEN: ("индекс не ответил: {detail}", "the index did not answer: {detail}"),
    Finding.NUMBER_UNKNOWN: (
        "среди данных, взятых из 1С, номера +{who} нет",
        "+{who} is not among the data pulled from 1C",
    ),
    Finding.ONEC_FOUND: (
        "в индексе номера ещё нет; спросили саму 1С, она его знает",
        "the index does not have the number yet; 1C was asked itself, and does",
    ),
    Finding.ONEC_UNKNOWN: (
        "спросили саму 1С: такого номера в ней нет",
        "1C was asked itself: nobody there has this number",
    ),
    Finding.ONEC_LATE: (
        "спросили саму 1С: ответ не пришёл вовремя",
        "1C was asked itself, and did not answer in time",
    ),
    Finding.ONEC_FAILED: (
        "спросили саму 1С, она не ответила: {detail}",
        "1C was asked itself, and did not answer: {detail}",
    ),
    Finding.ONEC_NOT_ASKED: (
        "саму 1С не спрашивали: она сейчас не отвечает или занята",
        "1C was not asked itself: it is away or busy just now",
    ),
    Finding.CANDIDATE: ("номер записан у: {who} ({detail})", "the number is {who}'s ({detail})"),
    Finding.CANDIDATE_ENDED: (
        "номер записан у: {who} ({detail}, связь прекращена)",
        "the number is {who}'s ({detail}, relation ended)",
    ),
    Finding.NO_PARTNER: ("{who}: партнёр не указан", "{who} belongs to no partner"),
    Finding.NO_MANAGER: ("{who}: основной менеджер не указан", "{who} has no main manager"),
    Finding.MANAGER_GONE: (
        "{who}: менеджера нет среди пользователей 1С",
        "{who}'s manager is unknown",
    ),
    Finding.MANAGER_INVALID: ("{who}: {detail} больше не работает", "{who}: {detail} has left"),
    Finding.MANAGER_SERVICE: (
        "{who}: {detail} служебный пользователь",
        "{who}: {detail} is a technical user",
    ),
    Finding.MANAGER_MARKED: (
        "{who}: {detail} помечен на удаление",
        "{who}: {detail} is marked for deletion",
    ),
    Finding.MANAGER_NO_EXTENSION: (
        "{who}: у {detail} нет внутреннего номера",
        "{who}: {detail} has no extension",
    ),
    Finding.MANAGER_CHOSEN: ("звонок идёт к {who}, {detail}", "the call goes to {who}, {detail}"),
    Finding.SEVERAL_MANAGERS: (
        "у номера несколько менеджеров: {detail}",
        "several managers: {detail}",
    ),
    Finding.CHOICE_REMEMBERED: (
        "оператор раньше указал: это {who}",
        "an operator said before: this is {who}",
    ),
    Finding.TALKED_LAST: ("последним говорил {who}", "{who} talked to this number last"),
    Finding.STABLE_ORDER: ("по порядку первым: {who}", "first in stable order: {who}"),
    Finding.DID_EXTENSION: ("линия {who} ведёт на {detail}", "the line {who} leads to {detail}"),
    Finding.DEFAULT_EXTENSION: ("по умолчанию отвечает {detail}", "the default is {detail}"),
    Finding.NOBODY: (
        "никто не назначен: решает схема АТС",
        "nobody is set: the PBX scheme decides",
    ),
    Finding.EXTENSION_OWNER: ("{detail} — это {who}", "{detail} is {who}'s"),
    Finding.EXTENSION_SHARED: (
        "{detail} записан у нескольких: {who}; ответственный не угадывается",
        "{detail} belongs to several: {who}; nobody is guessed",
    ),
    Finding.EXTENSION_FREE: (
        "{detail} не принадлежит пользователю 1С",
        "{detail} belongs to no 1C user",
    ),
}


def format_text(lang: Language, key: str, **fields: str) -> str:
    """Return the text *key* in *lang*, its fields filled."""
    russian, english = _TEXTS[key]
    return (russian if lang == "ru" else english).format(**fields)


def format_duration(lang: Language, span: timedelta) -> str:
    """Return a span as text: «45 с», «2 мин 5 с», «1 ч 3 мин»."""
    hour, minute, second = ("ч", "мин", "с") if lang == "ru" else ("h", "min", "s")
    minutes, seconds = divmod(max(0, round(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} {hour} {minutes} {minute}" if minutes else f"{hours} {hour}"
    if minutes:
        return f"{minutes} {minute} {seconds} {second}" if seconds else f"{minutes} {minute}"
    return f"{seconds} {second}"


def format_rule(lang: Language, rule: Rule) -> str:
    """Return what decided a call, as text."""
    return _RULES[rule][0 if lang == "ru" else 1]


def format_evidence_step(lang: Language, step: EvidenceStep) -> str:
    """Return one line of evidence as a sentence."""
    russian, english = _FINDINGS[step.finding]
    detail = step.detail
    if step.finding in (Finding.CANDIDATE, Finding.CANDIDATE_ENDED):
        detail = format_text(lang, f"kind.{detail}")
    return (russian if lang == "ru" else english).format(who=step.subject, detail=detail)
