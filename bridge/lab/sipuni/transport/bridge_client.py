"""The cabinet's two kinds of HTTP request: it asks a question, and it pushes an event.

Where the vendor's pages are silent (time-out, redirect, status) it assumes the worst a cabinet may
do: no retry, no redirect, branch 0.
"""

import asyncio
import json
from collections.abc import Callable

import httpx

from bridge.lab.sipuni.calls import AskedQuestion, PushedEvent
from bridge.lab.sipuni.protocol.event_forms import encode_body
from bridge.lab.sipuni.protocol.events import Params
from bridge.lab.sipuni.scheme import SchemeNode, SipuniScheme, read_answer
from bridge.lab.sipuni.switches import BodyForm

MAX_SHOWN_ANSWER = 500


class BridgeClient:
    """Sends what a cabinet sends, once; whatever the bridge does becomes a value."""

    def __init__(
        self, scheme: SipuniScheme, http: httpx.AsyncClient, stopwatch: Callable[[], float]
    ) -> None:
        self._scheme = scheme
        self._http = http
        self._stopwatch = stopwatch

    async def ask(self, node: SchemeNode, query: str) -> AskedQuestion:
        """Ask where a call should go, and read the answer as *node* does."""
        limit = self._scheme.timeout_s
        began = self._stopwatch()
        status, shown, extension, problem, late = None, "", None, "", False
        try:
            async with asyncio.timeout(limit):
                response = await self._http.get(
                    _with_query(self._scheme.hook_url, query), follow_redirects=False, timeout=None
                )
        except (TimeoutError, httpx.TimeoutException):
            late = True
        except httpx.HTTPError as failure:
            problem = f"no connection ({type(failure).__name__})"
        else:
            status, shown = response.status_code, response.text[:MAX_SHOWN_ANSWER]
            if response.is_success:
                label = response.headers.get("content-type", "")
                extension, problem = read_answer(node, label, response.content)
            else:
                problem = f"status {status}"
        waited = self._stopwatch() - began
        # A virtual stopwatch shows a late answer the loop's own timer could not see.
        if late or waited > limit:
            waited, extension, problem = limit, None, f"no answer within {limit:g} s"
        latency_ms = round(waited * 1000, 3)
        return AskedQuestion(node.label, query, status, latency_ms, shown, extension, problem)

    async def push(
        self, code: str, params: Params, *, post: bool = False, form: BodyForm = BodyForm.FORM
    ) -> PushedEvent:
        """Push one event; *post* sends a body whatever the cabinet's setting, in this *form*."""
        url = self._scheme.push_url
        by_post = post or form is not BodyForm.FORM or self._scheme.events_method == "POST"
        content_type, body = encode_body(params, form)
        status, problem = None, ""
        try:
            async with asyncio.timeout(self._scheme.timeout_s):
                if by_post:
                    request = self._http.build_request(
                        "POST",
                        url,
                        content=body,
                        headers={"Content-Type": content_type},
                        timeout=None,
                    )
                else:
                    query = body.decode("ascii")
                    request = self._http.build_request("GET", _with_query(url, query), timeout=None)
                response = await self._http.send(request, follow_redirects=False)
        except (TimeoutError, httpx.TimeoutException):
            problem = f"no answer within {self._scheme.timeout_s:g} s"
        except httpx.HTTPError as failure:
            problem = f"no connection ({type(failure).__name__})"
        else:
            status, problem = response.status_code, _wrong_acknowledgement(response)
        return PushedEvent(event=code, params=params, status=status, problem=problem)


def _with_query(url: str, query: str) -> httpx.URL:
    parsed = httpx.URL(url)
    whole = b"&".join(part for part in (parsed.query, query.encode("ascii")) if part)
    return parsed.copy_with(query=whole or None)


def _wrong_acknowledgement(response: httpx.Response) -> str:
    """Return what is wrong with the answer to an event; empty when it is correct."""
    if response.status_code != httpx.codes.OK:
        return f"status {response.status_code}"
    try:
        answer = json.loads(response.content)
    except ValueError:
        return "the answer is not JSON"
    accepted = isinstance(answer, dict) and answer.get("success") is True
    return "" if accepted else "the answer has no true success"
