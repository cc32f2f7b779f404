"""One object or record, addressed by its key: found, updated, deleted.

    PATCH ─► 405, as of 1C's standalone server ─► read whole, merge the change into it, PUT

Only 1C's own "entity not found" means that it is deleted. A page of the web server with the same
status may stand for a deleted record, a set that is not published, or a verb that is filtered, so
after such a page the set is read. Source: docs/facts/onec-odata.md, 'Writing' and 'Answers that
OData did not give'.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.query import listing_query
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
_PRECONDITION_FAILED: Final = 412
_NOT_FOUND: Final = 404
#: 1C's code of an entity that is not there.
_NOT_FOUND_CODE: Final = "9"

Fields = dict[str, msgspec.Raw]

_FIELDS: Final = msgspec.json.Decoder(Fields)
_WRITTEN: Final = lenient_json_decoder(_FIELDS)
_ROWS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[Fields]))
_TEXT: Final = msgspec.json.Decoder(str)

R = TypeVar("R")


class ODataRecords:
    """Objects and records of one publication, one at a time; every write is one attempt."""

    def __init__(self, client: ODataClient) -> None:
        self._client = client
        self._uses_put = False

    async def find_rows(
        self,
        entity_set: str,
        columns: tuple[Column, ...],
        condition: str,
        decode: Callable[[bytes], RowPage[R]],
    ) -> list[R]:
        """Return the rows that meet *condition*.

        Raises:
            OneCError: as reads do; what cannot be read is OneCUnavailable: a page in front of 1C
                does not show whether a row is there.
        """
        return await self._rows(entity_set, ",".join(c.path for c in columns), condition, decode)

    async def update(
        self, key: RecordKey, body: msgspec.Struct, *, version: str = "", must_exist: bool = False
    ) -> Fields:
        """Change the fields in *body* and nothing else; return all fields, where 1C answers them.

        *version* is the one the change was decided upon. *must_exist*: check first that the record
        is there. PATCH creates no object; whether it creates a register's record was not measured.

        Raises:
            OneCObjectMissing: it is not there.
            OneCVersionConflict: it has another version by now; noticed where 1C checks `If-Match`,
                or where it has to be read before it is written.
            OneCError: as writes do.
        """
        changes = _FIELDS.decode(msgspec.json.encode(body))
        if not self._uses_put:
            if must_exist:
                await self._read_whole(key)
            try:
                return await self._patch(key, changes, version)
            except OneCRejected as error:
                if error.status != _METHOD_NOT_ALLOWED:
                    raise
        answer = await self._put(key, changes, version)
        self._uses_put = True
        return answer

    async def delete(self, key: RecordKey) -> None:
        """Delete physically, not by a mark.

        Raises:
            OneCObjectMissing: it is not there.
            OneCError: as writes do.
        """
        await self._send("DELETE", key, None)

    async def _patch(self, key: RecordKey, changes: Fields, version: str) -> Fields:
        try:
            answer = await self._send("PATCH", key, changes, version)
        except OneCRejected as error:
            if not version or error.status != _PRECONDITION_FAILED:
                raise
            _check_version(version, await self._read_whole(key), key)
            # It is the known version, so 1C refused only the form in which it was sent.
            answer = await self._send("PATCH", key, changes)
        return _check_fields(key, changes, answer)

    async def _put(self, key: RecordKey, changes: Fields, version: str) -> Fields:
        """Send all fields with *changes* among them: PUT empties those it is not given."""
        whole = await self._read_whole(key)
        _check_version(version, whole, key)
        kept = {name: value for name, value in whole.items() if not _is_annotation(name)}
        return _check_fields(key, changes, await self._send("PUT", key, {**kept, **changes}))

    async def _send(
        self, method: str, key: RecordKey, content: Fields | None, version: str = ""
    ) -> Fields:
        try:
            return await self._client.write(method, key.path, content, _WRITTEN, version=version)
        except OneCFilteredByWebServer:
            raise
        except OneCNotPublished as error:
            await self._read_whole(key)
            raise _filtered(method, error) from error
        except OneCRejected as error:
            if error.status == _METHOD_NOT_ALLOWED and method != "PATCH":
                raise _filtered(method, error) from error
            raise

    async def _read_whole(self, key: RecordKey) -> Fields:
        """Return all fields of the record at *key*, checked to be of this key."""
        rows = await self._rows(key.entity_set, "", key.condition, _ROWS)
        if not rows:
            reason = "the object or record is not there any more"
            raise OneCObjectMissing(key.entity_set, reason, _NOT_FOUND, _NOT_FOUND_CODE)
        if len(rows) > 1 or any(not _has_key_part(rows[0], part) for part in key.parts):
            raise OneCUnavailable(key.entity_set, "an answer to another question than ours")
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


def _filtered(method: str, error: OneCError) -> OneCFilteredByWebServer:
    reason = f"the web server does not let {method} through to 1C: {error.detail}"
    return OneCFilteredByWebServer(error.where, reason)


def _check_version(version: str, whole: Fields, key: RecordKey) -> None:
    if version and text_of(whole, schema.DATA_VERSION) != version:
        raise OneCVersionConflict(key.entity_set, "changed by somebody meanwhile; read it again")


def _check_fields(key: RecordKey, changes: Fields, answer: Fields) -> Fields:
    """Return *answer* if it has all *changes*: 1C answers 200 to unknown fields too."""
    absent = [name for name in changes if name not in answer]
    if answer and absent:
        reason = f"1C has no field {', '.join(absent)} and left it out without a word"
        raise OneCNotPublished(key.entity_set, reason)
    return answer


def _has_key_part(row: Fields, part: KeyPart) -> bool:
    return text_of(row, part.name).lower() == part.value.lower()


def text_of(row: Fields, name: str) -> str:
    """Return a text or date of *row*; empty where there is none."""
    try:
        return _TEXT.decode(row[name])
    except (KeyError, ValueError):
        return ""


def _is_annotation(name: str) -> bool:
    return "@" in name or name.startswith("odata.")
