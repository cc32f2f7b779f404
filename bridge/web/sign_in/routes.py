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

from bridge.domain.directory.entities import Manager
from bridge.errors import OneCError
from bridge.ports.access import SignInAnswer
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.web.access import AccessControl, Role
from bridge.web.access.access_control import (
    ADMIN_COOKIE,
    CONSOLE_LINK_PATH,
    DESK_COOKIE,
    DESK_PATH,
    FOREIGN_PAGE,
    SIGN_IN_PATH,
    is_active,
    too_many_attempts,
)
from bridge.web.access.attempts import GuessKey
from bridge.web.access.network import is_same_origin
from bridge.web.access.signed_tokens import ADMIN_SESSION_AGE, MANAGER_SESSION_AGE
from bridge.web.shared.forms import read_form, safe_path
from bridge.web.shared.language import LANGUAGES, translatable
from bridge.web.shared.pages import LANG_COOKIE, PAGE_HEADERS, PageRenderer
from bridge.web.web_services import WebServices

_log = logging.getLogger(__name__)

_YEAR: Final = timedelta(days=365)

_WRONG_PASSWORD: Final = translatable("This is not the password.")
_WRONG_IN_ONEC: Final = translatable(
    "1C did not accept this name and password. If they are right, your 1C user may not use OData: "
    "ask the administrator for a personal link."
)
_UNKNOWN_NAME: Final = translatable(
    "1C accepts you, but no user of this name is among those the bridge knows: ask the "
    "administrator for a personal link."
)
_SAME_NAME: Final = translatable(
    "Several 1C users bear this name: ask the administrator for a personal link."
)
_WORTHLESS: Final = translatable(
    "The 1C publication lets everybody in, whatever the password, so it cannot vouch for you: ask "
    "the administrator for a personal link."
)
_ONEC_AWAY: Final = translatable("1C cannot be asked just now. Its answer: %(words)s")
_DEAD_LINK: Final = translatable("This link is no longer valid: ask the administrator for another.")
_USED_LINK: Final = translatable(
    "This link was used already, or is more than an hour old. On the bridge's machine the command "
    "onec-bridge console-link prints another."
)

#: Guesses that cost nothing: at one name from everywhere, and of one network at all names; in an
#: office many people share its address.
_FREE_OF_NAME: Final = 10
_FREE_OF_OFFICE: Final = 20
_LONGEST_NAME: Final = 200


class SignInRoutes:
    """Lets people in and out."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self._services = services
        self._access = access
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        post = ["POST"]
        return [
            Route(SIGN_IN_PATH, self.show_form, include_in_schema=False),
            Route(
                f"{SIGN_IN_PATH}/admin", self.sign_in_admin, methods=post, include_in_schema=False
            ),
            Route(
                f"{SIGN_IN_PATH}/manager",
                self.sign_in_manager,
                methods=post,
                include_in_schema=False,
            ),
            Route(f"{CONSOLE_LINK_PATH}/{{sealed}}", self.open_console, include_in_schema=False),
            Route("/enter/{sealed}", self.open_desk, include_in_schema=False),
            Route("/logout", self.sign_out, methods=post, include_in_schema=False),
            Route("/language", self.choose_language, methods=post, include_in_schema=False),
        ]

    async def show_form(self, request: Request) -> Response:
        """Show the sign-in."""
        return self._form(request, next_path=safe_path(request.query_params.get("next", "/")))

    async def sign_in_admin(self, request: Request) -> Response:
        """Sign the administrator in by his password."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        there = safe_path(form.get("next", "/"))
        try:
            right = await self._access.is_admin_password(
                request.scope, form.get("password", "").encode()
            )
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
        if not await self._access.tokens.use_console_link(request.path_params["sealed"]):
            await self._refused(request.scope, "link", Role.ADMIN)
            return self._form(request, next_path="/", status=403, wrong_admin=_USED_LINK)
        return await self._welcome_admin(request, "/", "link")

    async def sign_in_manager(self, request: Request) -> Response:
        """Sign a manager in by 1C's word on his name and password; neither is kept."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
        there = safe_path(form.get("next", ""), DESK_PATH)
        try:
            turn = await self._access.begin_attempt(*self._guesses(request.scope, name))
        except HTTPException as busy:
            return self._not_now(request, busy, there, wrong_manager=busy.detail, name=name)
        status, words, fields = 401, _WRONG_IN_ONEC, dict[str, object]()
        try:
            said = await self._services.onec_sign_in.check_credentials(
                name, form.get("password", "")
            )
        except OneCError as error:
            said, status, words, fields = None, 503, _ONEC_AWAY, {"words": str(error)}
        if said is SignInAnswer.PROVES_NOTHING:
            status, words = 503, _WORTHLESS
        if said is not SignInAnswer.REFUSED:
            turn.mark_right()  # where 1C did not say that it is wrong, nothing was learnt
        if said in {SignInAnswer.ACCEPTED, SignInAnswer.NO_RIGHTS}:
            found = self._of_name(name)
            if len(found) == 1:
                return await self._welcome(request, found[0], there, "1c")
            status, words = 403, _SAME_NAME if found else _UNKNOWN_NAME
        if said is SignInAnswer.REFUSED and turn.should_log:
            await self._note(request.scope, AuditAct.SIGN_IN_REFUSED, Role.MANAGER)
            _log.warning("manager_refused", extra={"client": self._access.address(request.scope)})
        if said is SignInAnswer.REFUSED and turn.retry_after_s:
            refusal = too_many_attempts(turn.retry_after_s)
            return self._not_now(request, refusal, there, wrong_manager=refusal.detail, name=name)
        wrong = self._pages.localizer_of(request.scope).translate(words, **fields)
        return self._form(request, next_path=there, status=status, wrong_manager=wrong, name=name)

    async def open_desk(self, request: Request) -> Response:
        """Let a manager in by his personal link."""
        claim = self._access.tokens.read_personal_link(request.path_params["sealed"])
        manager = None if claim is None else self._access.manager_of_claim(claim)
        if manager is None:
            await self._refused(request.scope, "link", Role.MANAGER)
            words = self._pages.localizer_of(request.scope).translate(_DEAD_LINK)
            return self._form(request, next_path=DESK_PATH, status=403, wrong_manager=words)
        return await self._welcome(request, manager, DESK_PATH, "link")

    async def sign_out(self, request: Request) -> Response:
        """Sign out."""
        _refuse_foreign(request.scope)
        viewer = await self._access.sign_out(request.scope)
        if viewer is not None:
            await self._note(request.scope, AuditAct.SIGNED_OUT, viewer.role, viewer.name)
        answer = _lead_to(SIGN_IN_PATH)
        for name in (ADMIN_COOKIE, DESK_COOKIE):
            answer.delete_cookie(name, path="/")
        return answer

    async def choose_language(self, request: Request) -> Response:
        """Keep a person's choice of language."""
        _refuse_foreign(request.scope)
        form = await read_form(request)
        answer = _lead_to(safe_path(form.get("next", "/")))
        if form.get("lang") in LANGUAGES:
            self._give(request, answer, LANG_COOKIE, form["lang"], _YEAR)
        return answer

    def _guesses(self, scope: Scope, name: str) -> tuple[GuessKey, ...]:
        secret, network = f"1C {name.casefold()}", self._access.network(scope)
        return (
            GuessKey(secret, network),
            GuessKey(secret, "", _FREE_OF_NAME),
            GuessKey("1C", network, _FREE_OF_OFFICE),
        )

    async def _refused(self, scope: Scope, secret: str, role: Role) -> None:
        """Note a refusal, unless there were so many that the list would drown in them."""
        guess = GuessKey(f"{secret} noted", self._access.network(scope))
        _, worth_noting = self._access.attempts.count_failure(guess)
        if worth_noting:
            await self._note(scope, AuditAct.SIGN_IN_REFUSED, role)

    async def _welcome_admin(self, request: Request, there: str, how: str = "") -> Response:
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.ADMIN, words=how)
        answer = _lead_to(there)
        self._give(
            request,
            answer,
            ADMIN_COOKIE,
            self._access.tokens.create_admin_session(),
            ADMIN_SESSION_AGE,
        )
        return answer

    async def _welcome(self, request: Request, manager: Manager, there: str, how: str) -> Response:
        await self._note(request.scope, AuditAct.SIGNED_IN, Role.MANAGER, manager.name, how)
        answer = _lead_to(there)
        session = self._access.tokens.create_manager_session(self._access.claim_of(manager))
        self._give(request, answer, DESK_COOKIE, session, MANAGER_SESSION_AGE)
        return answer

    def _of_name(self, name: str) -> list[Manager]:
        staff = self._services.directory.managers().values()
        return [m for m in staff if is_active(m) and _folded(m.name) == name.casefold()]

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
            "here": f"{SIGN_IN_PATH}?{urlencode({'next': next_path})}",
            "next_path": next_path,
            "has_password": self._access.has_password,
            "wrong_admin": self._pages.localizer_of(request.scope).translate(wrong_admin),
            "wrong_manager": self._pages.localizer_of(request.scope).translate(wrong_manager),
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
            secure=self._access.is_encrypted(request.scope),
        )

    async def _note(
        self, scope: Scope, act: AuditAct, role: Role, who: str = "", words: str = ""
    ) -> None:
        services = self._services
        record = AuditRecord(
            services.clock(), act, role.value, who, self._access.address(scope), words=words
        )
        await services.audit.append(record)


def _refuse_foreign(scope: Scope) -> None:
    if not is_same_origin(scope):
        raise HTTPException(403, FOREIGN_PAGE)


def _lead_to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=dict(PAGE_HEADERS))


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
