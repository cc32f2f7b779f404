"""The doors for people: sign-in of the administrator and of managers, links, sign-out, language."""

import logging
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from bridge.domain.directory import Manager
from bridge.errors import OneCError
from bridge.ports import AuditAct, AuditRecord, SignIn
from bridge.web.access import Gate, Role
from bridge.web.access.attempts import Guess
from bridge.web.access.gate import (
    ADMIN_COOKIE,
    CONSOLE_LINK,
    DESK,
    DESK_COOKIE,
    FOREIGN_PAGE,
    SIGN_IN,
    too_many,
    works_here,
)
from bridge.web.access.network import is_same_origin
from bridge.web.access.seals import ADMIN_SESSION, MANAGER_SESSION
from bridge.web.forms import read_form, safe_path
from bridge.web.language import LANGUAGES, mark
from bridge.web.pages import LANG_COOKIE, PAGE_HEADERS, Pages
from bridge.web.surface import WebServices

_log = logging.getLogger(__name__)

_YEAR: Final = timedelta(days=365)

_WRONG_PASSWORD: Final = mark("This is not the password.")
_WRONG_IN_ONEC: Final = mark(
    "1C did not accept this name and password. If they are right, your 1C user may not use OData: "
    "ask the administrator for a personal link."
)
_UNKNOWN_NAME: Final = mark(
    "1C accepts you, but no user of this name is among those the bridge knows: ask the "
    "administrator for a personal link."
)
_SAME_NAME: Final = mark(
    "Several 1C users bear this name: ask the administrator for a personal link."
)
_WORTHLESS: Final = mark(
    "The 1C publication lets everybody in, whatever the password, so it cannot vouch for you: ask "
    "the administrator for a personal link."
)
_ONEC_AWAY: Final = mark("1C cannot be asked just now. Its answer: %(words)s")
_DEAD_LINK: Final = mark("This link is no longer valid: ask the administrator for another.")
_USED_LINK: Final = mark(
    "This link was used already, or is more than an hour old. On the bridge's machine the command "
    "onec-bridge console-link prints another."
)

#: Guesses that cost nothing: at one name from everywhere, and of one network at all names; in an
#: office many people share its address.
_FREE_OF_NAME: Final = 10
_FREE_OF_OFFICE: Final = 20
_LONGEST_NAME: Final = 200


class SignInDoors:
    """Lets people in and out."""

    def __init__(self, services: WebServices, gate: Gate, pages: Pages) -> None:
        self._services = services
        self._gate = gate
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        post = ["POST"]
        return [
            Route(SIGN_IN, self.page, include_in_schema=False),
            Route(f"{SIGN_IN}/admin", self.admin, methods=post, include_in_schema=False),
            Route(f"{SIGN_IN}/manager", self.manager, methods=post, include_in_schema=False),
            Route(f"{CONSOLE_LINK}/{{sealed}}", self.open_console, include_in_schema=False),
            Route("/enter/{sealed}", self.enter, include_in_schema=False),
            Route("/logout", self.leave, methods=post, include_in_schema=False),
            Route("/language", self.language, methods=post, include_in_schema=False),
        ]

    async def page(self, request: Request) -> Response:
        """Show the sign-in."""
        return self._form(request, next_path=safe_path(request.query_params.get("next", "/")))

    async def admin(self, request: Request) -> Response:
        """Sign the administrator in by his password."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        there = safe_path(form.get("next", "/"))
        try:
            right = await self._gate.is_password(request.scope, form.get("password", "").encode())
        except HTTPException as busy:
            return self._not_now(request, busy, there, wrong_admin=busy.detail)
        if not right:
            await self._refused(request.scope, "admin", Role.ADMIN)
            return self._form(request, next_path=there, status=401, wrong_admin=_WRONG_PASSWORD)
        return await self._welcome_admin(request, there)

    async def open_console(self, request: Request) -> Response:
        """Sign in by a one-time link whoever can read what the service or a command printed."""
        if request.method == "HEAD":  # a look at a link does not use it
            return Response(headers=dict(PAGE_HEADERS))
        if not await self._gate.seals.use_console_link(request.path_params["sealed"]):
            await self._refused(request.scope, "link", Role.ADMIN)
            return self._form(request, next_path="/", status=403, wrong_admin=_USED_LINK)
        return await self._welcome_admin(request, "/", "link")

    async def manager(self, request: Request) -> Response:
        """Sign a manager in by 1C's word on his name and password; neither is kept."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
        there = safe_path(form.get("next", ""), DESK)
        try:
            turn = await self._gate.turn(*self._guesses(request.scope, name))
        except HTTPException as busy:
            return self._not_now(request, busy, there, wrong_manager=busy.detail, name=name)
        status, words, fields = 401, _WRONG_IN_ONEC, dict[str, object]()
        try:
            said = await self._services.onec_sign_in.check(name, form.get("password", ""))
        except OneCError as error:
            said, status, words, fields = None, 503, _ONEC_AWAY, {"words": str(error)}
        if said is SignIn.WORTHLESS:
            status, words = 503, _WORTHLESS
        if said is not SignIn.REFUSED:
            turn.right()  # where 1C did not say that it is wrong, nothing was learnt
        if said in {SignIn.ACCEPTED, SignIn.NO_RIGHTS}:
            found = self._of_name(name)
            if len(found) == 1:
                return await self._welcome(request, found[0], there, "1c")
            status, words = 403, _SAME_NAME if found else _UNKNOWN_NAME
        if said is SignIn.REFUSED and turn.worth_noting:
            await self._note(request.scope, AuditAct.REFUSED, Role.MANAGER)
            _log.warning("manager_refused", extra={"client": self._gate.address(request.scope)})
        if said is SignIn.REFUSED and turn.pause:
            refusal = too_many(turn.pause)
            return self._not_now(request, refusal, there, wrong_manager=refusal.detail, name=name)
        wrong = self._pages.speech(request.scope).say(words, **fields)
        return self._form(request, next_path=there, status=status, wrong_manager=wrong, name=name)

    async def enter(self, request: Request) -> Response:
        """Let a manager in by his personal link."""
        claim = self._gate.seals.read_link(request.path_params["sealed"])
        manager = None if claim is None else self._gate.manager_of(claim)
        if manager is None:
            await self._refused(request.scope, "link", Role.MANAGER)
            words = self._pages.speech(request.scope).say(_DEAD_LINK)
            return self._form(request, next_path=DESK, status=403, wrong_manager=words)
        return await self._welcome(request, manager, DESK, "link")

    async def leave(self, request: Request) -> Response:
        """Sign out."""
        _refuse_foreign(request.scope)
        viewer = await self._gate.sign_out(request.scope)
        if viewer is not None:
            await self._note(request.scope, AuditAct.SIGNED_OUT, viewer.role, viewer.name)
        answer = _lead_to(SIGN_IN)
        for name in (ADMIN_COOKIE, DESK_COOKIE):
            answer.delete_cookie(name, path="/")
        return answer

    async def language(self, request: Request) -> Response:
        """Keep a person's choice of language."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        answer = _lead_to(safe_path(form.get("next", "/")))
        if form.get("lang") in LANGUAGES:
            self._give(request, answer, LANG_COOKIE, form["lang"], _YEAR)
        return answer

    def _guesses(self, scope: Scope, name: str) -> tuple[Guess, ...]:
        secret, network = f"1C {name.casefold()}", self._gate.network(scope)
        return (
            Guess(secret, network),
            Guess(secret, "", _FREE_OF_NAME),
            Guess("1C", network, _FREE_OF_OFFICE),
        )

    async def _refused(self, scope: Scope, secret: str, role: Role) -> None:
        """Note a refusal, unless there were so many that the list would drown in them."""
        guess = Guess(f"{secret} noted", self._gate.network(scope))
        _, worth_noting = self._gate.attempts.wrong(guess)
        if worth_noting:
            await self._note(scope, AuditAct.REFUSED, role)

    async def _welcome_admin(self, request: Request, there: str, how: str = "") -> Response:
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.ADMIN, words=how)
        answer = _lead_to(there)
        self._give(request, answer, ADMIN_COOKIE, self._gate.seals.admin_session(), ADMIN_SESSION)
        return answer

    async def _welcome(self, request: Request, manager: Manager, there: str, how: str) -> Response:
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.MANAGER, manager.name, how)
        answer = _lead_to(there)
        session = self._gate.seals.manager_session(self._gate.pass_of(manager))
        self._give(request, answer, DESK_COOKIE, session, MANAGER_SESSION)
        return answer

    def _of_name(self, name: str) -> list[Manager]:
        staff = self._services.directory.managers().values()
        return [m for m in staff if works_here(m) and _folded(m.name) == name.casefold()]

    def _not_now(
        self, request: Request, refusal: HTTPException, there: str, **fields: str
    ) -> Response:
        """Show the form with a refusal to check anything now: a person sent it, not a script."""
        answer = self._form(request, next_path=there, status=refusal.status_code, **fields)
        answer.headers.update(refusal.headers or {})
        return answer

    def _form(
        self,
        request: Request,
        *,
        next_path: str,
        status: int = 200,
        wrong_admin: str = "",
        wrong_manager: str = "",
        name: str = "",
    ) -> Response:
        fields = {
            "viewer": None,
            "here": f"{SIGN_IN}?{urlencode({'next': next_path})}",
            "next_path": next_path,
            "has_password": self._gate.has_password,
            "wrong_admin": self._pages.speech(request.scope).say(wrong_admin),
            "wrong_manager": self._pages.speech(request.scope).say(wrong_manager),
            "name": name,
        }
        return self._pages.render(request, "login.html", fields, status=status)

    def _give(
        self, request: Request, answer: Response, name: str, value: str, age: timedelta
    ) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=int(age.total_seconds()),
            path="/",
            httponly=True,
            # Lax, as a personal link is opened from a mail or from 1C.
            samesite="lax",
            secure=self._gate.is_encrypted(request.scope),
        )

    async def _note(
        self, scope: Scope, act: AuditAct, role: Role, who: str = "", words: str = ""
    ) -> None:
        services = self._services
        record = AuditRecord(
            services.clock(), act, role.value, who, self._gate.address(scope), words=words
        )
        await services.audit.note(record)


def _refuse_foreign(scope: Scope) -> None:
    if not is_same_origin(scope):
        raise HTTPException(403, FOREIGN_PAGE)


def _lead_to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=dict(PAGE_HEADERS))


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
