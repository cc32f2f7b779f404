"""What only the pages need: their files, the desk, who is let in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ended_sessions import EndedSessionsFile
from bridge.adapters.embedded.tolerant_audit import TolerantAudit
from bridge.adapters.own_service import reached_at
from bridge.bootstrap.parts import (
    audit_path,
    directory_path,
    ledger_path,
    now,
    plain,
)
from bridge.errors import SettingsError
from bridge.ports import Events
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.embedded.directory_flaws import DirectoryFlaws
    from bridge.adapters.event_hub import EventHub
    from bridge.web.access import AdminAccess, HookAccess
    from bridge.web.desk.parts import DeskParts


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files that pages alone read and write."""

    audit: TolerantAudit
    history: "CallHistory"
    flaws: "DirectoryFlaws"

    async def aclose(self) -> None:
        """Let go of them."""
        await self.history.close()
        await self.flaws.close()
        await self.audit.close()


def shelf_of(settings: Settings) -> Shelf:
    """Open the files of the pages."""
    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.embedded.directory_flaws import DirectoryFlaws

    return Shelf(
        TolerantAudit(audit_path(settings), now, keep=timedelta(days=settings.audit_days)),
        CallHistory(ledger_path(settings)),
        DirectoryFlaws(directory_path(settings)),
    )


def desk_parts(settings: Settings, directory: DirectoryReader) -> "DeskParts":
    """Build the desk."""
    from bridge.adapters.onec.links import WebClient
    from bridge.web.desk.board import Board
    from bridge.web.desk.debts import DebtBook
    from bridge.web.desk.parts import DeskParts, no_web_client

    board = Board(secrets.token_hex(4), now)
    address = settings.onec_web_url
    return DeskParts(
        board,
        DebtBook(board, directory.managers),
        open_in_onec=no_web_client if address is None else WebClient(address).owner,
    )


def ending(hub: "EventHub", desk: "DeskParts") -> Callable[[], None]:
    """Give what ends the pages' streams: a stop would wait for them."""

    def end_streams() -> None:
        hub.close()
        desk.board.close()

    return end_streams


def ended_sessions(settings: Settings, events: Events) -> EndedSessionsFile:
    """Open the list of the sessions that were signed out."""
    return EndedSessionsFile(settings.data_dir / "sessions.json", events)


def console_link(settings: Settings, secret: bytes, port: int) -> str:
    """Make the address that opens the console once."""
    from bridge.web.access.gate import CONSOLE_LINK
    from bridge.web.access.seals import Seals

    host = reached_at(settings.host)
    root = settings.public_url or f"http://{host}:{port}"
    return f"{root}{CONSOLE_LINK}/{Seals(secret, '').console_link()}"


def hook_access_of(settings: Settings) -> "HookAccess":
    """Tell who may call the hooks."""
    from bridge.web.access import HookAccess

    return HookAccess(
        user=settings.hook_user,
        password=plain(settings.hook_password),
        token=plain(settings.hook_token),
        allow=settings.hook_allow,
        trusted_proxies=settings.trusted_proxies,
    )


def admin_access_of(settings: Settings, secret: bytes) -> "AdminAccess":
    """Tell what opens the console.

    Raises:
        SettingsError: the password is a hash that cannot be read.
    """
    from bridge.web.access import AdminAccess
    from bridge.web.access.secrets import PasswordHash, is_hash

    password = plain(settings.admin_password)
    if password is not None and is_hash(password):
        try:
            PasswordHash.read(password)
        except ValueError as error:
            raise SettingsError("BRIDGE_ADMIN_PASSWORD", str(error)) from None
    return AdminAccess(
        password,
        secret,
        settings.trusted_proxies,
        settings.mask_phones,
        plain(settings.metrics_token),
    )
