"""The manual: every page of the package, in both languages, open to everybody, from here alone."""

import re
from pathlib import Path

import pytest

import bridge.web
from bridge.domain.delivery.texts import Language
from bridge.web.manual import PAGE_ORDER, Manual, slug
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from tests.web.web_fixture import WebFixture

pytestmark = pytest.mark.anyio

FOLDER = Path(bridge.web.__file__).parent.parent / "manual"
PAGES = sorted(path.relative_to(FOLDER).with_suffix("") for path in FOLDER.glob("*/*.md"))

BROWSER = {"Accept": "text/html"}


@pytest.mark.parametrize("page", PAGES, ids=str)
async def test_every_page_opens_without_signing_in(page: Path) -> None:
    async with WebFixture().client(peer="203.0.113.7", headers=BROWSER) as reader:
        answer = await reader.get(f"/manual/{page}")

    assert answer.status_code == 200
    assert f'<html lang="{page.parent}">' in answer.text
    assert "script" not in answer.headers["content-security-policy"].replace(
        "script-src 'self'", ""
    )
    sources = re.findall(r'(?:src|href)="([^"]*)"', re.sub(r"<a [^>]*>", "", answer.text))
    assert all(source.startswith("/") for source in sources)


@pytest.mark.parametrize(
    ("headers", "lang"),
    [
        ({"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"}, "ru"),
        ({"Accept-Language": "de,en-GB;q=0.8"}, "en"),
        ({"Accept-Language": "en", "Cookie": "bridge_lang=ru"}, "ru"),
        ({}, "en"),
    ],
)
async def test_the_manual_opens_in_the_reader_s_language(
    headers: dict[str, str], lang: str
) -> None:
    async with WebFixture(lang="en").client(headers=headers) as reader:
        first = await reader.get("/manual/")
        page = await reader.get("/manual/promises")

    assert (first.status_code, first.headers["location"]) == (303, f"/manual/{lang}/")
    assert page.headers["location"] == f"/manual/{lang}/promises"


async def test_the_switch_leads_to_the_same_page_in_the_other_language() -> None:
    async with WebFixture().client(headers=BROWSER) as reader:
        page = await reader.get("/manual/ru/promises")

    assert 'name="next" value="/manual/en/promises"' in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/manual/ru/nothing",
        "/manual/de/index",
        "/manual/nothing",
        "/manual/ru/..%2Fen%2Fpromises",
        "/manual/images/..%2Fprometheus-alerts.yml",
        "/manual/images/nothing.png",
    ],
)
async def test_what_is_not_there_is_a_page_that_says_so(address: str) -> None:
    async with WebFixture().client(headers=BROWSER) as reader:
        answer = await reader.get(address)

    assert answer.status_code == 404
    assert "<h1>" in answer.text


def manual(folder: Path, text: str, name: str = "index") -> Manual:
    (folder / "en").mkdir(exist_ok=True)
    (folder / "en" / f"{name}.md").write_text(text, "utf-8")
    return Manual(folder)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](onec.md)", 'href="/manual/en/onec"'),
        ("[a](operating.md#backup)", 'href="/manual/en/operating#backup"'),
        ("[a](#backup)", 'href="#backup"'),
        ("[a](https://its.1c.ru/)", 'href="https://its.1c.ru/"'),
        ("![a](../images/desk.png)", 'src="/manual/images/desk.png"'),
        ("[a](../prometheus-alerts.yml)", 'href="/manual/prometheus-alerts.yml"'),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("|a|b|\n|-|-|\n|1|2|", "<td>1</td>"),
        ("## Backup, restore", '<h2 id="backup-restore">'),
        ("## `check`: what\n## `check`: what", '<h2 id="check-what-1">'),
    ],
)
def test_markdown_becomes_a_page_of_the_service(tmp_path: Path, written: str, shown: str) -> None:
    page = manual(tmp_path, f"# T\n\n{written}\n").page("en", "index")

    assert page is not None
    assert shown in page.html


def test_an_address_of_a_script_is_no_link(tmp_path: Path) -> None:
    page = manual(tmp_path, "[a](javascript:alert(1))\n").page("en", "index")

    assert page is not None
    assert "href" not in page.html


def test_the_contents_list_begins_with_the_index(tmp_path: Path) -> None:
    for name in ("zebra", "security", "install", "index"):
        made = manual(tmp_path, f"# {name}\n", name)

    names = [page.name for page in made.contents("en")]
    assert names == ["index", "install", "security", "zebra"]


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_both_languages_have_the_same_pages(lang: Language) -> None:
    assert {p.name for p in PAGES if str(p.parent) == lang} == {p.name for p in PAGES}


def test_anchors_are_those_of_github() -> None:
    assert slug("Резервная копия, обновление и откат") == "резервная-копия-обновление-и-откат"


def test_every_page_of_the_contents_order_and_of_the_alarms_is_there() -> None:
    linked = {*PAGE_ORDER, *(text.page for text in ALARM_TEXTS.values())}

    assert linked == linked & {page.name for page in PAGES}
