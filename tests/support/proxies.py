"""The manual's recipes of reverse proxies, and the true programs that run them."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

import bridge

MANUAL = Path(bridge.__file__).parent / "manual"
HOW_TO_GET = "The manual's proxies were left out: Debian, Ubuntu: apt-get install nginx caddy"
_RECIPE = re.compile(
    r"^### ([^\n]+)\n(?:\n[^`\n][^\n]*\n)*\n```(nginx|caddy)\n(.*?)```", re.MULTILINE | re.DOTALL
)
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Recipe:
    """One block of the manual: *program* runs it, *with_pages* lets people through."""

    program: str
    with_pages: bool
    text: str


def recipes(lang: str) -> list[Recipe]:
    """Read the recipes of the manual's page, in its order."""
    page = (MANUAL / lang / "reverse-proxy.md").read_text("utf-8")
    pages = ("the pages", "страницы")
    return [
        Recipe(program, any(part in title for part in pages), text)
        for title, program, text in _RECIPE.findall(page)
    ]


def found(program: str) -> str | None:
    """Find a proxy's program; where Debian puts it is not always on a user's path."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: its port, and the folder with all that it wrote."""

    port: int
    folder: Path

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return a client that trusts the proxy's made-up certificate."""
        base = f"https://localhost:{self.port}"
        return httpx.AsyncClient(verify=False, base_url=base, headers=headers, trust_env=False)  # noqa: S501 - the certificate is the test's own

    def written(self) -> str:
        """Return everything that was logged."""
        files = [path for path in self.folder.rglob("*.log") if path.is_file()]
        return "\n".join(path.read_text("utf-8", "replace") for path in files)


@asynccontextmanager
async def run_proxy(
    recipe: Recipe, folder: Path, *, port: int, upstream: int
) -> AsyncIterator[Proxy]:
    """Run *recipe* before *upstream*: names, ports and certificates are the test's, no more."""
    program = found(recipe.program)
    assert program is not None
    prepare = _nginx if recipe.program == "nginx" else _caddy
    command = [program, *prepare(recipe.text, folder, port, upstream)]
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "stderr.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    proxy = Proxy(port, folder)
    try:
        await _listens(proxy, process)
        yield proxy
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(proxy: Proxy, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_PATIENCE_S), proxy.client() as client:
        while process.returncode is None:
            try:
                await client.get("/is-there-anybody")
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # between looks at another process only
            else:
                return
    raise AssertionError(proxy.written())


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the recipe has no {old!r} any more"
        text = text.replace(old, new)
    return text


def _nginx(text: str, folder: Path, port: int, upstream: int) -> list[str]:
    certificate, key = folder / "tls.pem", folder / "tls.key"
    subprocess.run(  # noqa: S603 - our own words
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server = _replaced(
        text,
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "bridge.example.ru;": "localhost;",
            "/etc/ssl/bridge.example.ru.pem": str(certificate),
            "/etc/ssl/bridge.example.ru.key": str(key),
            "http://127.0.0.1:8000": f"http://127.0.0.1:{upstream}",
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in kinds)
    root = "user root;\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{root}daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\n"
        f"error_log {folder}/error.log;\nevents {{}}\nhttp {{\n{temporary}\n"
        f"    access_log {folder}/access.log;\n{server}\n}}\n"
    )
    return ["-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]


def _caddy(text: str, folder: Path, port: int, upstream: int) -> list[str]:
    # No certificate from the Internet, nothing put into this machine's own store, no other port.
    own = "{\n\tskip_install_trust\n\tlocal_certs\n\tadmin off\n\tauto_https disable_redirects\n"
    site = _replaced(
        text, {"bridge.example.ru {": f"https://localhost:{port} {{", ":8000": f":{upstream}"}
    )
    assert site.startswith("{\n")
    config = folder / "Caddyfile"
    config.write_text(own + site.removeprefix("{\n"))
    return ["run", "--config", str(config), "--adapter", "caddyfile"]
