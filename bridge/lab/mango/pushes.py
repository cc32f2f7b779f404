"""Sends the cabinet's pushes: signed over the text as sent, in parallel, one apart from another.

Where the document is silent it assumes the worst: no repeat, no redirect.
"""

import asyncio
import json
from collections.abc import Coroutine
from random import Random

import httpx

from bridge.lab.mango.cabinet import MangoCabinet
from bridge.lab.mango.calls import MangoPush
from bridge.lab.mango.push_fields import Fields, write_json
from bridge.lab.mango.signature import encode_form, sign_json
from bridge.lab.mango.switches import MangoSwitches, PushOrder, PushSignature

#: Pushes under way together. More only queue up in the HTTP client, which takes long to sort them.
MOST_AT_ONCE = 32


class PushSender:
    """Sends pushes in the order the switches name; whatever the bridge does becomes a value."""

    def __init__(self, cabinet: MangoCabinet, http: httpx.AsyncClient, *, seed: int) -> None:
        self._cabinet = cabinet
        self._http = http
        self._random = Random(seed)  # noqa: S311 - an order of pushes is no secret
        self._turn = asyncio.Lock()
        self._lines = asyncio.Semaphore(MOST_AT_ONCE)
        self._held: list[tuple[MangoPush, MangoSwitches]] = []
        self._running: set[asyncio.Task[None]] = set()
        #: Every push so far, also those that were lost on purpose.
        self.log: list[MangoPush] = []

    def queue(
        self, path: str, fields: Fields, switches: MangoSwitches, *, state: str = ""
    ) -> MangoPush:
        """Send a push by the switches, and return it at once."""
        push = MangoPush(path, write_json(fields, switches.json_style))
        self.log.append(push)
        if switches.lost_pushes & {path, state}:
            push.problem = "lost, as the switch says"
        elif switches.push_order is PushOrder.PARALLEL:
            self._run(self.send(push, switches))
        elif switches.push_order is PushOrder.ONE_BY_ONE:
            self._run(self._send_in_turn(push, switches))
        else:
            if not self._held:
                self._run(self._release(switches))
            self._held.append((push, switches))
        return push

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.gather(*self._running)

    async def send(self, push: MangoPush, switches: MangoSwitches) -> None:
        """Send one push, and again where the switches repeat what was not taken."""
        address = self._address(push.path, switches)
        for attempt in range(1 + switches.repeats):
            if attempt:
                await asyncio.sleep(switches.repeat_after_s)
            push.attempts += 1
            await self._send_once(push, address, self._body(push.json_text, switches))
            if not push.problem:
                return

    async def _send_once(self, push: MangoPush, address: str, body: bytes) -> None:
        push.status, limit = None, self._cabinet.push_timeout_s
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            async with self._lines, asyncio.timeout(limit):
                answer = await self._http.post(
                    address, content=body, headers=headers, timeout=None, follow_redirects=False
                )
        except (TimeoutError, httpx.TimeoutException):
            push.problem = f"no answer within {limit:g} s"
        except httpx.HTTPError as failure:
            push.problem = f"no connection ({type(failure).__name__})"
        else:
            push.status = answer.status_code
            is_taken = answer.status_code == httpx.codes.OK
            push.problem = "" if is_taken else f"status {answer.status_code}"

    async def _send_in_turn(self, push: MangoPush, switches: MangoSwitches) -> None:
        async with self._turn:
            await self.send(push, switches)

    async def _release(self, switches: MangoSwitches) -> None:
        await asyncio.sleep(switches.shuffle_window_s)
        held, self._held = self._held, []
        if switches.push_order is PushOrder.SHUFFLED:
            self._random.shuffle(held)
            await asyncio.gather(*(self.send(push, one) for push, one in held))
            return
        for push, one in reversed(held):
            await self.send(push, one)

    def _body(self, json_text: str, switches: MangoSwitches) -> bytes:
        if not json_text:
            return b""  # an empty form, which «Проверить подключение» may send
        key, salt = self._cabinet.key, self._cabinet.salt
        if switches.push_signature is PushSignature.FOREIGN_KEY:
            key = f"{key}-of-somebody-else"
        signed_text = json_text
        if switches.push_signature is PushSignature.REWRITTEN:
            signed_text = json.dumps(json.loads(json_text), ensure_ascii=False, indent=1)
        sign = sign_json(key, signed_text, salt)
        if switches.push_signature is PushSignature.WRONG:
            sign = sign[::-1]
        return encode_form(key, sign, json_text)

    def _address(self, path: str, switches: MangoSwitches) -> str:
        middle = "/vpbx" if switches.vpbx_paths else ""
        end = "/" if switches.slash_at_end else ""
        return f"{self._cabinet.hook_url.rstrip('/')}{middle}/{path}{end}"

    def _run(self, sending: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(sending)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
