"""The lab signs as the facts say: over the exact text, both ways."""

import json

import pytest

from bridge.lab.mango import (
    JsonStyle,
    MangoSwitches,
    decode_form,
    encode_form,
    sign_json,
    sign_recording_link,
)
from tests.support.mango_lab import CALLER, KEY, SALT, mango_world

NAMED = (
    '{"command_id":"cmd-2","call_id":"leg-1","to_number":"205",'
    '"sip_headers":{"From/display-name":"Речная школа"}}'
)
EVENT = (
    '{"entry_id":"E1","call_id":"L1","timestamp":1767225600,"seq":1,"call_state":"Appeared",'
    '"location":"ivr","from":{"number":"79001234567"},'
    '"to":{"number":"74950000001","line_number":"74950000001"},"dct":{"type":0}}'
)
CALLBACK = '{"command_id":"cmd-1","from":{"extension":"205"},"to_number":"79001234567"}'
STATISTICS = (
    '{"start_date":"01.01.2026 00:00:00","end_date":"01.01.2026 23:59:59",'
    '"limit":"500","offset":"0"}'
)
#: The vectors of docs/facts/mango.md, 'Signature checks'.
VECTORS = {
    "{}": "d00c8ed9e933dd08eafc32f1a28d5c3893dee35217cd032f12f89e3eab0e2974",
    '{"command_id":"cmd-1","call_id":"leg-1","to_number":"205"}': (
        "2817fa82e31e60d2f1f471ef200a8daf7a4c035a56a355f8c817a6866b94b408"
    ),
    CALLBACK: "3a2f2aeeb496f7b29e13fed7b99fd0de9483ef9b7cbb90f0faeba1dbd633fb96",
    json.dumps(json.loads(CALLBACK)): (
        "16e1f7c6018af871d80f963b551723e75a5a9ea356b7c4322cf8c804b88fdcad"
    ),
    NAMED: "4a6fcb87ca36d357a3c69040348a5db3cb4d18c9ad450432b81361d251fed4ce",
    json.dumps(json.loads(NAMED), separators=(",", ":")): (
        "2ce1cba4ffec4fa824b31484dbd9e618090491c4a9243d5bcc139327abe3e0d3"
    ),
    '{"command_id":"cmd-3","call_id":"leg-2"}': (
        "625662f032a4122c5b5dca624795f44dc7b77747b054a6d2160ef0072764fe2e"
    ),
    EVENT: "e320b719bc10f157f11e68911bb2bc4bdd43772d058dfc73101ff6ab6527b562",
    STATISTICS: "f54b4e6afe40c694fc5e7d0a4ffdeefde530f1d55383ffe7fb4bf50424a1bb4a",
    r'{"url":"https:\/\/bridge.example"}': (
        "85c16390224f54bee71317d0bf3c145f7ff9936cf9280c2647155da702d17355"
    ),
}


@pytest.mark.parametrize(("text", "sign"), VECTORS.items())
def test_a_text_has_the_signature_of_the_facts(text: str, sign: str) -> None:
    assert sign_json(KEY, text, SALT) == sign


def test_a_link_to_a_recording_has_the_signature_of_the_facts() -> None:
    sign = sign_recording_link(KEY, 1767225600, "rec-1", SALT)

    assert sign == "640e7e79607adedc0b8a828dc8d54c7a61596ce1fac9b007ad9671c0c08b8d71"


@pytest.mark.parametrize(("text", "sign"), VECTORS.items())
def test_a_form_brings_the_text_as_it_was_written(text: str, sign: str) -> None:
    form = decode_form(encode_form(KEY, sign, text))

    assert form is not None
    assert form.json_text == text.encode()
    assert form.is_signed(SALT)
    assert not form.is_signed("another-salt")


def test_bytes_that_are_no_text_are_signed_as_they_are() -> None:
    form = decode_form(b"vpbx_api_key=demo-key&sign=0&json=%FF%FE")

    assert form is not None
    assert form.json_text == b"\xff\xfe"
    assert not form.is_signed(SALT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"json={}&sign=1",
        b"vpbx_api_key=demo-key&json={}",
        b"vpbx_api_key=demo-key&sign=1",
        b"vpbx_api_key=demo-key&sign=1&json={}&json={}",
        b"&".join(b"a%d=1" % number for number in range(50)),
    ],
)
def test_a_form_without_its_three_fields_is_none(body: bytes) -> None:
    assert decode_form(body) is None


@pytest.mark.anyio
@pytest.mark.parametrize("style", JsonStyle)
async def test_a_push_is_signed_as_it_is_written(style: JsonStyle) -> None:
    async with mango_world(MangoSwitches(json_style=style, sip_lines=True)) as world:
        await world.call(caller=CALLER)

        texts = [one.json_text for one in world.bridge.received]

    assert not world.bridge.refused
    assert texts
    assert any(": " in text for text in texts) == (style is JsonStyle.SPACED)
