"""One object or record, addressed by its key: looked at, changed where it stands, deleted.

    PATCH ─► 405, as of 1C's standalone server ─► read whole, lay the change over it, PUT

Only 1C's own "entity not found" means that it is gone. A page of the web server with the same
status may stand before a gone record, a set that is not published, or a verb that is not let
through, so behind such a page the set is asked (facts/onec-odata.md §4.2-4.8, §5.4).
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient, lenient_json_decoder, listing_query
from bridge.adapters.onec.schema import Column, RowPage
from bridge.adapters.onec.writing.record_keys import KeyPart, RecordKey
from bridge.errors import (
    OneCError,
    OneCFilteredByWebServer,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCObjectMissing,
    OneCRejected,
    OneCUnavailable,
    OneCVersionConflict,
)

_METHOD_NOT_ALLOWED: Final = 405
_VERSION_DIFFERS: Final = 412
_NOT_FOUND: Final = 404
#: 1C's code of an entity that is not there.
_NO_INSTANCE: Final = "9"

Fields = dict[str, msgspec.Raw]

_FIELDS: Final = msgspec.json.Decoder(Fields)
_ANSWER: Final = lenient_json_decoder(_FIELDS)
_WHOLE: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[Fields]))
_TEXT: Final = msgspec.json.Decoder(str)

R = TypeVar("R")


class ODataRecords:
    """Objects and records of one publication, one at a time; every write is one attempt."""

    def __init__(self, client: ODataClient) -> None:
        self._client = client
        self._puts = False

    async def find_rows(
        self,
        entity_set: str,
        columns: tuple[Column, ...],
        condition: str,
        reader: Callable[[bytes], RowPage[R]],
    ) -> list[R]:
        """Give the rows that meet *condition*.

        Raises:
            OneCError: as reads do; what cannot be read is OneCUnavailable: a page in front of 1C
                says nothing about whether a row is there.
        """
        return await self._rows(entity_set, ",".join(c.path for c in columns), condition, reader)

    async def update(
        self, place: RecordKey, body: msgspec.Struct, *, version: str = "", must_exist: bool = False
    ) -> Fields:
        """Change what *body* names and nothing else; give what stands there now, if 1C told.

        *version* is the one it was decided upon. *must_stand*: look first whether anything
        stands there. Nobody has measured whether PATCH makes a register's record that is not
        there, as it makes no object.

        Raises:
            OneCGone: nothing stands there.
            OneCChanged: it has another version by now; noticed where 1C keeps to `If-Match`, or
                has to be read before it is written.
            OneCError: as writes do.
        """
        wanted = _FIELDS.decode(msgspec.json.encode(body))
        if not self._puts:
            if must_exist:
                await self._whole(place)
            try:
                return await self._patch(place, wanted, version)
            except OneCRejected as error:
                if error.status != _METHOD_NOT_ALLOWED:
                    raise
        answer = await self._put(place, wanted, version)
        self._puts = True
        return answer

    async def delete(self, place: RecordKey) -> None:
        """Delete physically.

        Raises:
            OneCGone: nothing stands there.
            OneCError: as writes do.
        """
        await self._send("DELETE", place, None)

    async def _patch(self, place: RecordKey, wanted: Fields, version: str) -> Fields:
        try:
            answer = await self._send("PATCH", place, wanted, version)
        except OneCRejected as error:
            if not version or error.status != _VERSION_DIFFERS:
                raise
            _must_be(version, await self._whole(place), place)
            # It is the version we know, so the refusal was about the spelling of it.
            answer = await self._send("PATCH", place, wanted)
        return _took(place, wanted, answer)

    async def _put(self, place: RecordKey, wanted: Fields, version: str) -> Fields:
        """Send all that stands there with *wanted* in it: what PUT is not given it empties."""
        whole = await self._whole(place)
        _must_be(version, whole, place)
        kept = {name: value for name, value in whole.items() if not _is_annotation(name)}
        return _took(place, wanted, await self._send("PUT", place, {**kept, **wanted}))

    async def _send(
        self, method: str, place: RecordKey, content: Fields | None, version: str = ""
    ) -> Fields:
        try:
            return await self._client.write(method, place.path, content, _ANSWER, version=version)
        except OneCFilteredByWebServer:
            raise
        except OneCNotPublished as error:
            await self._whole(place)
            raise _hidden(method, error) from error
        except OneCRejected as error:
            if error.status == _METHOD_NOT_ALLOWED and method != "PATCH":
                raise _hidden(method, error) from error
            raise

    async def _whole(self, place: RecordKey) -> Fields:
        """Give everything that stands at *place*, proven to be that and nothing else."""
        rows = await self._rows(place.entity_set, "", place.condition, _WHOLE)
        if not rows:
            words = "the object or record is not there any more"
            raise OneCObjectMissing(place.entity_set, words, _NOT_FOUND, _NO_INSTANCE)
        if len(rows) > 1 or any(not _holds(rows[0], part) for part in place.parts):
            raise OneCUnavailable(place.entity_set, "an answer to another question than ours")
        return rows[0]

    async def _rows(
        self, entity_set: str, select: str, condition: str, reader: Callable[[bytes], RowPage[R]]
    ) -> list[R]:
        query = listing_query(select, filter=condition)
        try:
            page = await self._client.read(entity_set, query, reader)
        except OneCInvalidResponse as error:
            raise OneCUnavailable(error.where, error.detail) from error
        return page.value


def _hidden(method: str, error: OneCError) -> OneCFilteredByWebServer:
    words = f"the web server does not let {method} through to 1C: {error.detail}"
    return OneCFilteredByWebServer(error.where, words)


def _must_be(version: str, whole: Fields, place: RecordKey) -> None:
    if version and text_of(whole, schema.DATA_VERSION) != version:
        raise OneCVersionConflict(place.entity_set, "changed by somebody meanwhile; read it again")


def _took(place: RecordKey, wanted: Fields, answer: Fields) -> Fields:
    """Mind that 1C says 200 to fields it does not have; its answer shows those it has."""
    absent = [name for name in wanted if name not in answer]
    if answer and absent:
        words = f"1C has no field {', '.join(absent)} and left it out without a word"
        raise OneCNotPublished(place.entity_set, words)
    return answer


def _holds(row: Fields, part: KeyPart) -> bool:
    return text_of(row, part.name).lower() == part.value.lower()


def text_of(row: Fields, name: str) -> str:
    """Give a text or date of *row*; empty where there is none."""
    try:
        return _TEXT.decode(row[name])
    except (KeyError, ValueError):
        return ""


def _is_annotation(name: str) -> bool:
    return "@" in name or name.startswith("odata.")
