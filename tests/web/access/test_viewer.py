"""What a manager sees: the manager's own calls, and the numbers of own clients."""

from dataclasses import replace

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.routing.decision import Rule, Target
from bridge.web.access import Role, Viewer, format_visible_number
from tests.support.builders import (
    NUMBER,
    call,
    card,
    contact,
    decision,
    manager,
    partner,
    ref,
    rows,
)

ADMIN = Viewer(Role.ADMIN)
ANNA, BORIS = manager(), manager("Борис Орлов", "301")


def eyes(of: str = "Анна Петрова", extension: str | None = "205", *, masked: bool = True) -> Viewer:
    return Viewer(Role.MANAGER, ref(of), extension, of, masks_numbers=masked)


def with_state(made: PhoneCall, *talked: str, rung: tuple[str, ...] = ()) -> PhoneCall:
    return replace(
        made, state=CallState(Disposition.ANSWERED, talked_extensions=talked, rung_extensions=rung)
    )


TO_DEFAULT = call(decided=decision(target=Target("100"), rule=Rule.DEFAULT))


@pytest.mark.parametrize(
    ("made", "hers"),
    [
        (call(), True),  # sent to her
        (TO_DEFAULT, False),
        (with_state(TO_DEFAULT, "205"), True),  # she picked it up
        (with_state(TO_DEFAULT, rung=("205", "301")), True),  # it rang her
        (replace(TO_DEFAULT, placed_by="205"), True),  # she dialled
        (
            replace(TO_DEFAULT, known_targets=(Target("777", ANNA.ref, ANNA.name),)),
            True,
        ),  # her old phone
        # 205 was Борис's telephone when it rang.
        (
            replace(
                with_state(TO_DEFAULT, "205"), known_targets=(Target("205", BORIS.ref, BORIS.name),)
            ),
            False,
        ),
    ],
)
def test_a_manager_sees_the_calls_he_took_part_in(made: PhoneCall, hers: bool) -> None:
    assert eyes().took_part(made) is hers
    assert ADMIN.took_part(made)


def test_without_an_extension_only_what_was_sent_to_him_by_name_is_his() -> None:
    assert eyes(extension=None).took_part(call())
    assert not eyes(extension=None).took_part(with_state(TO_DEFAULT, "205"))


STAFF = rows(ANNA, BORIS)
HERS = card(contact(), partners=[partner()])
HIS = card(
    contact("Сидоров", partner="ЗАО Чужой"),
    partners=[partner("ЗАО Чужой", manager="Борис Орлов")],
)


def test_a_stranger_s_number_is_masked_and_one_s_own_client_s_is_not() -> None:
    assert eyes().may_see_number(HERS, STAFF)
    assert not eyes().may_see_number(HIS, STAFF)
    assert not eyes().may_see_number(None, STAFF)
    assert eyes(masked=False).may_see_number(HIS, STAFF)
    assert ADMIN.may_see_number(HIS, STAFF)


def test_a_masked_number_keeps_its_ends_only() -> None:
    assert format_visible_number(NUMBER, in_full=True) == "+7 (903) 555-01-23"
    assert format_visible_number(NUMBER, in_full=False) == "+7903*****23"
