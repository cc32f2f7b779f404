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
from bridge.web.access.gate import (
    ADMIN_COOKIE,
    DESK,
    DESK_COOKIE,
    FOREIGN_PAGE,
    SIGN_IN,
    cookie,
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
        if not await self._gate.is_password(request.scope, form.get("password", "").encode()):
            await self._note(request.scope, AuditAct.REFUSED, Role.ADMIN)
            return self._form(request, next_path=there, status=401, wrong_admin=_WRONG_PASSWORD)
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.ADMIN)
        answer = _lead_to(there)
        self._give(request, answer, ADMIN_COOKIE, self._gate.seals.admin_session(), ADMIN_SESSION)
        return answer

    async def manager(self, request: Request) -> Response:
        """Sign a manager in by 1C's word on his name and password; neither is kept."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        name = " ".join(form.get("name", "").split())
        there = safe_path(form.get("next", ""), DESK)
        guessers = (f"address {self._gate.address(request.scope)}", f"name {name.casefold()}")
        self._gate.refuse_guessing(*guessers)
        self._gate.attempts.wrong(*guessers)  # until 1C says otherwise
        status, words, fields = 401, _WRONG_IN_ONEC, dict[str, object]()
        try:
            said = await self._services.onec_sign_in.check(name, form.get("password", ""))
        except OneCError as error:
            said, status, words, fields = None, 503, _ONEC_AWAY, {"words": str(error)}
        if said is SignIn.WORTHLESS:
            status, words = 503, _WORTHLESS
        if said in {SignIn.ACCEPTED, SignIn.NO_RIGHTS}:
            self._gate.attempts.right(*guessers)
            found = self._of_name(name)
            if len(found) == 1:
                return await self._welcome(request, found[0], there, "1c")
            status, words = 403, _SAME_NAME if found else _UNKNOWN_NAME
        if said is SignIn.REFUSED:
            await self._note(request.scope, AuditAct.REFUSED, Role.MANAGER)
            _log.warning("manager_refused", extra={"client": self._gate.address(request.scope)})
        wrong = self._pages.speech(request.scope).say(words, **fields)
        return self._form(request, next_path=there, status=status, wrong_manager=wrong, name=name)

    async def enter(self, request: Request) -> Response:
        """Let a manager in by his personal link."""
        guesser = f"address {self._gate.address(request.scope)}"
        self._gate.refuse_guessing(guesser)
        claim = self._gate.seals.read_link(request.path_params["sealed"])
        manager = None if claim is None else self._gate.manager_of(claim)
        if manager is None:
            self._gate.attempts.wrong(guesser)
            await self._note(request.scope, AuditAct.REFUSED, Role.MANAGER)
            words = self._pages.speech(request.scope).say(_DEAD_LINK)
            return self._form(request, next_path=DESK, status=403, wrong_manager=words)
        return await self._welcome(request, manager, DESK, "link")

    async def leave(self, request: Request) -> Response:
        """Sign out."""
        _refuse_foreign(request.scope)
        sealed = cookie(request.scope, ADMIN_COOKIE)
        manager = self._gate.manager(request.scope)
        if sealed and self._gate.seals.is_admin_session(sealed):
            self._gate.seals.end_admin_session(sealed)
            await self._note(request.scope, AuditAct.SIGNED_OUT, Role.ADMIN)
        elif manager is not None:
            await self._note(request.scope, AuditAct.SIGNED_OUT, Role.MANAGER, manager.name)
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

    async def _welcome(self, request: Request, manager: Manager, there: str, how: str) -> Response:
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.MANAGER, manager.name, how)
        answer = _lead_to(there)
        session = self._gate.seals.manager_session(self._gate.pass_of(manager))
        self._give(request, answer, DESK_COOKIE, session, MANAGER_SESSION)
        return answer

    def _of_name(self, name: str) -> list[Manager]:
        staff = self._services.directory.managers().values()
        return [m for m in staff if works_here(m) and _folded(m.name) == name.casefold()]

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
            "wrong_manager": wrong_manager,
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
