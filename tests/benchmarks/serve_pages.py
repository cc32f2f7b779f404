"""Child: a 1C publication with many partners, every page of them ready as bytes.

What is small (metadata, users, properties) the lab's simulator answers.
"""

import gc
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec
import orjson

from bridge.adapters.onec import schema
from bridge.domain.directory.entities import EntityKind
from bridge.lab.onec.app import create_onec_app
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.infobase import USERS
from bridge.lab.onec.simulator import OneCLab
from tests.benchmarks.children import given, serve
from tests.benchmarks.company import name_of, number_of, ref_of, typed, version_of

_HEAD = b'{"odata.metadata":"http://127.0.0.1/ut11/odata/standard.odata/$metadata","value":['
_TAIL = b"]}"
_EMPTY = frozenset({schema.CONTACT_PERSONS, schema.COUNTERPARTIES})
_RECORDED = "/_recorded"


class Pages:
    """Partners as 1C sends them: the listing, and bodies by `$skip` and `$top`."""

    def __init__(self, partners: int, managers: list[str]) -> None:
        self._bodies = [
            orjson.dumps(_row(at, managers[at % len(managers)])) for at in range(partners)
        ]
        self._listing = [
            orjson.dumps({"Ref_Key": ref_of(2, at), "DataVersion": version_of(at)})
            for at in range(partners)
        ]
        self._ready: dict[tuple[bool, int, int], bytes] = {}
        for bodies, top in ((False, partners), (True, 1000)):
            for skip in range(0, partners, top):
                self.page(bodies=bodies, skip=skip, top=top)

    def page(self, *, bodies: bool, skip: int, top: int) -> bytes:
        """Return a page; composed once."""
        found = self._ready.get((bodies, skip, top))
        if found is None:
            rows = self._bodies if bodies else self._listing
            found = _HEAD + b",".join(rows[skip : skip + top]) + _TAIL
            self._ready[bodies, skip, top] = found
        return found

    def answer(self, query: dict[str, list[str]]) -> bytes:
        """Answer a question for partners; another one than a pull's breaks the benchmark."""
        columns = set(query["$select"][0].split(","))
        known = {column.path for column in schema.COLUMNS[EntityKind.PARTNER]}
        if "$filter" in query or not columns <= known:
            raise ValueError(f"not a pull's question: {query}")
        return self.page(
            bodies=columns != {"Ref_Key", "DataVersion"},
            skip=int(query.get("$skip", ["0"])[0]),
            top=int(query.get("$top", [str(len(self._bodies))])[0]),
        )


def _row(at: int, manager: str) -> dict[str, object]:
    """Compose one partner: two phones, a mail address, a postal address, as our `$select` asks."""
    lines = [
        {"Тип": "Телефон", "Представление": typed(n), "НомерТелефона": str(n)}
        for n in (number_of(2 * at), number_of(2 * at + 1))
    ]
    lines.append(
        {
            "Тип": "АдресЭлектроннойПочты",
            "Представление": f"office{at}@firm.example",
            "НомерТелефона": "",
        }
    )
    server = f"117{at % 1000:03d}, Москва г, Композиторская ул, дом {at % 90}, офис {at % 400}"
    lines.append({"Тип": "Адрес", "Представление": server, "НомерТелефона": ""})
    return {
        "Ref_Key": ref_of(2, at),
        "DataVersion": version_of(at),
        "Description": name_of(at),
        "DeletionMark": False,
        "ОсновнойМенеджер_Key": manager,
        "Parent_Key": "00000000-0000-0000-0000-000000000000",
        "Code": f"00-{at:08d}",
        "Клиент": True,
        "PredefinedDataName": "",
        "КонтактнаяИнформация": lines,
    }


def create_app(partners: int) -> Callable[..., Any]:
    """Build the publication."""
    world = compose_infobase(partners=5)
    lab = OneCLab(world)
    small = create_onec_app(lab)
    pages = Pages(partners, [str(ref) for ref in world.table(USERS).rows])
    recorded: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = unquote(scope["path"])
        name = path.rpartition("/")[2]
        if path == _RECORDED:
            await _reply(send, msgspec.json.encode(recorded))
            recorded.clear()
            return
        recorded.append(f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}")
        if name == schema.PARTNERS:
            await _reply(send, pages.answer(parse_qs(scope["query_string"].decode())))
        elif name in _EMPTY:
            await _reply(send, _HEAD + _TAIL)
        else:
            await small(scope, receive, send)

    return app


async def _reply(send: Any, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json;odata=nometadata;charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    publication = create_app(given()["partners"])
    gc.collect()
    gc.freeze()
    serve(publication, lifespan="off")
