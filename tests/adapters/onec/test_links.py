"""A link opens in the web client what its reference names."""

from urllib.parse import unquote

from bridge.adapters.onec.links import WebClientLinks, ref_in_link
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref

#: With the link that a 1C client gave for it.
OBJECT = Ref("5b94bf37-7728-11ef-8122-000c295e34e3")


def test_the_parts_of_a_reference_stand_as_in_a_link_of_1c() -> None:
    assert ref_in_link(OBJECT) == "8122000c295e34e311ef77285b94bf37"


def test_a_link_names_the_infobase_the_type_and_the_object() -> None:
    link = WebClientLinks("https://1c.example.ru/ut11/").owner_link(CandidateKind.PARTNER, OBJECT)
    assert unquote(link) == (
        "https://1c.example.ru/ut11/"
        "#e1cib/data/Справочник.Партнеры?ref=8122000c295e34e311ef77285b94bf37"
    )
    assert link.isascii()
