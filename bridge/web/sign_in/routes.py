"""Sign-in of the administrator and of managers, personal links, sign-out, language."""

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
    "The 1C publication accepts any password, so yours cannot be checked: ask the administrator "
    "for a personal link."
)
_ONEC_AWAY: Final = translatable("1C is not available now. Its answer: %(words)s")
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
    """Signs the administrator and managers in and out."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self._services = services
        self._access = access
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
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
        """Sign the administrator in by the password."""
        _require_same_origin(request.scope)
        form = await read_form(request)
        there = safe_path(form.get("next", "/"))
        try:
            right = await self._access.is_admin_password(
                request.scope, form.get("password", "").encode()
            )
        except HTTPException as busy:
            return self._refuse_for_now(request, busy, there, wrong_admin=busy.detail)
        if not right:
            await self._record_refusal(request.scope, "admin", Role.ADMIN)
            return self._form(request, next_path=there, status=401, wrong_admin=_WRONG_PASSWORD)
        return await self._start_admin_session(request, there)

    async def open_console(self, request: Request) -> Response:
        """Sign the administrator in by a one-time link that the service or a command printed."""
        if request.method == "HEAD":  # a look at a link does not use it
            return Response(headers=dict(PAGE_HEADERS))
        if not await self._access.tokens.use_console_link(request.path_params["sealed"]):
            await self._record_refusal(request.scope, "link", Role.ADMIN)
            return self._form(request, next_path="/", status=403, wrong_admin=_USED_LINK)
        return await self._start_admin_session(request, "/", "link")

    async def sign_in_manager(self, request: Request) -> Response:
        """Sign a manager in by name and password, which 1C checks; neither is kept."""
        _require_same_origin(request.scope)
        form = await read_form(request)
        name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
        there = safe_path(form.get("next", ""), DESK_PATH)
        try:
            attempt = await self._access.begin_attempt(*self._guesses(request.scope, name))
        except HTTPException as busy:
            return self._refuse_for_now(request, busy, there, wrong_manager=busy.detail, name=name)
        status, message, fields = 401, _WRONG_IN_ONEC, dict[str, object]()
        try:
            answer = await self._services.onec_sign_in.check_credentials(
                name, form.get("password", "")
            )
        except OneCError as error:
            answer, status, message, fields = None, 503, _ONEC_AWAY, {"words": str(error)}
        if answer is SignInAnswer.PROVES_NOTHING:
            status, message = 503, _WORTHLESS
        if answer is not SignInAnswer.REFUSED:
            attempt.mark_right()  # where 1C did not answer that it is wrong, nothing is known
        if answer in {SignInAnswer.ACCEPTED, SignInAnswer.NO_RIGHTS}:
            found = self._managers_named(name)
            if len(found) == 1:
                return await self._start_manager_session(request, found[0], there, "1c")
            status, message = 403, _SAME_NAME if found else _UNKNOWN_NAME
        if answer is SignInAnswer.REFUSED and attempt.should_log:
            await self._record_audit(request.scope, AuditAct.SIGN_IN_REFUSED, Role.MANAGER)
            _log.warning("manager_refused", extra={"client": self._access.address(request.scope)})
        if answer is SignInAnswer.REFUSED and attempt.retry_after_s:
            refusal = too_many_attempts(attempt.retry_after_s)
            return self._refuse_for_now(
                request, refusal, there, wrong_manager=refusal.detail, name=name
            )
        wrong = self._pages.localizer_of(request.scope).translate(message, **fields)
        return self._form(request, next_path=there, status=status, wrong_manager=wrong, name=name)

    async def open_desk(self, request: Request) -> Response:
        """Sign a manager in by a personal link."""
        claim = self._access.tokens.read_personal_link(request.path_params["sealed"])
        manager = None if claim is None else self._access.manager_of_claim(claim)
        if manager is None:
            await self._record_refusal(request.scope, "link", Role.MANAGER)
            message = self._pages.localizer_of(request.scope).translate(_DEAD_LINK)
            return self._form(request, next_path=DESK_PATH, status=403, wrong_manager=message)
        return await self._start_manager_session(request, manager, DESK_PATH, "link")

    async def sign_out(self, request: Request) -> Response:
        """Sign out."""
        _require_same_origin(request.scope)
        viewer = await self._access.sign_out(request.scope)
        if viewer is not None:
            await self._record_audit(request.scope, AuditAct.SIGNED_OUT, viewer.role, viewer.name)
        response = _redirect(SIGN_IN_PATH)
        for name in (ADMIN_COOKIE, DESK_COOKIE):
            response.delete_cookie(name, path="/")
        return response

    async def choose_language(self, request: Request) -> Response:
        """Save the choice of language in a cookie."""
        _require_same_origin(request.scope)
        form = await read_form(request)
        response = _redirect(safe_path(form.get("next", "/")))
        if form.get("lang") in LANGUAGES:
            self._set_cookie(request, response, LANG_COOKIE, form["lang"], _YEAR)
        return response

    def _guesses(self, scope: Scope, name: str) -> tuple[GuessKey, ...]:
        secret, network = f"1C {name.casefold()}", self._access.network(scope)
        return (
            GuessKey(secret, network),
            GuessKey(secret, "", _FREE_OF_NAME),
            GuessKey("1C", network, _FREE_OF_OFFICE),
        )

    async def _record_refusal(self, scope: Scope, secret: str, role: Role) -> None:
        """Record a refusal in the audit list, unless there were too many of them."""
        guess = GuessKey(f"{secret} noted", self._access.network(scope))
        _, worth_noting = self._access.attempts.count_failure(guess)
        if worth_noting:
            await self._record_audit(scope, AuditAct.SIGN_IN_REFUSED, role)

    async def _start_admin_session(self, request: Request, there: str, how: str = "") -> Response:
        await self._record_audit(request.scope, AuditAct.SIGNED_IN, Role.ADMIN, message=how)
        response = _redirect(there)
        self._set_cookie(
            request,
            response,
            ADMIN_COOKIE,
            self._access.tokens.create_admin_session(),
            ADMIN_SESSION_AGE,
        )
        return response

    async def _start_manager_session(
        self, request: Request, manager: Manager, there: str, how: str
    ) -> Response:
        await self._record_audit(request.scope, AuditAct.SIGNED_IN, Role.MANAGER, manager.name, how)
        response = _redirect(there)
        session = self._access.tokens.create_manager_session(self._access.claim_of(manager))
        self._set_cookie(request, response, DESK_COOKIE, session, MANAGER_SESSION_AGE)
        return response

    def _managers_named(self, name: str) -> list[Manager]:
        staff = self._services.directory.managers().values()
        return [m for m in staff if is_active(m) and _fold(m.name) == name.casefold()]

    def _refuse_for_now(
        self, request: Request, refusal: HTTPException, there: str, **fields: str
    ) -> Response:
        """Show the form with a refusal to check anything now: it came from a page, not a script."""
        response = self._form(request, next_path=there, status=refusal.status_code, **fields)
        response.headers.update(refusal.headers or {})
        return response

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

    def _set_cookie(
        self, request: Request, response: Response, name: str, value: str, age: timedelta
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(age.total_seconds()),
            path="/",
            httponly=True,
            # Lax, as a personal link is opened from a mail or from 1C.
            samesite="lax",
            secure=self._access.is_encrypted(request.scope),
        )

    async def _record_audit(
        self, scope: Scope, act: AuditAct, role: Role, who: str = "", message: str = ""
    ) -> None:
        services = self._services
        record = AuditRecord(
            services.clock(), act, role.value, who, self._access.address(scope), words=message
        )
        await services.audit.append(record)


def _require_same_origin(scope: Scope) -> None:
    if not is_same_origin(scope):
        raise HTTPException(403, FOREIGN_PAGE)


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, headers=dict(PAGE_HEADERS))


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
