"""One HTTP exchange with the simulator: the web server in front, the faults, the way back."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from bridge.lab.connection import LabConnectionLost, LossPhase
from bridge.lab.onec import control
from bridge.lab.onec.faults import Fault, RequestFaults
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata import render, replies
from bridge.lab.onec.odata.replies import HttpReply
from bridge.lab.onec.odata.request import ODataRequest
from bridge.lab.onec.simulator import OneCLab, RequestLogEntry

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HttpExchange:
    """One request and its reply."""

    def __init__(self, lab: OneCLab, scope: Scope, receive: Receive, send: Send) -> None:
        self.lab = lab
        self.scope = scope
        self.receive = receive
        self.send = send
        raw = scope.get("raw_path") or scope["path"].encode()
        self.raw_path: str = bytes(raw).split(b"?")[0].decode("utf-8", "replace")
        self.path = unquote(self.raw_path)
        self.query = bytes(scope.get("query_string", b"")).decode("utf-8", "replace")
        self.headers = {
            bytes(name).decode("latin-1").lower(): bytes(text).decode("utf-8", "replace")
            for name, text in scope["headers"]
        }
        override = self.headers.get("x-http-method") if scope["method"] == "POST" else None
        self.method: str = override or scope["method"]
        below = self.path.removeprefix(lab.root).lstrip("/")
        self.set_name = below.partition("/")[0].partition("(")[0]

    async def _body(self) -> bytes | None:
        """Return the whole body; None where the client left before its end."""
        parts = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    async def serve_control(self) -> None:
        """Answer at the control address."""
        body = await self._body()
        if body is None:
            return
        await self._reply(
            control.answer_control_request(self.lab, self.method, self.path, self.query, body)
        )

    async def serve_publication(self) -> None:
        """Answer as the publication would under the faults in force."""
        lab = self.lab
        front = self._web_server_reply()
        if front is not None:
            await self._log_and_reply(front)
            return
        body = await self._body()
        if body is None:  # the client left: nothing is executed
            self._log(0, 0)
            return
        request = ODataRequest(
            method=self.method,
            path=self._raw_path_below_root(),
            query=self.query,
            root=self._root_address(),
            number=lab.begin_request(),
            headers=self.headers,
            body=body,
        )
        faults = lab.faults.match_request(self.method, self.set_name)
        delay = lab.cold_start_delay_s() + faults.delay_s
        if delay:
            await lab.sleep(delay)
        if self.method == "PATCH" and lab.switches.patch == "405":
            # The standalone server: no body, no length, the socket stays open
            # (docs/facts/onec-odata.md, 'Replace, delete, standalone server').
            await self._log_and_reply(HttpReply(405))
            return
        reply = await self._execute(request, faults)
        if reply is None:
            return
        await self._finish(reply, faults.after_execution)

    def _web_server_reply(self) -> HttpReply | None:
        """Answer for the web server in front of 1C, if it does not let the request through."""
        switches, root = self.lab.switches, self.lab.root
        if self.path != root and not self.path.startswith(root + "/"):
            return replies.html(404, "404 - File or directory not found.")
        limit = switches.iis_query_limit
        if limit is not None and len(self.query.encode()) > limit:
            return replies.html(404, "404.15 - Query string too long")
        counted = self.raw_path if switches.iis_counts_encoded else self.path
        longest = max(len(part) for part in counted.split("/"))
        if switches.iis_segment_limit is not None and longest > switches.iis_segment_limit:
            return replies.html(400, "Bad Request - Invalid URL", "HTTP Error 400.")
        return None

    def _raw_path_below_root(self) -> str:
        levels = self.lab.root.count("/")
        return "/".join(self.raw_path.split("/")[levels + 1 :])

    def _root_address(self) -> str:
        host = self.headers.get("host", "localhost")
        return f"{self.scope.get('scheme', 'http')}://{host}{self.lab.root}/"

    async def _execute(self, request: ODataRequest, faults: RequestFaults) -> HttpReply | None:
        """Return 1C's reply or what replaces it; None when the connection is gone."""
        lab, fault = self.lab, faults.replacing
        if fault is not None and fault.kind in {"down", "timeout"}:
            await self._break_off(fault)
            return None
        if self.headers.get("authorization") != lab.authorization():
            return replies.unauthorised()
        session = lab.open_session(self.headers)
        if isinstance(session, HttpReply):
            return session
        if fault is not None:
            return await self._replacing_reply(request, fault)
        if faults.row_losses:
            request = replace(request, is_kept=lambda row: not faults.is_row_lost(_ref_of(row)))
        reply = lab.odata.answer(request)
        reply.headers += session
        return reply

    async def _replacing_reply(self, request: ODataRequest, fault: Fault) -> HttpReply | None:
        lab = self.lab
        if fault.kind == "late_commit":
            lab.postpone_write(request, fault.after)
            if fault.text == "lost":
                await self._lose("timeout")
                return None
        asks_json = "json" in self.query + self.headers.get("accept", "")
        if fault.kind == "pool_exhausted":
            return replies.pool_exhausted(as_json=asks_json)
        if fault.kind in replies.REPLY_OF_FAULT:
            return replies.REPLY_OF_FAULT[fault.kind](fault.text)
        refused = replies.refusal_of_fault(fault.kind, fault.text, lab.switches.rights_status)
        if refused is None:
            raise AssertionError(fault.kind)  # pragma: no cover - every kind has a reply
        return lab.odata.refusal(refused, render.ResponseFormat(json=asks_json))

    async def _break_off(self, fault: Fault) -> None:
        if fault.kind == "timeout":
            await self.lab.sleep(fault.seconds)
            await self._lose("timeout")
        else:
            await self._lose("connect")

    async def _finish(self, reply: HttpReply, fault: Fault | None) -> None:
        """Send the reply, or what a fault after the execution leaves of it."""
        if fault is None:
            await self._log_and_reply(reply)
        elif fault.kind == "bad_gateway":
            reply.whole()
            await self._log_and_reply(replies.REPLY_OF_FAULT["bad_gateway"](fault.text))
        elif fault.kind == "lost_reply":
            reply.whole()
            await self._lose("read")
        elif fault.kind == "hung_reply":
            reply.whole()
            await self.lab.sleep(fault.seconds)
            await self._lose("timeout")
        else:
            whole = reply.whole()
            reply.body = whole[: len(whole) // 2]
            reply.headers = [h for h in reply.headers if h[0] != "content-length"]
            await self._log_and_reply(reply, complete=fault.kind == "truncated")
            if fault.kind == "cut":
                await self._lose("read", is_logged=True)

    async def _lose(self, phase: LossPhase, *, is_logged: bool = False) -> None:
        """Drop the connection: over a socket by closing it, in-process by raising."""
        if not is_logged:
            self._log(0, 0)
        # ASGI cannot drop a connection; uvicorn's `send` is a method of what holds the socket.
        transport = getattr(getattr(self.send, "__self__", None), "transport", None)
        if transport is None:
            raise LabConnectionLost(phase)
        transport.abort()
        # Two turns of the loop, until the server has noticed that the socket is gone.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _log(self, status: int, size: int) -> None:
        entry = RequestLogEntry(self.method, self.set_name, self.path, self.query, status, size)
        self.lab.request_log.append(entry)
        self.lab.request_counts[self.method, self.set_name] += 1

    async def _log_and_reply(self, reply: HttpReply, *, complete: bool = True) -> None:
        size = await self._reply(reply, complete=complete)
        self._log(reply.status, size)

    async def _reply(self, reply: HttpReply, *, complete: bool = True) -> int:
        """Send a reply piece by piece and return its size before compression."""
        squeeze = None
        headers = list(reply.headers)
        if self.lab.switches.gzip and "gzip" in self.headers.get("accept-encoding", ""):
            squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
            headers = [h for h in headers if h[0] != "content-length"]
            headers.append(("content-encoding", "gzip"))
        elif isinstance(reply.body, bytes) and complete:
            headers = [h for h in headers if h[0] != "content-length"]
            headers.append(("content-length", str(len(reply.body))))
        encoded = [(name.encode(), text.encode()) for name, text in headers]
        await self.send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        size = 0
        for chunk in reply.chunks():
            size += len(chunk)
            sent = chunk if squeeze is None else squeeze.compress(chunk)
            if sent:
                await self.send({"type": "http.response.body", "body": sent, "more_body": True})
            # A long listing must not keep the other requests of this process waiting.
            await asyncio.sleep(0)
        tail = b"" if squeeze is None else squeeze.flush()
        if complete:
            await self.send({"type": "http.response.body", "body": tail, "more_body": False})
        return size


def _ref_of(row: Row) -> str:
    return str(row.get("Ref_Key", row))
