"""What `onec-bridge console-link` and `desk-link` make: personal and one-time links."""

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.service_secret import load_or_create_secret, read_secret
from bridge.bootstrap.shared import (
    now,
)
from bridge.bootstrap.stores import (
    directory_path,
    open_audit_store,
    secret_path,
)
from bridge.domain.directory.entities import Manager
from bridge.errors import (
    NotFound,
)
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.settings import Settings


def console_link(settings: Settings) -> str:
    """Return an address that opens the console of the running service once.

    Raises:
        NotFound: the data folder's secret cannot be read.
    """
    from bridge.bootstrap.pages import build_console_link as link_of

    secret = read_secret(secret_path(settings))
    if secret is None:
        reason = "cannot be read: run this in the folder, and as the user, of onec-bridge serve"
        raise NotFound(f"{secret_path(settings)} {reason}")
    return link_of(settings, secret, settings.port)


async def desk_link(settings: Settings, extension: str, *, revoke: bool) -> tuple[str, str]:
    """Create a personal link; return its owner's name and the address.

    The audit list gets a record of it, as of one made in the console.

    Raises:
        NotFound: no manager, or more than one, has the extension.
        StoreError: the directory or the audit list cannot be read.
    """
    from bridge.adapters.service_client import reachable_host
    from bridge.web.access.access_control import is_active
    from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens

    directory = SqliteDirectory(directory_path(settings), stale_after=settings.stale_after)
    try:
        manager, trouble = directory.owner_of(extension).manager, directory.error()
    finally:
        directory.close()
    if trouble is not None:
        raise trouble
    if manager is None or not is_active(manager):
        message = f"no one user of 1C has the extension “{extension}”; run onec-bridge sync"
        raise NotFound(message)
    audit = open_audit_store(settings)
    try:
        if revoke:
            await audit.revoke(manager.ref)
            await audit.append(_at_the_terminal(AuditAct.LINK_REVOKED, manager))
        await audit.append(_at_the_terminal(AuditAct.LINK_MADE, manager))
        claim = ManagerClaim(manager.ref, audit.generation(manager.ref))
    finally:
        await audit.close()
    sealed = SignedTokens(load_or_create_secret(secret_path(settings)), "").create_personal_link(
        claim
    )
    root = settings.public_url or f"http://{reachable_host(settings.host)}:{settings.port}"
    return manager.name, f"{root}/enter/{sealed}"


def _at_the_terminal(act: AuditAct, manager: Manager) -> AuditRecord:
    return AuditRecord(
        now(), act, "admin", address="terminal", subject=manager.ref, words=manager.name
    )
