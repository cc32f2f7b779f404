"""How people write telephone numbers into 1C.

`draw_phone` draws an intended number and one of the many ways to type it; `draw_writer` draws who
wrote the row, which decides what columns are filled.
Source: docs/facts/performance.md, 'Reading numbers'.
"""
# ruff: noqa: PLR2004 - the bare numbers are shares of a population

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

#: Seven-digit towns and mobile ranges: composed numbers, valid by the numbering plan only.
_SEVEN: Final = ("495", "499", "812", "343", "383", "846", "831", "861", "863", "351")
_SIX: Final = ("4852", "4722", "8442", "3452", "4742", "8352")
_MOBILE: Final = (
    "903",
    "905",
    "906",
    "909",
    "915",
    "916",
    "917",
    "921",
    "925",
    "926",
    "962",
    "985",
)
_FULLWIDTH: Final = str.maketrans("0123456789", "０１２３４５６７８９")


class ComposedPhone(NamedTuple):
    """What stands in one field: the text, and the numbers its writer meant.

    `intended` is empty where it cannot be known: nonsense, an inner number, a lost digit.
    `manner` names the way of typing; `needs_area` numbers have no code of a town.
    """

    text: str
    intended: tuple[str, ...]
    manner: str


# ------------------------------------------------------------------ the numbers


class _National(NamedTuple):
    area: str
    local: str

    @property
    def e164(self) -> str:
        return f"+7{self.area}{self.local}"

    @property
    def dashed(self) -> str:
        local = self.local
        return f"{local[:-4]}-{local[-4:-2]}-{local[-2:]}"


def _digits(rng: Random, count: int) -> str:
    return str(int(rng.random() * 9 * 10 ** (count - 1)) + 10 ** (count - 1))


def _national(rng: Random) -> _National:
    roll = rng.random()
    codes = _MOBILE if roll < 0.5 else _SEVEN if roll < 0.8 else _SIX
    area = codes[int(rng.random() * len(codes))]
    return _National(area, _digits(rng, 10 - len(area)))


# ------------------------------------------------------------------ the ways of typing


def _plain(rng: Random) -> ComposedPhone:
    number = _national(rng)
    a, d, flat = number.area, number.dashed, number.area + number.local
    texts = (
        f"+7 ({a}) {d}", f"+7 ({a}) {d}", f"+7 ({a}) {d}", f"+7{flat}", f"8{flat}", f"8 {a} {d}",
        f"8 ({a}) {d}", f"8-{a}-{d}", f"{a} {d}", f"{flat}", f"7{flat}", f"+7 {a} {d} ",
        f" 8({a}){number.local}", f"+7.{a}.{d.replace('-', '.')}", f"8 {a} {d.replace('-', ' ')}",
        f"тел. +7 {a} {d}", f"+7({a}){d}", f"8\xa0({a})\xa0{d}", f"+7 {a}–{d}",
    )  # fmt: skip
    return ComposedPhone(texts[int(rng.random() * len(texts))], (number.e164,), "plain")


def _international_prefix(rng: Random) -> ComposedPhone:
    number = _national(rng)
    lead = ("007 ", "00 7 ", "8 10 7 ")[int(rng.random() * 3)]
    return ComposedPhone(f"{lead}{number.area} {number.dashed}", (number.e164,), "prefix")


def _with_extension(rng: Random) -> ComposedPhone:
    number = _national(rng)
    ext = _digits(rng, 2 + int(rng.random() * 2))
    base = f"+7 ({number.area}) {number.dashed}"
    tails = (
        f", доб. {ext}", f" доб.{ext}", f" доб {ext}", f" вн. {ext}", f" вн.{ext}",
        f" (доб. {ext})", f" ({ext})", f"*{ext}", f" доб.{ext} Иван",
        f" #{ext}", f" добавочный {ext}", f" ext. {ext}",
    )  # fmt: skip
    return ComposedPhone(base + tails[int(rng.random() * len(tails))], (number.e164,), "extension")


def _two_numbers(rng: Random) -> ComposedPhone:
    first, second = _national(rng), _national(rng)
    if first.area not in _SEVEN:
        first = _National("495", _digits(rng, 7))
    same_town = _National(first.area, _digits(rng, 7))
    pairs = (
        (f"8({first.area}){first.local};8{second.area}{second.local}", second),
        (f"+7 {first.area} {first.dashed}, {same_town.dashed}", same_town),
        (f"+7 {first.area} {first.dashed} / {same_town.dashed}", same_town),
        (f"+7 {first.area} {first.dashed}, +7 {second.area} {second.dashed}", second),
        (f"8 {first.area} {first.dashed}; 8 {second.area} {second.dashed}", second),
        (f"8{first.area}{first.local}/8{second.area}{second.local}", second),
    )
    text, other = pairs[int(rng.random() * len(pairs))]
    return ComposedPhone(text, (first.e164, other.e164), "two")


def _kazakhstan(rng: Random) -> ComposedPhone:
    local = "2" + _digits(rng, 6)
    texts = (f"+7 (727) {local[:3]}-{local[3:5]}-{local[5:]}", f"8 727 {local}", f"+7727{local}")
    return ComposedPhone(texts[int(rng.random() * 3)], (f"+7727{local}",), "kazakhstan")


def _foreign(rng: Random) -> ComposedPhone:
    tail = _digits(rng, 6)
    shapes = (
        (f"+375 29 3{tail[:2]}-{tail[2:4]}-{tail[4:]}", f"+375293{tail}"),
        (f"+998 90 9{tail[:2]} {tail[2:4]} {tail[4:]}", f"+998909{tail}"),
        (f"00 49 30 2{tail}0", f"+49302{tail}0"),
        (f"8 10 375 29 3{tail}", f"+375293{tail}"),
        (f"+44 20 7{tail[:3]} {tail[3:]}0", f"+44207{tail}0"),
    )
    text, e164 = shapes[int(rng.random() * len(shapes))]
    return ComposedPhone(text, (e164,), "foreign")


def _without_area(rng: Random) -> ComposedPhone:
    local = _digits(rng, 7)
    return ComposedPhone(f"{local[:3]}-{local[3:5]}-{local[5:]}", (f"+7495{local}",), "needs_area")


def _fullwidth(rng: Random) -> ComposedPhone:
    number = _national(rng)
    text = f"8 ({number.area}) {number.dashed}".translate(_FULLWIDTH)
    return ComposedPhone(text, (number.e164,), "fullwidth")


def _plus_eight(rng: Random) -> ComposedPhone:
    number = _national(rng)
    return ComposedPhone(f"+8 {number.area} {number.dashed}", (number.e164,), "plus_eight")


def _nonsense(rng: Random) -> ComposedPhone:
    local = _digits(rng, 6)
    texts = (
        "anonymous", "нет", "не звонить!", "101", "-",
        f"8 495 {local[:3]} {local[3:5]} {local[5:]}",
        "sip:office@pbx.example", "?", "+7", "уточнить у секретаря", f"+7 (495) {local}", "0",
    )  # fmt: skip
    return ComposedPhone(texts[int(rng.random() * len(texts))], (), "nonsense")


#: Cumulative shares of the manners, out of one thousand.
_MANNERS: Final[tuple[tuple[int, Callable[[Random], ComposedPhone]], ...]] = (
    (790, _plain),
    (885, _with_extension),
    (915, _two_numbers),
    (930, _international_prefix),
    (940, _kazakhstan),
    (952, _foreign),
    (967, _without_area),
    (974, _fullwidth),
    (980, _plus_eight),
    (1000, _nonsense),
)


def draw_phone(rng: Random) -> ComposedPhone:
    """Draw a number and the way its writer typed it."""
    roll = rng.random() * 1000
    for limit, manner in _MANNERS:
        if roll < limit:
            return manner(rng)
    raise AssertionError  # pragma: no cover - the last limit is one thousand


# ------------------------------------------------------------------ who wrote the row

#: How a row came about; the shares are out of one thousand.
WRITERS: Final = (
    (620, "form"),
    (760, "foreign"),
    (840, "exchange"),
    (890, "key_value"),
    (930, "storage"),
    (960, "no_text"),
    (1000, "damaged"),
)


def draw_writer(rng: Random) -> str:
    """Draw who wrote the row: 1C's form, a foreign program, an old data exchange, a breakdown."""
    roll = rng.random() * 1000
    return next(name for limit, name in WRITERS if roll < limit)
