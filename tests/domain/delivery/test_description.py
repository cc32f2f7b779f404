"""Our lines and a person's in one text: ours are replaced, the person's stay."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.delivery.description import find_written_text, merge_text, subject_change

RINGING = "Звонит: +7 (903) 555-01-23\nЛиния: 74951234567"
ENDED = "Звонит: +7 (903) 555-01-23\nЛиния: 74951234567\nОтветил: 205 Смирнова\nРазговор: 1:40"
RECORDED = ENDED + "\nЗапись: https://pbx.example/1.mp3"


def test_our_text_alone_is_replaced() -> None:
    assert merge_text(RINGING, RINGING, ENDED) == ENDED


def test_of_what_we_may_have_written_the_longest_that_stands_is_ours() -> None:
    texts = [RINGING, ENDED, RECORDED]

    assert find_written_text(f"нота\n{RINGING}", texts) == RINGING
    assert find_written_text(f"{ENDED}\nнота", texts) == ENDED
    assert find_written_text(RECORDED.replace("\n", "\nнота\n"), texts) == RECORDED
    assert find_written_text("нота", texts) == RINGING
    assert find_written_text("нота", []) == ""


def test_notes_above_and_below_stay_where_they_are() -> None:
    present = f"Просит скидку\n\n{RINGING}\nПерезвонить в 15:00"

    assert merge_text(present, RINGING, ENDED) == f"Просит скидку\n\n{ENDED}\nПерезвонить в 15:00"


def test_a_note_between_our_lines_comes_to_stand_below_them() -> None:
    first, second = RINGING.split("\n")
    present = f"{first}\nпросит скидку\n{second}\nв 15:00"

    assert merge_text(present, RINGING, ENDED) == f"{ENDED}\nпросит скидку\nв 15:00"


@pytest.mark.parametrize("ends", ["\r\n", "\r", "  \n", "\n"])
def test_line_ends_and_trailing_blanks_do_not_make_our_text_another(ends: str) -> None:
    present = "нота\n" + RINGING.replace("\n", ends) + " \t\n"

    assert merge_text(present, RINGING, ENDED) == f"нота\n{ENDED}\n"


def test_an_edited_text_is_his_and_ours_is_appended_once() -> None:
    edited = RINGING.replace("Линия: 74951234567", "Линия: склад")
    first = merge_text(edited, RINGING, ENDED)

    assert first == f"{edited}\n{ENDED}"
    assert merge_text(first, RINGING, ENDED) == first
    assert merge_text(first, ENDED, RECORDED) == f"{edited}\n{RECORDED}"


def test_a_text_that_was_written_without_our_knowing_does_not_stay_beside_ours() -> None:
    present = f"нота\n{ENDED}\nнота"  # the reply was lost, and the call went on

    assert merge_text(present, RINGING, RECORDED) == f"нота\n{RECORDED}\nнота"


def test_a_deleted_text_comes_back_with_its_news() -> None:
    assert merge_text("", RINGING, ENDED) == ENDED
    assert merge_text("Договорились\n\n ", RINGING, ENDED) == f"Договорились\n{ENDED}"


def test_into_a_document_of_his_own_ours_is_appended() -> None:
    assert merge_text("спросить Петра", "", "Не ответил") == "спросить Петра\nНе ответил"
    assert merge_text("спросить\nНе ответил", "Не ответил", "Ответил") == "спросить\nОтветил"


def test_a_text_that_becomes_shorter_is_replaced_too() -> None:
    assert merge_text(f"нота\n{ENDED}\nнота", ENDED, RINGING) == f"нота\n{RINGING}\nнота"
    assert merge_text(f"нота\n{ENDED}", ENDED, "") == "нота"


def test_what_is_written_already_comes_back_as_it_is() -> None:
    present = f"нота \r\n{ENDED}\r\n".replace("\n", "\r\n")

    assert merge_text(present, RINGING, ENDED) == present
    assert merge_text(present, ENDED, ENDED) == present


def test_characters_that_1c_does_not_keep_do_not_hide_our_text() -> None:
    before = "Звонит: Рома\x00шка\ud800"

    assert merge_text("Звонит: Ромашка?", before, "Ответил") == "Ответил"


# ---------------------------------------------------------------- for all texts
ours = st.lists(st.sampled_from(["a", "b", "c", "d", " e"]), max_size=4, unique=True)
his_line = st.sampled_from(["", " ", "x", "y ", "\tz", "ещё a", "a b"])
notes = st.lists(his_line, max_size=3)
line_end = st.sampled_from(["\n", "\r\n", "\r"])


def lines_of(text: str) -> Counter[str]:
    return Counter(line.rstrip() for line in text.splitlines() if line.strip())


@st.composite
def presents(draw: st.DrawFn, block: list[str]) -> str:
    """Draw notes around and between our lines, some of which may be edited or gone."""
    lines = draw(notes)
    for line in block:
        fate = draw(st.sampled_from(["kept", "kept", "kept", "edited", "deleted"]))
        if fate != "deleted":
            lines.append(line if fate == "kept" else f"{line}, правка")
        lines += draw(st.lists(his_line, max_size=1))
    return draw(line_end).join([*lines, *draw(notes)])


@given(st.data(), ours, ours)
def test_merging_twice_is_merging_once(
    data: st.DataObject, before: list[str], now: list[str]
) -> None:
    a, b = "\n".join(before), "\n".join(now)
    once = merge_text(data.draw(presents(before)), a, b)

    assert merge_text(once, a, b) == once


@given(st.data(), ours, ours)
def test_no_line_of_a_person_is_ever_lost(
    data: st.DataObject, before: list[str], now: list[str]
) -> None:
    present = data.draw(presents(before))
    after = merge_text(present, "\n".join(before), "\n".join(now))

    his = lines_of(present) - Counter(line.rstrip() for line in before)
    assert his <= lines_of(after)


@given(st.data(), ours, ours)
def test_our_text_stands_there_once_and_in_one_piece(
    data: st.DataObject, before: list[str], now: list[str]
) -> None:
    present = data.draw(presents(before))
    after = [
        line.rstrip()
        for line in merge_text(present, "\n".join(before), "\n".join(now)).splitlines()
    ]
    block = [line.rstrip() for line in now]

    starts = range(len(after) - len(block) + 1)
    assert not block or sum(after[at : at + len(block)] == block for at in starts) == 1


@given(st.lists(st.sampled_from("ab"), max_size=6), ours, ours)
def test_even_a_person_who_types_our_very_lines_makes_it_stable(
    present: list[str], before: list[str], now: list[str]
) -> None:
    a, b = "\n".join(before), "\n".join(now)
    once = merge_text("\n".join(present), a, b)

    assert merge_text(once, a, b) == once


@given(st.text(), st.text(), st.text())
def test_any_texts_merge_into_something_stable(present: str, before: str, now: str) -> None:
    once = merge_text(present, before, now)

    assert merge_text(once, before, now) == once


# ---------------------------------------------------------------- the subject
@pytest.mark.parametrize(
    ("present", "change"),
    [
        ("Входящий: Ромашка", "Принят: Ромашка"),
        ("Входящий:  Ромашка \r\n", "Принят: Ромашка"),
        ("О цене", None),
        ("", None),
        ("Принят: Ромашка", None),
    ],
)
def test_a_subject_that_a_person_changed_is_his(present: str, change: str | None) -> None:
    assert subject_change(present, "Входящий: Ромашка", "Принят: Ромашка") == change


def test_blanks_alone_are_no_change_of_the_subject() -> None:
    assert subject_change("Входящий", "Входящий", "Входящий ") is None
