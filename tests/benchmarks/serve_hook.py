"""Child: the real service over a given data directory; 1C is a port where nobody listens."""

import socket
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from bridge.bootstrap.service import build_service
from bridge.settings import Settings
from tests.benchmarks.callers import ADMIN_PASSWORD, HOOK_PASSWORD, HOOK_USER
from tests.benchmarks.children import given, serve


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    spec = given()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # a parameter of pydantic-settings
        onec_url=f"http://127.0.0.1:{closed}/ut11",
        onec_user="bridge",
        onec_password=SecretStr("none"),
        onec_timezone=ZoneInfo("Europe/Moscow"),
        hook_user=HOOK_USER,
        hook_password=SecretStr(HOOK_PASSWORD),
        admin_password=SecretStr(ADMIN_PASSWORD),
        default_extension="100",
        data_dir=Path(spec["data_dir"]),
        sync_interval_s=86_400,
    )
    serve(build_service(settings).app, bounded=spec.get("bounded", True))


if __name__ == "__main__":
    main()
