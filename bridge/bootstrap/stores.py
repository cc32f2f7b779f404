"""Where the stores are, and what opens them: only this module knows of which kind they are.

One kind exists today, SQLite in the data folder. Another one (`BRIDGE_STORE`) is opened here.
"""

import logging
from datetime import timedelta
from pathlib import Path

from bridge.adapters.sqlite.audit.store import SqliteAudit
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.file.permissions import restrict_to_owner
from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.bootstrap.shared import monotonic, now
from bridge.errors import SettingsError
from bridge.settings import Settings

_log = logging.getLogger(__name__)

#: Where settings may stand; it holds passwords.
ENV_FILE = Path(".env")


def directory_path(settings: Settings) -> Path:
    """Return where the directory is stored."""
    return settings.data_dir / "directory.db"


def ledger_path(settings: Settings) -> Path:
    """Return where the ledger is stored."""
    return settings.data_dir / "ledger.db"


def audit_path(settings: Settings) -> Path:
    """Return where the audit list is stored."""
    return settings.data_dir / "audit.db"


def secret_path(settings: Settings) -> Path:
    """Return where the secret is stored that signs sessions and links."""
    return settings.data_dir / "secret.key"


def make_data_folder(settings: Settings) -> None:
    """Create the data folder, readable to its owner alone: it holds personal data.

    Raises:
        SettingsError: it cannot be created, or is no folder.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = f"it cannot be a folder of ours: {error.strerror or type(error).__name__}"
        raise SettingsError("BRIDGE_DATA_DIR", reason) from error


def try_make_data_folder(settings: Settings) -> None:
    """Create the data folder where that is possible: answering callers does not need it."""
    try:
        make_data_folder(settings)
    except SettingsError as error:
        _log.error("data_folder_missing", extra={"reason": error.reason})
    restrict_to_owner(settings.data_dir, ENV_FILE)


def open_service_stores(settings: Settings) -> tuple[SqliteDirectory, SqliteLedger]:
    """Open the directory and the ledger of the service; neither stops the start.

    Raises:
        StoreInUse: another service works in this folder.
    """
    directory = SqliteDirectory(
        directory_path(settings), stale_after=settings.stale_after, monotonic=monotonic
    )
    try_make_data_folder(settings)
    return directory, SqliteLedger.open(ledger_path(settings), clock=now)


def open_audit_store(settings: Settings) -> SqliteAudit:
    """Open the audit list."""
    make_data_folder(settings)
    return SqliteAudit(audit_path(settings), now, keep=timedelta(days=settings.audit_days))


def open_run_history(settings: Settings) -> SqliteSyncRuns:
    """Open the history of sync runs."""
    return SqliteSyncRuns(settings.data_dir / "runs.db")
