"""How pages are made: templates in the viewer's language, with headers that forbid other content.

A page has no inline script or style, loads from no other host, is shown in no frame and sends its
forms back to us alone.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bridge.domain.delivery.caller_names import (
    caller_name,
    candidate_name,
    how_to_reach,
)
from bridge.domain.delivery.texts import Language, format_evidence_step, format_rule
from bridge.domain.phone.formatting import format_phone
from bridge.web.shared.language import (
    LANGUAGE_NAMES,
    LANGUAGES,
    Localizer,
    translatable,
    translations,
)
from bridge.web.shared.request_headers import read_cookie, read_header

_WEB_DIR = Path(__file__).parent.parent

#: Keeps a person's choice of language.
LANG_COOKIE: Final = "bridge_lang"

PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers send "Origin: null" along with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _Static(StaticFiles):
    """The pages' own files; asked about anew each time, so that an update shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def static_files() -> Mount:
    """Return the route of scripts and styles."""
    return Mount("/static", _Static(directory=_WEB_DIR / "static"), name="static")


class PageRenderer:
    """Renders templates. *lang* is the service's language, unless the reader chose another."""

    def __init__(self, lang: Language, zone: tzinfo) -> None:
        self._lang = lang
        self.localizers = {one: Localizer(one, zone) for one in LANGUAGES}
        self._environments = {one: _templates(one, zone) for one in LANGUAGES}

    def language_of(self, scope: Scope) -> Language:
        """Return the reader's language: that of the cookie, else the service's."""
        chosen = read_cookie(scope, LANG_COOKIE)
        return next((one for one in LANGUAGES if one == chosen), self._lang)

    def reading_language(self, scope: Scope) -> Language:
        """Return the language chosen by the page's switch, else the browser's, else the default.

        For pages without sign-in: their readers may never have used the switch.
        """
        chosen = read_cookie(scope, LANG_COOKIE)
        accepted = read_header(scope, b"accept-language").decode("latin-1").lower()
        preferred = [chosen, *(part.strip()[:2] for part in accepted.split(","))]
        return next((one for lang in preferred for one in LANGUAGES if one == lang), self._lang)

    def localizer_of(self, scope: Scope) -> Localizer:
        """Return the language of a request."""
        return self.localizers[self.language_of(scope)]

    def render(
        self,
        request: Request,
        template: str,
        fields: Mapping[str, object],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        lang: Language | None = None,
    ) -> Response:
        """Render *template* with *fields* for *request*, in the reader's language or in *lang*."""
        lang = lang or self.language_of(request.scope)
        text = self.render_text(lang, template, {"path": request.url.path, **fields})
        return HTMLResponse(text, status, {**PAGE_HEADERS, **(headers or {})})

    def render_text(self, lang: Language, template: str, fields: Mapping[str, object]) -> str:
        """Return *template*, a page or a part of one, in *lang*."""
        return self._environments[lang].get_template(template).render(fields)

    def render_problem(
        self, request: Request, status: int, sentence: str, headers: Mapping[str, str]
    ) -> Response:
        """Show a refusal or a failure as a page."""
        localizer = self.localizer_of(request.scope)
        title = localizer.translate(_TITLES.get(status, _BROKEN))
        if sentence == HTTPStatus(status).phrase:  # starlette's own, no more than the title
            sentence = ""
        return self.render(
            request,
            "problem.html",
            {"viewer": None, "title": title, "sentence": localizer.translate(sentence)},
            status=status,
            headers=headers,
        )


_BROKEN = translatable("This failed")
_TITLES = {
    403: translatable("No access"),
    404: translatable("Nothing is here"),
    409: translatable("It cannot be done now"),
    429: translatable("Too many wrong passwords"),
}


@lru_cache(maxsize=16)
def _templates(lang: Language, zone: tzinfo) -> Environment:
    """Return the templates in *lang*; kept, so that they are compiled once a process."""
    localizer = Localizer(lang, zone)
    environment = Environment(
        loader=FileSystemLoader(_WEB_DIR / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # jinja2 adds these methods for the extension; its types do not know them.
    install = getattr(environment, "install_gettext_translations")  # noqa: B009 - see above
    install(translations(lang), newstyle=True)
    environment.globals.update(
        lang=lang,
        languages=LANGUAGE_NAMES,
        caller_name=lambda call: caller_name(call, lang),
        how_to_reach=lambda call: how_to_reach(call, lang),
        format_rule=lambda rule: format_rule(lang, rule),
        format_evidence_step=lambda step: format_evidence_step(lang, step),
    )
    environment.filters.update(
        iso=datetime.isoformat,
        clock=localizer.format_time,
        moment=localizer.format_moment,
        day=localizer.format_day,
        ago=localizer.format_ago,
        span=localizer.format_duration,
        stopwatch=localizer.format_stopwatch,
        number=localizer.format_number,
        percent=localizer.format_percent,
        ms=localizer.format_milliseconds,
        phone=format_phone,
        candidate_name=candidate_name,
    )
    return environment
