"""What only the pages need: their files, the desk, access."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.service_client import reachable_host
from bridge.adapters.sqlite.audit.ended_sessions import EndedSessionsFile
from bridge.adapters.sqlite.audit.tolerant_audit import TolerantAudit
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.bootstrap.shared import now, reveal_secret
from bridge.bootstrap.stores import (
    audit_path,
    directory_path,
    ledger_path,
)
from bridge.errors import SettingsError
from bridge.ports.events import EventPublisher
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.event_hub import EventHub
    from bridge.adapters.sqlite.calls.history import SqliteCallHistory
    from bridge.adapters.sqlite.directory.data_quality import SqliteDataQuality
    from bridge.web.access import AdminAccess, HookAccess
    from bridge.web.desk_state.state import DeskState


@dataclass(frozen=True, slots=True)
class PageStores:
    """The files that pages alone read and write."""

    audit: TolerantAudit
    history: "SqliteCallHistory"
    data_quality: "SqliteDataQuality"

    async def aclose(self) -> None:
        """Close them."""
        await self.history.close()
        await self.data_quality.close()
        await self.audit.close()


def open_page_stores(settings: Settings) -> PageStores:
    """Open the files of the pages."""
    from bridge.adapters.sqlite.calls.history import SqliteCallHistory
    from bridge.adapters.sqlite.directory.data_quality import SqliteDataQuality

    return PageStores(
        TolerantAudit(audit_path(settings), now, keep=timedelta(days=settings.audit_days)),
        SqliteCallHistory(ledger_path(settings)),
        SqliteDataQuality(directory_path(settings)),
    )


def build_desk(settings: Settings, directory: SqliteDirectory) -> "DeskState":
    """Build the desk."""
    from bridge.adapters.onec.links import WebClientLinks
    from bridge.web.desk_state.desk_calls import DeskCalls
    from bridge.web.desk_state.missed_call_list import MissedCallList
    from bridge.web.desk_state.state import DeskState, no_onec_link

    board = DeskCalls(secrets.token_hex(4), now)
    address = settings.onec_web_url
    return DeskState(
        board,
        MissedCallList(board, directory.managers),
        onec_link=no_onec_link if address is None else WebClientLinks(address).owner_link,
    )


def build_stream_end(hub: "EventHub", desk: "DeskState") -> Callable[[], None]:
    """Return what ends the pages' streams: a stop would wait for them."""

    def end_streams() -> None:
        hub.close()
        desk.calls.close()

    return end_streams


def open_ended_sessions(settings: Settings, events: EventPublisher) -> EndedSessionsFile:
    """Open the list of the sessions that were signed out."""
    return EndedSessionsFile(settings.data_dir / "sessions.json", events)


def build_console_link(settings: Settings, secret: bytes, port: int) -> str:
    """Return an address that opens the console once."""
    from bridge.web.access.access_control import CONSOLE_LINK_PATH
    from bridge.web.access.signed_tokens import SignedTokens

    host = reachable_host(settings.host)
    root = settings.public_url or f"http://{host}:{port}"
    return f"{root}{CONSOLE_LINK_PATH}/{SignedTokens(secret, '').create_console_link()}"


def build_hook_access(settings: Settings) -> "HookAccess":
    """Return who may call the hooks."""
    from bridge.web.access import HookAccess

    return HookAccess(
        user=settings.hook_user,
        password=reveal_secret(settings.hook_password),
        token=reveal_secret(settings.hook_token),
        allow=settings.hook_allow,
        trusted_proxies=settings.trusted_proxies,
    )


def build_admin_access(settings: Settings, secret: bytes) -> "AdminAccess":
    """Return what opens the console.

    Raises:
        SettingsError: the password is a hash that cannot be read.
    """
    from bridge.web.access import AdminAccess
    from bridge.web.access.secrets import PasswordHash, is_password_hash

    password = reveal_secret(settings.admin_password)
    if password is not None and is_password_hash(password):
        try:
            PasswordHash.parse(password)
        except ValueError as error:
            raise SettingsError("BRIDGE_ADMIN_PASSWORD", str(error)) from None
    return AdminAccess(
        password,
        secret,
        settings.trusted_proxies,
        settings.mask_phones,
        reveal_secret(settings.metrics_token),
    )
