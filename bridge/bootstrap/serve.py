"""Runs the service until it is stopped."""

from collections.abc import Callable

from bridge.bootstrap.pages import (
    build_console_link,
)
from bridge.bootstrap.service import build_service
from bridge.settings import Settings


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the service until it is stopped.

    Where no password opens the console, *announce* is called with a link that does, once.
    """
    from bridge.bootstrap.process import raise_file_limit
    from bridge.web.connections.limits import limits_for_open_files
    from bridge.web.server import run

    limits = limits_for_open_files(raise_file_limit(), settings.trusted_proxies)
    service = build_service(settings, streams=limits.max_streams)

    def listening(port: int) -> None:
        if settings.admin_password is None:
            announce(build_console_link(settings, service.secret, port))

    run(
        service.app,
        service.end_streams,
        host=settings.host,
        port=settings.port,
        limits=limits,
        announce=listening,
    )
