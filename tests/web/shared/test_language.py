"""The pages' texts: one catalogue, whole, with nothing left over; dates and numbers by custom."""

from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import bridge.web
from bridge.domain.delivery.texts import Language
from bridge.web.shared.language import Localizer, translations
from tests.support.builders import NOON

WEB = Path(bridge.web.__file__).parent
MSK = ZoneInfo("Europe/Moscow")

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "translatable": None,
    "translate": None,
}
_JINJA = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def extracted() -> set[str | tuple[str, ...]]:
    """Return every text that templates and code show."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    options = {"**/templates/**.html": _JINJA}
    return {m for _, _, m, *_ in extract_from_dir(WEB, methods, options, keywords=_KEYWORDS)}


def catalogue() -> list[Message]:
    with (WEB / "locale" / "ru.po").open("rb") as file:
        return [message for message in read_po(file, locale="ru") if message.id]


def test_everything_the_pages_say_is_in_the_catalogue_and_nothing_else() -> None:
    kept = {m.id if isinstance(m.id, str) else tuple(m.id) for m in catalogue()}

    assert kept == extracted()


def test_every_text_is_translated_with_its_fields() -> None:
    for message in catalogue():
        assert not message.fuzzy, message.id
        assert all(message.string if isinstance(message.string, tuple) else [message.string]), (
            message.id
        )
        assert not list(message.check()), message.id


@pytest.mark.parametrize(
    ("count", "phrase"), [(1, "1 звонок"), (2, "2 звонка"), (5, "5 звонков"), (21, "21 звонок")]
)
def test_russian_counts_as_people_do(count: int, phrase: str) -> None:
    text = translations("ru").ungettext("%(num)s call", "%(num)s calls", count)

    assert text % {"num": count} == phrase


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        (
            "ru",
            "15:00:00 | 1 мар., 15:00 | 4 марта 2026 г., 15:00:00 | 5 минут назад | 87 % | 1,5 мс",
        ),
        (
            "en",
            "15:00:00 | 1 Mar, 15:00 | 4 March 2026, 15:00:00 | 5 minutes ago | 87% | 1.5 ms",
        ),
    ],
)
def test_moments_and_numbers_are_written_by_custom(lang: Language, expected: str) -> None:
    speech = Localizer(lang, MSK)

    written = (
        speech.format_time(NOON, NOON),
        speech.format_time(NOON - timedelta(days=3), NOON),
        speech.format_moment(NOON),
        speech.format_ago(NOON - timedelta(minutes=5), NOON),
        speech.format_percent(0.871),
        speech.format_milliseconds(0.0015),
    )

    plain = " | ".join(written).replace("\u00a0", " ").replace("\u202f", " ")
    assert plain == expected


@pytest.mark.parametrize(
    ("span", "phrase"),
    [
        (timedelta(seconds=-5), "0 с"),
        (timedelta(seconds=59), "59 с"),
        (timedelta(minutes=1), "1 мин"),
        (timedelta(hours=3, minutes=9), "3 ч"),
        (timedelta(days=2), "2 дн."),
    ],
)
def test_a_span_is_shown_in_its_largest_unit(span: timedelta, phrase: str) -> None:
    assert Localizer("ru", UTC).format_duration(span).replace("\u00a0", " ") == phrase


@pytest.mark.parametrize(
    ("seconds", "phrase"), [(0, "0:00"), (7, "0:07"), (760, "12:40"), (3723, "1:02:03")]
)
def test_a_talk_is_shown_to_the_second(seconds: int, phrase: str) -> None:
    assert Localizer.format_stopwatch(timedelta(seconds=seconds)) == phrase


def test_what_happens_this_moment_is_not_shown_as_future() -> None:
    assert Localizer("ru", UTC).format_ago(NOON + timedelta(seconds=3), NOON) == "только что"
