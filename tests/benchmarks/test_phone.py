"""Reading typed numbers against phonenumbers, on a composed corpus of what Russians type."""

import itertools
import random
import time
from dataclasses import replace
from statistics import median

import phonenumbers
import pytest

from bridge.domain.phone.fields import read_phones
from bridge.domain.phone.phone import PhoneRules
from bridge.lab.onec.company import typed_phones as composer
from tests.benchmarks.scoreboard import Scoreboard, rounds, spread

pytestmark = pytest.mark.benchmark

NUMBERS = 20_000
REPEATS = 3
GOAL = 8.0

#: Fields of one number: of two phonenumbers reads one and is no measure. "+8 495" is left out:
#: phonenumbers reads Vietnam, we a slip of the hand (docs/facts/performance.md, 'Reading numbers').
EVERY_MANNER = frozenset({"plain", "extension", "foreign", "kazakhstan", "prefix", "fullwidth"})

#: As in 1C's own assembled texts, every fifth number has an extension.
EXTENSION_STEP = 5


def test_numbers_are_read_faster_than_by_phonenumbers_alone(board: Scoreboard) -> None:
    fields = _composed(frozenset({"plain"}))
    mixed = [
        (f"{field.text}, доб. {10 + at % 90}" if at % EXTENSION_STEP == 0 else field.text, field)
        for at, field in enumerate(fields)
    ]

    ratio, same = _compare(board, "mixed Russian fields, every fifth with «, доб. 12»", mixed)

    last = board.scores[-1]
    reached = ratio >= GOAL and same
    board.scores[-1] = replace(last, goal=f"≥ {GOAL:g} ×, 0 disagreements", reached=reached)


def test_the_oddities_of_a_whole_company_are_read_faster_too(board: Scoreboard) -> None:
    fields = _composed(EVERY_MANNER)

    _compare(
        board,
        "all manners of the lab's company: foreign, Kazakh, full-width, «вн.», «(12)», …",
        [(field.text, field) for field in fields],
    )


def _composed(manners: frozenset[str]) -> list[composer.ComposedPhone]:
    chance = random.Random(7)  # noqa: S311 - a composed corpus
    drawn = (composer.draw_phone(chance) for _ in itertools.count())
    return list(itertools.islice((f for f in drawn if f.manner in manners), NUMBERS))


def _compare(
    board: Scoreboard, name: str, fields: list[tuple[str, composer.ComposedPhone]]
) -> tuple[float, bool]:
    texts = [text for text, _ in fields]
    rules = PhoneRules()
    floor: list[float] = []
    subject: list[float] = []

    for _ in rounds(REPEATS):
        started = time.perf_counter()
        theirs = [_by_phonenumbers(text) for text in texts]
        between = time.perf_counter()
        ours = [read_phones(text, rules) for text in texts]
        ended = time.perf_counter()
        floor.append((between - started) / len(texts) * 1e6)
        subject.append((ended - between) / len(texts) * 1e6)

    differ = [
        text
        for text, our, their in zip(texts, ours, theirs, strict=True)
        if our and their and [phone.number for phone in our] != [their]
    ]
    meant = [field.intended for _, field in fields]
    right = sum(tuple(f"+{p.number}" for p in o) == m for o, m in zip(ours, meant, strict=True))
    their_right = sum((f"+{t}",) == m for t, m in zip(theirs, meant, strict=True))
    ratio = median(f / s for f, s in zip(floor, subject, strict=True))
    board.score(
        f"typed numbers: {name}",
        floor=f"phonenumbers {spread(floor, '{:.1f}')} µs",
        subject=f"{spread(subject, '{:.2f}')} µs, {len(differ)} disagreements",
        ratio=ratio,
    )
    board.note(
        f"read as their writers meant ({name}): {right:,} of {NUMBERS:,} by us, "
        f"{their_right:,} by phonenumbers" + (f"; disagreements: {differ[:5]}" if differ else "")
    )
    return ratio, not differ


def _by_phonenumbers(text: str) -> int | None:
    try:
        parsed = phonenumbers.parse(text, "RU")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
