"""The pages' languages: texts from the catalogues, dates and numbers in each language's form.

Texts stand in the templates and in code in English, and in `locale/<language>.po` in the others.
The catalogues are read as they are when the service starts: nothing has to be compiled.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, get_args

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import Translations

from bridge.domain.delivery.texts import Language

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

#: How each language names itself.
LANGUAGE_NAMES: Final[Mapping[Language, str]] = {"ru": "Русский", "en": "English"}

#: English pages use a 24-hour clock.
_LOCALES: Final[Mapping[Language, str]] = {"ru": "ru_RU", "en": "en_GB"}

_CATALOGUES: Final = Path(__file__).parent.parent / "locale"

_JUST_NOW: Final = timedelta(seconds=2)

#: Milliseconds from here on are written without a digit behind the point.
_WITHOUT_DIGITS_MS: Final = 10

_MINUTE = 60
_HOUR = 3600


def translatable(text: str) -> str:
    """Mark a text for the catalogues that `Localizer.translate` translates later."""
    return text


@cache
def translations(lang: Language) -> Translations:
    """Return the texts of *lang*; English is its own catalogue."""
    path = _CATALOGUES / f"{lang}.po"
    if not path.exists():
        return Translations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=lang, abort_invalid=True))
    compiled.seek(0)
    return Translations(compiled)


class Localizer:
    """One language on one clock: what a page needs to write texts, moments and numbers."""

    def __init__(self, lang: Language, zone: tzinfo) -> None:
        self.lang = lang
        self.zone = zone
        self._locale = Locale.parse(_LOCALES[lang])
        self._catalogue = translations(lang)

    def translate(self, text: str, **fields: object) -> str:
        """Return *text* in this language, its `%(name)s` filled."""
        translated = (
            self._catalogue.gettext(text) if text else ""
        )  # "" is the catalogue's own header
        return translated % fields if fields else translated

    def format_time(self, moment: datetime, now: datetime) -> str:
        """Return a moment: the time, and the day too unless it is today."""
        local = moment.astimezone(self.zone)
        if local.date() == now.astimezone(self.zone).date():
            return str(format_time(local, "HH:mm:ss", locale=self._locale))
        return f"{self._day_of(local, now)}, {format_time(local, 'HH:mm', locale=self._locale)}"

    def format_moment(self, moment: datetime) -> str:
        """Return a moment in full, down to the second."""
        local = moment.astimezone(self.zone)
        day = format_date(local, "long", locale=self._locale)
        return f"{day}, {format_time(local, 'HH:mm:ss', locale=self._locale)}"

    def format_day(self, day: date) -> str:
        """Return a day, with its weekday."""
        return str(format_skeleton("yMMMEd", day, locale=self._locale))

    def format_short_day(self, day: date) -> str:
        """Return a day as it fits under a chart."""
        return str(format_skeleton("MMMd", day, locale=self._locale))

    def format_hour(self, moment: datetime) -> str:
        """Return the hour that begins at *moment*."""
        return str(format_time(moment.astimezone(self.zone), "HH:mm", locale=self._locale))

    def format_ago(self, moment: datetime, now: datetime) -> str:
        """Return how long ago *moment* was: «12 минут назад»."""
        since = min(moment - now, timedelta(0))
        if since > -_JUST_NOW:
            return self.translate("just now")
        return str(format_timedelta(since, add_direction=True, threshold=1, locale=self._locale))

    def format_duration(self, span: timedelta) -> str:
        """Return a length of time roughly, in its largest unit: "40 с", "12 мин"."""
        return str(
            format_timedelta(
                max(span, timedelta(0)), threshold=1, format="short", locale=self._locale
            )
        )

    @staticmethod
    def format_stopwatch(span: timedelta) -> str:
        """Return a length of time to the second: "0:07", "12:40", "1:02:03"."""
        seconds = max(round(span.total_seconds()), 0)
        if seconds < _HOUR:
            return f"{seconds // _MINUTE}:{seconds % _MINUTE:02}"
        return f"{seconds // _HOUR}:{seconds // _MINUTE % 60:02}:{seconds % _MINUTE:02}"

    def format_number(self, number: float, digits: int = 0) -> str:
        """Return a number, grouped, with so many digits behind the point."""
        fraction = f".{'0' * digits}" if digits else ""
        return str(format_decimal(number, f"#,##0{fraction}", locale=self._locale))

    def format_percent(self, share: float) -> str:
        """Return a share as a percentage."""
        return str(format_percent(share, locale=self._locale))

    def format_milliseconds(self, seconds: float) -> str:
        """Return a short time: "0,4 мс", "12 мс"."""
        value = seconds * 1000
        digits = 1 if 0 < value < _WITHOUT_DIGITS_MS else 0
        return self.translate("%(time)s ms", time=self.format_number(value, digits))

    def _day_of(self, local: datetime, now: datetime) -> str:
        here = now.astimezone(self.zone)
        skeleton = "MMMd" if local.year == here.year else "yMMMd"
        return str(format_skeleton(skeleton, local, tzinfo=self.zone, locale=self._locale))
