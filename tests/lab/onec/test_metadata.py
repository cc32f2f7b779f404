"""`$metadata` of the simulated 1C: its shape, and the fixture others check their names against."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.infobase import ORDERS, PARTNERS, PHONE_CALLS, REMINDERS, Infobase
from bridge.lab.onec.odata.edmx import render
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.switches import PublicationSwitches

FIXTURE = Path(__file__).parents[3] / "fixtures" / "onec" / "metadata.xml"
EDM = "{http://schemas.microsoft.com/ado/2009/11/edm}"


@pytest.fixture(scope="module")
def infobase() -> Infobase:
    return compose_infobase(1)


def schema_of(raw: bytes) -> ET.Element:
    found = ET.fromstring(raw).find(f".//{EDM}Schema")  # noqa: S314 - our own text
    assert found is not None
    return found


def test_the_shipped_fixture_is_what_the_lab_renders(infobase: Infobase) -> None:
    rendered = render(Publication(infobase, PublicationSwitches()))

    assert FIXTURE.read_bytes() == rendered, "write the new text to fixtures/onec/metadata.xml"


def test_every_set_has_its_type_and_every_section_a_row_type() -> None:
    schema = schema_of(FIXTURE.read_bytes())
    types = {e.get("Name") for e in schema.iter(f"{EDM}EntityType")}
    rows = {e.get("Name") for e in schema.iter(f"{EDM}ComplexType")}
    sets = {e.get("Name") for e in schema.iter(f"{EDM}EntitySet")}

    assert sets == types
    assert f"{PARTNERS}_КонтактнаяИнформация" in sets
    assert f"{PARTNERS}_КонтактнаяИнформация_RowType" in rows
    assert not list(schema.iter(f"{EDM}AssociationSet"))


def test_navigation_needs_a_published_target() -> None:
    schema = schema_of(FIXTURE.read_bytes())
    (partner,) = [e for e in schema.iter(f"{EDM}EntityType") if e.get("Name") == PARTNERS]
    walks = {e.get("Name") for e in partner.iter(f"{EDM}NavigationProperty")}

    assert "ОсновнойМенеджер" in walks
    assert "БизнесРегион" not in walks
    assert partner.get("OpenType") == "true"


def test_a_call_cannot_be_posted_and_an_order_can(infobase: Infobase) -> None:
    schema = schema_of(
        render(Publication(infobase, PublicationSwitches(published_extras={ORDERS})))
    )
    actions = {
        (action.get("Name"), parameter.get("Type"))
        for action in schema.iter(f"{EDM}FunctionImport")
        for parameter in action.iter(f"{EDM}Parameter")
        if parameter.get("Name") == "bindingParameter"
    }

    assert actions == {
        ("Post", f"StandardODATA.{ORDERS}"),
        ("Unpost", f"StandardODATA.{ORDERS}"),
    }
    assert PHONE_CALLS not in str(actions)


def test_a_registers_key_has_its_type_half_last() -> None:
    schema = schema_of(FIXTURE.read_bytes())
    (reminder,) = [e for e in schema.iter(f"{EDM}EntityType") if e.get("Name") == REMINDERS]

    keys = [e.get("Name") for e in reminder.iter(f"{EDM}PropertyRef")]

    assert keys == ["Пользователь_Key", "ВремяСобытия", "Источник", "Источник_Type"]
