"""Answers one request below `odata/standard.odata`, as 1C does when no fault is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any, Final

from bridge.lab.onec.infobase.schema import EMPTY_REF, EntitySet
from bridge.lab.onec.infobase.tables import Key, Row
from bridge.lab.onec.odata import address, edmx, errors, render, replies
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.odata.reading import projection
from bridge.lab.onec.odata.reading.query import QueryRunner, check_options
from bridge.lab.onec.odata.replies import HttpReply
from bridge.lab.onec.odata.request import ODataRequest
from bridge.lab.onec.odata.writing import body_values, write
from bridge.lab.onec.odata.writing.request import WriteRequest

_BOM: Final = b"\xef\xbb\xbf"
_ACTIONS: Final = {"Post": True, "Unpost": False}


class ODataService:
    """The interface of one publication over one infobase."""

    def __init__(
        self,
        publication: Publication,
        now: Callable[[], datetime],
        clock: Callable[[], datetime],
    ) -> None:
        self.publication = publication
        #: The server's naive wall time, and the aware moment behind it.
        self._now = now
        self._clock = clock
        self._reader = QueryRunner()
        # References of new objects: drawn, but the same for the same requests.
        self._rng = Random(f"{publication.infobase.seed}/written")  # noqa: S311 - composed data
        self._metadata: tuple[object, bytes] | None = None
        self._changed = clock()

    def answer(self, request: ODataRequest) -> HttpReply:
        """Answer, or refuse with the status and text of 1C."""
        form = render.ResponseFormat(json="application/json" in request.headers.get("accept", ""))
        try:
            options = address.parse_query(request.query)
            form = render.requested_format(options, request.headers.get("accept", ""))
            return self._answer(request, address.parse_address(request.path, request.query), form)
        except errors.ODataRefusal as refused:
            return self.refusal(refused, form)

    def refusal(self, refused: errors.ODataRefusal, form: render.ResponseFormat) -> HttpReply:
        """Write a refusal, unless the web server puts its own page in front of it."""
        switches = self.publication.switches
        if refused.status == 404 and switches.iis_html_404:  # noqa: PLR2004 - HTTP
            return replies.html(404, "404 - File or directory not found.")
        content_type = render.JSON if form.json else "application/xml;charset=utf-8"
        body = render.refusal(refused, form, switches.lang)
        return HttpReply(refused.status, body, [*_VERSION, ("content-type", content_type)])

    def _answer(
        self, request: ODataRequest, where: address.ODataAddress, form: render.ResponseFormat
    ) -> HttpReply:
        if not where.segments:
            _only(request, "GET")
            check_options(where.options)
            body = render.service(self.publication.names(), form, request.root)
            kind = render.JSON if form.json else "application/atomsvc+xml;charset=utf-8"
            return HttpReply(200, body, [*_VERSION, ("content-type", kind)])
        if where.set_name == "$metadata":
            return self._edmx(request)
        if where.set_name == "$batch":
            raise errors.ODataRefusal(400, "2", "Неправильный формат запроса")
        entity_set = self.publication.entity_set(where.set_name)
        if where.segments[0].key is None:
            return self._set(request, where, entity_set, form)
        if not where.segments[0].key:
            raise errors.missing_key(entity_set.key[0])
        key = write.key_from(entity_set, where.segments[0].key)
        if len(where.segments) == 1:
            return self._entity(request, entity_set, key, where.options, form)
        return self._below(request, entity_set, key, where, form)

    # -------------------------------------------------------------- collections

    def _set(
        self,
        request: ODataRequest,
        where: address.ODataAddress,
        entity_set: EntitySet,
        form: render.ResponseFormat,
    ) -> HttpReply:
        rest = where.segments[1:]
        if rest:
            if rest[0].name == "$count" and self.publication.switches.count_endpoint:
                number = self._reader.count(
                    self.publication, entity_set, where.options, request.is_kept
                )
                # The bare number starts with a BOM (docs/facts/onec-odata.md, 'Pages and counts').
                body = _BOM + str(number).encode()
                return HttpReply(
                    200, body, [*_VERSION, ("content-type", "text/plain;charset=utf-8")]
                )
            if rest[0].key is not None:
                raise errors.no_method(rest[0].name)
            raise errors.no_segment(rest[0].name)
        if request.method == "POST":
            return self._create(request, entity_set, form)
        _only(request, "GET")
        page = self._reader.page(
            self.publication,
            entity_set,
            where.options,
            request=request.number,
            links=form.has_links,
            is_kept=request.is_kept,
        )
        chunks = render.collection(page, form, request.root)
        limit = self.publication.switches.max_page_bytes
        first = next(chunks)
        reply = HttpReply(
            200, _chain(first, chunks), [*_VERSION, ("content-type", form.content_type)]
        )
        if limit is not None and len(reply.whole()) > limit:
            return replies.platform_error("No space left on device")
        return reply

    def _create(
        self, request: ODataRequest, entity_set: EntitySet, form: render.ResponseFormat
    ) -> HttpReply:
        key = write.create(self._write(request, entity_set))
        reply = self._one(request, entity_set, key, {}, form)
        if not entity_set.is_register:
            # Raw UTF-8 in a header: a client that insists on latin-1 breaks after the commit.
            reply.status = 201
            reply.headers.append(("location", f"{request.root}{entity_set.name}(guid'{key}')"))
        return reply

    # -------------------------------------------------------------- single entities

    def _entity(
        self,
        request: ODataRequest,
        entity_set: EntitySet,
        key: Key,
        options: dict[str, str],
        form: render.ResponseFormat,
    ) -> HttpReply:
        if request.method == "GET":
            check_options(options)
            return self._one(request, entity_set, key, options, form)
        if entity_set.is_section:
            raise errors.rows_apart()
        _only(request, "PATCH", "PUT", "DELETE", "MERGE")
        change = self._write(request, entity_set)
        if request.method == "DELETE":
            write.delete(change, key)
            return HttpReply(204, b"", [*_VERSION])
        write.change(change, key, reset=request.method == "PUT")
        return self._one(request, entity_set, key, {}, form)

    def _one(
        self,
        request: ODataRequest,
        entity_set: EntitySet,
        key: Key,
        options: dict[str, str],
        form: render.ResponseFormat,
    ) -> HttpReply:
        row = self._found(entity_set, key)
        project = projection.compile_projection(
            self.publication, entity_set, options, links=form.has_links
        )
        body = render.entity(project(row), entity_set.name, form, request.root)
        kind = render.JSON if form.json else "application/atom+xml;type=entry;charset=utf-8"
        return HttpReply(200, body, [*_VERSION, ("content-type", kind)])

    def _found(self, entity_set: EntitySet, key: Key) -> Row:
        table = self.publication.table(entity_set)
        if not entity_set.is_section:
            if key not in table.rows:
                raise errors.no_instance(entity_set.name)
            row = table.rows[key]
            if self.publication.is_forbidden(row):
                raise errors.no_rights(self.publication.switches.rights_status)
            return row
        ref, number = key if isinstance(key, tuple) else (key, 0)
        owner = table.rows.get(str(ref))
        lines = table.section(owner, self.publication.section_name(entity_set)) if owner else []
        if not isinstance(number, int) or not 0 < number <= len(lines):
            raise errors.no_instance(entity_set.name)
        return lines[number - 1]

    def _below(
        self,
        request: ODataRequest,
        entity_set: EntitySet,
        key: Key,
        where: address.ODataAddress,
        form: render.ResponseFormat,
    ) -> HttpReply:
        name = where.segments[1].name
        if name in _ACTIONS and not entity_set.is_section:
            if not entity_set.posting:
                raise errors.no_method(name)
            # A GET executes the action too: never prefetch such an address
            # (docs/facts/onec-odata.md, 'Post and Unpost').
            _only(request, "GET", "POST")
            write.post(self._write(request, entity_set), str(key), posted=_ACTIONS[name])
            return HttpReply(200, b"", [*_VERSION])
        _only(request, "GET")
        table, row = self.publication.table(entity_set), self._found(entity_set, key)
        for index, segment in enumerate(where.segments[1:], 2):
            walked = self.publication.navigation(entity_set, segment.name)
            if walked is None:
                return self._property(request, entity_set, row, where.segments[index - 1 :], form)
            prop, entity_set = walked
            ref = str(row.get(prop.name) or EMPTY_REF)
            table = self.publication.table(entity_set)
            if ref not in table.rows:
                raise errors.no_instance(entity_set.name)
            key, row = ref, table.rows[ref]
        return self._one(request, entity_set, key, where.options, form)

    def _property(
        self,
        request: ODataRequest,
        entity_set: EntitySet,
        row: Row,
        rest: tuple[address.PathSegment, ...],
        form: render.ResponseFormat,
    ) -> HttpReply:
        name = rest[0].name
        if name not in entity_set.properties or len(rest) > 1:
            raise errors.no_segment(rest[-1].name)
        project = projection.compile_projection(
            self.publication, entity_set, {"$select": name}, links=False
        )
        found: Any = project(row).get(name)
        kind = render.JSON if form.json else "application/xml;charset=utf-8"
        body = render.value(found, name, form, request.root)
        return HttpReply(200, body, [*_VERSION, ("content-type", kind)])

    # -------------------------------------------------------------- parts

    def _write(self, request: ODataRequest, entity_set: EntitySet) -> WriteRequest:
        body = body_values.body_of(request.body, request.headers.get("content-type", ""))
        return WriteRequest(
            publication=self.publication,
            entity_set=entity_set,
            body=body,
            now=self._now(),
            rng=self._rng,
            is_data_load=request.headers.get("1c_odata-dataloadmode", "").lower() == "true",
            if_match=request.headers.get("if-match", ""),
        )

    def _edmx(self, request: ODataRequest) -> HttpReply:
        _only(request, "GET")
        state = (tuple(self.publication.names()), self.publication.switches.metadata_padding_mb)
        if self._metadata is None or self._metadata[0] != state:
            self._metadata = (state, edmx.render(self.publication))
            self._changed = self._clock()
        body = self._metadata[1]
        headers = [
            *_VERSION,
            ("content-type", "application/xml;charset=utf-8"),
            ("last-modified", format_datetime(self._changed.astimezone(UTC), usegmt=True)),
            ("content-length", str(len(body))),
        ]
        return HttpReply(200, body, headers)


_VERSION: Final = (("dataserviceversion", "3.0"),)


def _only(request: ODataRequest, *methods: str) -> None:
    if request.method not in methods:
        raise errors.forbidden_method(request.method)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
