"""What may be ordered, however it is typed, and from which telephone a document's call goes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.orders import (
    CallOrder,
    OrderProblem,
    find_order_problem,
    order_key,
    read_dialled_number,
)
from bridge.domain.delivery.call_requests import asks_for_call, resolve_request
from bridge.domain.delivery.document_drafts import CallRequest
from bridge.domain.directory.entities import Manager
from bridge.domain.phone.callers import CallerKind
from tests.support.builders import NOON, NUMBER, RULES, manager, ref

RECENT = CallOrder("key", "205", NUMBER, NOON - timedelta(seconds=3))
REQUEST = CallRequest(ref("document"), NOON, "Позвонить", "", ref("Анна Петрова"), "+79035550123")


@pytest.mark.parametrize(
    "typed",
    [
        "+79035550123",
        "8 (903) 555-01-23",
        "tel:+79035550123",
        "callto://+79035550123",
        "sip:+79035550123@pbx.example",
        "8 903 555-01-23 доб. 12; 8 903 555-01-24",
    ],
)
def test_a_number_is_read_however_it_is_typed(typed: str) -> None:
    called = read_dialled_number(typed, RULES)

    assert (called.kind, called.number) == (CallerKind.EXTERNAL, NUMBER)
    assert find_order_problem("205", called) is None


@pytest.mark.parametrize(
    ("extension", "typed", "trouble"),
    [
        ("", "+79035550123", OrderProblem.NO_EXTENSION),
        ("Анна", "+79035550123", OrderProblem.NO_EXTENSION),
        ("205&206", "+79035550123", OrderProblem.NO_EXTENSION),
        ("79035550123", "+79035550123", OrderProblem.NO_EXTENSION),
        ("205", "205", OrderProblem.OWN_EXTENSION),
        ("205", "206", OrderProblem.COLLEAGUE),
        ("205", "", OrderProblem.NO_NUMBER),
        ("205", "в офис", OrderProblem.NOT_A_NUMBER),
    ],
)
def test_nonsense_is_read_as_what_it_is(extension: str, typed: str, trouble: OrderProblem) -> None:
    assert find_order_problem(extension, read_dialled_number(typed, RULES)) is trouble


def test_a_telephone_that_rings_already_is_not_rung_again() -> None:
    called = read_dialled_number("+79035550123", RULES)

    assert find_order_problem("205", called, RECENT) is OrderProblem.REPEATED


@given(st.text(max_size=20), st.text(max_size=60))
def test_whatever_is_typed_is_either_refused_or_a_number(extension: str, typed: str) -> None:
    called = read_dialled_number(typed, RULES)

    assert find_order_problem(extension, called) is not None or called.number is not None


def test_a_key_keeps_its_parts_apart() -> None:
    assert order_key("a", "bc") != order_key("ab", "c")


# ---------------------------------------------------------------- a document in UT


def test_a_document_rings_its_user_then_its_number() -> None:
    plan = resolve_request(REQUEST, manager(), (), RULES)

    assert (plan.extension, plan.number, plan.problem) == ("205", "+79035550123", None)


@pytest.mark.parametrize("reach", ["", "в офис", "Анна"])
def test_where_it_names_no_number_its_contact_s_is_taken(reach: str) -> None:
    plan = resolve_request(replace(REQUEST, how_to_reach=reach), manager(), (NUMBER,), RULES)

    assert plan.number == "+79035550123"


def test_a_number_that_it_names_goes_before_its_contact_s() -> None:
    plan = resolve_request(
        replace(REQUEST, how_to_reach="8 495 000-00-01"), manager(), (NUMBER,), RULES
    )

    assert plan.number == "8 495 000-00-01"


@pytest.mark.parametrize(
    ("user", "trouble"),
    [
        (None, OrderProblem.NO_USER),
        (manager(extension=None), OrderProblem.NO_TELEPHONE),
        (manager(invalid=True), OrderProblem.NO_TELEPHONE),
    ],
)
def test_without_a_telephone_nothing_rings(user: Manager | None, trouble: OrderProblem) -> None:
    assert resolve_request(REQUEST, user, (), RULES).problem is trouble


def test_an_emergency_number_is_not_replaced_by_the_contact_s() -> None:
    plan = resolve_request(replace(REQUEST, how_to_reach="+7 112"), manager(), (NUMBER,), RULES)

    assert plan.number == "+7 112"


@pytest.mark.parametrize(
    "subject",
    [
        "Позвонить",
        "срочно ПОЗВОНИТЬ по счёту",
        "Клиент не отвечает, позвонить после обеда",
        "Не забыть позвонить Петру",
        "Напомнил: позвонить-ка насчёт договора",
        "«Позвонить»",
    ],
)
def test_a_subject_with_the_mark_asks_for_a_call(subject: str) -> None:
    assert asks_for_call(subject, "позвонить")


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "Перепозвонить",
        "позвонитьте",
        "Не позвонить",
        "НЕ НАДО позвонить",
        "Больше не нужно ему позвонить",
        "Нельзя позвонить до вторника",
        "Не  позвонить, а написать",
        "Позвонить; нет, не позвонить",
        "Созвон",
        "авто-позвонить",
        "позвонить_потом",
    ],
)
def test_a_mark_inside_a_word_or_behind_a_negation_asks_for_nothing(subject: str) -> None:
    assert not asks_for_call(subject, "позвонить")


@pytest.mark.parametrize(
    ("mark", "subject", "asks"),
    [
        ("", "Позвонить", False),
        ("  ", "a  b", False),
        ("#звонок", "Счёт #звонок", True),
        ("#звонок", "Счёт #звонокот", False),
        ("надо  набрать", "Надо набрать Петра", True),
        ("счёт", "оплатить счет", True),
        ("call", "do not call him", False),
        ("call", "don't call", False),
        ("call", "Call him", True),
    ],
)
def test_a_mark_of_one_s_own_is_looked_for_as_it_is(mark: str, subject: str, asks: bool) -> None:
    assert asks_for_call(subject, mark) is asks


@pytest.mark.parametrize(
    "typed", ["*21*79035550123#", "#31#79035550123", " *100#", "tel:*21*89035550123#"]
)
def test_a_service_code_is_no_number_to_call(typed: str) -> None:
    assert find_order_problem("205", read_dialled_number(typed, RULES)) is OrderProblem.NOT_A_NUMBER
