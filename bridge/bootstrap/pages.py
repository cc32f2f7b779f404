"""What only the pages need: their files, the desk, who is let in."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.adapters.embedded.audit_store import AuditStore
from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ended_sessions import EndedSessionsFile
from bridge.adapters.embedded.own_secret import own_secret
from bridge.adapters.embedded.sqlite_file import aside_of, set_aside
from bridge.adapters.own_service import reached_at
from bridge.bootstrap.parts import (
    audit_path,
    audit_store,
    directory_path,
    ledger_path,
    now,
    plain,
    secret_path,
)
from bridge.errors import SettingsError, StoreDamaged
from bridge.ports import Alarm, Events
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.embedded.directory_flaws import DirectoryFlaws
    from bridge.adapters.event_hub import EventHub
    from bridge.web.access import AdminAccess, HookAccess
    from bridge.web.desk.parts import DeskParts


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files that pages alone read and write."""

    audit: AuditStore
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
        _sound_audit(settings),
        CallHistory(ledger_path(settings)),
        DirectoryFlaws(directory_path(settings)),
    )


def _sound_audit(settings: Settings) -> AuditStore:
    """Open the audit list; a damaged one must not keep callers waiting, and begins anew."""
    try:
        return audit_store(settings)
    except StoreDamaged as error:
        aside = set_aside(audit_path(settings))
        extra = {"path": error.path, "reason": error.reason, "kept": str(aside)}
        _log.error("store_damaged", extra=extra)
    return audit_store(settings)


def remind_of_links(settings: Settings, events: Events) -> None:
    """Say, as long as a damaged audit list is kept, that links of before open nothing."""
    aside = aside_of(audit_path(settings))
    if aside.exists():
        words = f"audit.db was damaged and is kept as {aside.name}; delete it when this is settled"
        events.publish(Alarm("store_damaged", words, "audit.db"))


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


def admin_access_of(settings: Settings) -> "AdminAccess":
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
        own_secret(secret_path(settings)),
        settings.trusted_proxies,
        settings.mask_phones,
        plain(settings.metrics_token),
    )
