"""Whatever a client sends, the lab answers with a code and none of its own failures."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.lab.mango import MangoSwitches
from tests.support.mango_lab import KEY, MangoWorld, mango_world
from tests.support.virtual_time import VirtualLoop

PATHS = (
    "commands/route",
    "commands/callback",
    "commands/call/hangup",
    "config/users/request",
    "stats/calls/request/",
    "stats/calls/result/",
    "queries/recording/post",
)
NAMES = (
    "command_id", "call_id", "to_number", "from", "extension", "line_number", "sip_headers",
    "From/display-name", "ext_fields", "start_date", "end_date", "limit", "offset", "context_type",
    "context_status", "search_string", "key", "recording_id", "action",
)  # fmt: skip
VALUES = (
    None, True, 0, -1, 10**40, 0.5, "", "205", "1", "2000", "download", "01.01.0001 00:00:00",
    "31.12.9999 23:59:59", "01.01.2026", "\ud800", "\x00", "²",
)  # fmt: skip

json_values = st.recursive(
    st.sampled_from(VALUES) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(NAMES), json_values, max_size=8)
UNLIMITED = MangoSwitches(rate_limits=False, lock=False)


async def answered(world: MangoWorld, path: str, text: str) -> None:
    reply = await world.api.send(path, text)

    assert reply.status_code == 200
    assert set(reply.json()) & {"result", "key", "users"}


def in_a_world(path: str, text: str) -> None:
    async def run() -> None:
        async with mango_world(UNLIMITED, pace=0) as world:
            await answered(world, path, text)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=20, deadline=None)
@given(fields=objects)
def test_odd_parameters_have_a_code(path: str, fields: dict[str, object]) -> None:
    in_a_world(path, json.dumps(fields))


@settings(max_examples=30, deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_an_odd_body_has_a_code(body: bytes) -> None:
    async def run() -> None:
        async with mango_world(UNLIMITED) as world:
            for content in (body, b"vpbx_api_key=" + KEY.encode() + b"&sign=&json=" + body):
                reply = await world.control.post("/vpbx/commands/route", content=content)
                assert reply.json()["result"] in {3102, 3103, 3105}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 50_000, "1" * 10_000, "NaN"])
def test_json_that_no_reader_takes_has_a_code(text: str) -> None:
    in_a_world("commands/route", text)
