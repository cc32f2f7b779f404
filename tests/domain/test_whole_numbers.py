"""Whole numbers from outside: bounded, ASCII, and nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.whole_numbers import MAX_WHOLE_NUMBER, read_whole_number

_BRIDGE = Path(__file__).parents[2] / "bridge"


@given(st.text() | st.integers().map(str) | st.text("0123456789", min_size=5000, max_size=6000))
def test_any_text_is_a_number_within_bounds_or_none(text: str) -> None:
    number = read_whole_number(text)

    assert number is None or (0 <= number <= MAX_WHOLE_NUMBER and int(text) == number)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1_0", " 1", "²", "٣", "1.0", "9" * 5000, "0" * 99]
)
def test_what_is_no_number_of_ours_is_none(text: str) -> None:
    assert read_whole_number(text) is None


def test_a_number_above_the_most_is_none() -> None:
    assert [
        read_whole_number("7", 7),
        read_whole_number("8", 7),
        read_whole_number("007", 1000),
    ] == [7, None, 7]


def test_nobody_else_reads_digits_of_any_length() -> None:
    wild = re.compile(r"\bint\((\w+)\)[^\n]*\b\1\.(isdigit|isdecimal|isnumeric)\(\)")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(_BRIDGE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if wild.search(line) and "lab" not in path.parts and path.name != "whole_numbers.py"
    ]

    assert not found
