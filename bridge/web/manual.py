"""`/manual`: the manual of the package, in Russian and English, open to all.

The pages are the Markdown files of `bridge/manual/{ru,en}/`. A link `onec.md#rights` leads to
`/manual/ru/onec#rights`; images lie in `bridge/manual/images/`. Nothing is loaded from elsewhere,
and HTML inside a page is shown as text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.delivery.texts import Language
from bridge.web.shared.language import LANGUAGES, translatable
from bridge.web.shared.pages import PAGE_HEADERS, PageRenderer

MANUAL_PATH: Final = "/manual"

#: The pages in the order of the contents list; others follow by name.
PAGE_ORDER: Final[Sequence[str]] = (
    *("index", "install", "onec", "sipuni", "settings", "commands", "operating"),
    *("desk", "click-to-call", "routing", "life-of-a-call", "security", "api"),
    *("troubleshooting", "limits", "promises", "reverse-proxy"),
)

_FOLDER: Final = Path(__file__).parent.parent / "manual"
_PAGE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
_FILE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.(?:png|svg|yml)")
_FILE_TYPES: Final = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".yml": "text/plain; charset=utf-8",
}
_LINK: Final = re.compile(r"(?:\./)?([a-z0-9-]+)\.md(#.*)?")
_NOT_IN_SLUG: Final = re.compile(r"[^\w\- ]")
_NO_PAGE: Final = translatable("The manual has no such page.")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page: its anchor without the `#`, its text, its level from 1 to 6."""

    anchor: str
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class ManualPage:
    """One page, ready to be shown: *html* is safe, as the Markdown's own HTML was escaped."""

    name: str
    title: str
    html: str
    headings: Sequence[Heading]


class Manual:
    """Reads the manual's pages from *folder* once each."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._pages: dict[tuple[Language, str], ManualPage] = {}

    def page(self, lang: Language, name: str) -> ManualPage | None:
        """Return the page *name* in *lang*; None where there is none."""
        if _PAGE_NAME.fullmatch(name) is None:
            return None
        page = self._pages.get((lang, name))
        if page is None:
            path = self._folder / lang / f"{name}.md"
            if not path.is_file():
                return None
            page = self._pages[lang, name] = self._read(path.read_text("utf-8"), lang, name)
        return page

    def contents(self, lang: Language) -> list[ManualPage]:
        """Return all pages in *lang*, in the order of the contents list."""
        names = {path.stem for path in (self._folder / lang).glob("*.md")}
        ordered = [name for name in PAGE_ORDER if name in names]
        ordered += sorted(names - set(PAGE_ORDER))
        return [page for name in ordered if (page := self.page(lang, name)) is not None]

    def file(self, name: str) -> Path | None:
        """Return an image or another file that pages link to; None where there is none."""
        if _FILE_NAME.fullmatch(name) is None:
            return None
        folder = self._folder if name.endswith(".yml") else self._folder / "images"
        path = folder / name
        return path if path.is_file() else None

    def _read(self, text: str, lang: Language, name: str) -> ManualPage:
        tokens = self._markdown.parse(text)
        headings = _add_anchors(tokens)
        for token in tokens:
            for child in token.children or ():
                _lead_to_pages(child, lang)
        html = self._markdown.renderer.render(tokens, self._markdown.options, {})
        title = next((heading.text for heading in headings), name)
        return ManualPage(name, title, html, headings)


class ManualRoutes:
    """The manual's addresses. No sign-in is needed: the manual holds no data of the company."""

    def __init__(self, pages: PageRenderer, manual: Manual | None = None) -> None:
        self._pages = pages
        self._manual = Manual() if manual is None else manual

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(path, endpoint, include_in_schema=False)
            for path, endpoint in (
                (MANUAL_PATH, self.open_manual),
                (f"{MANUAL_PATH}/", self.open_manual),
                (f"{MANUAL_PATH}/images/{{file}}", self.show_file),
                (f"{MANUAL_PATH}/{{name}}", self.open_manual),
                (f"{MANUAL_PATH}/{{lang}}/", self.show_page),
                (f"{MANUAL_PATH}/{{lang}}/{{name}}", self.show_page),
            )
        ]

    async def open_manual(self, request: Request) -> Response:
        """Redirect to the page in the reader's language; `/manual/onec` to `/manual/ru/onec`."""
        name = request.path_params.get("name", "")
        if self._manual.file(name) is not None:
            return self._show_file(name)
        lang: Language = self._pages.reading_language(request.scope)
        lang = next((one for one in LANGUAGES if one == name), lang)
        if name in LANGUAGES:
            name = ""
        if name and self._manual.page(lang, name) is None:
            raise HTTPException(404, _NO_PAGE)
        return RedirectResponse(f"{MANUAL_PATH}/{lang}/{name}", 303, headers=dict(PAGE_HEADERS))

    async def show_page(self, request: Request) -> Response:
        """Show one page with the list of all; without a name the first."""
        lang = next((one for one in LANGUAGES if one == request.path_params["lang"]), None)
        if lang is None:
            raise HTTPException(404, _NO_PAGE)
        contents = self._manual.contents(lang)
        name = request.path_params.get("name", "")
        page = self._manual.page(lang, name) if name else next(iter(contents), None)
        if page is None:
            raise HTTPException(404, _NO_PAGE)
        other = next(one for one in LANGUAGES if one != lang)
        fields = {
            "viewer": None,
            "here": f"{MANUAL_PATH}/{other}/{page.name}",
            "page": page,
            "contents": contents,
            "headings": [heading for heading in page.headings if heading.level == 2],  # noqa: PLR2004 - `##`
        }
        return self._pages.render(request, "manual.html", fields, lang=lang)

    async def show_file(self, request: Request) -> Response:
        """Send an image of the manual."""
        return self._show_file(request.path_params["file"])

    def _show_file(self, name: str) -> Response:
        path = self._manual.file(name)
        if path is None:
            raise HTTPException(404, _NO_PAGE)
        headers = {**PAGE_HEADERS, "Cache-Control": "no-cache"}
        return FileResponse(path, media_type=_FILE_TYPES[path.suffix], headers=headers)


def slug(text: str) -> str:
    """Return the anchor of a heading as GitHub makes it: "Backup, restore" → "backup-restore"."""
    return _NOT_IN_SLUG.sub("", text.strip().lower()).replace(" ", "-")


def _add_anchors(tokens: Sequence[Token]) -> list[Heading]:
    """Add an id to each heading, a number behind it where two read alike; return the headings."""
    headings: list[Heading] = []
    seen: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        children = tokens[place + 1].children or ()
        text = "".join(one.content for one in children if one.type in {"text", "code_inline"})
        anchor = slug(text)
        number = seen[anchor] = seen.get(anchor, -1) + 1
        if number:
            anchor = f"{anchor}-{number}"
        token.attrSet("id", anchor)
        headings.append(Heading(anchor, text, int(token.tag[1:])))
    return headings


def _lead_to_pages(token: Token, lang: Language) -> None:
    """Turn links between the files into addresses of the service."""
    if token.type == "link_open":
        target = str(token.attrGet("href") or "")
        found = _LINK.fullmatch(target)
        if found is not None:
            token.attrSet("href", f"{MANUAL_PATH}/{lang}/{found[1]}{found[2] or ''}")
        elif target.startswith("../") and target.endswith(tuple(_FILE_TYPES)):
            token.attrSet("href", f"{MANUAL_PATH}/{target.removeprefix('../')}")
    elif token.type == "image":
        source = str(token.attrGet("src") or "")
        token.attrSet("src", f"{MANUAL_PATH}/images/{source.rpartition('/')[2]}")
