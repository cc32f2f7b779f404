"""What `onec-bridge sync` builds: one pull of the directory, and its record among the runs."""

import logging
import time
from collections.abc import Awaitable
from dataclasses import replace

from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.bootstrap.shared import (
    build_odata_client,
    now,
    phone_rules,
)
from bridge.bootstrap.stores import (
    directory_path,
    make_data_folder,
    open_run_history,
)
from bridge.errors import (
    BridgeError,
    RoutingFactsLost,
    StoreDamaged,
    StoreError,
    SyncRefused,
)
from bridge.logs import configure_logs
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from bridge.services.sync.guard import ConfirmLoss
from bridge.services.sync.pull import DirectoryPull, Progress, PullRules, confirm_nothing
from bridge.settings import Settings

_log = logging.getLogger(__name__)


def set_up_logs(settings: Settings) -> None:
    """Send logs to stderr in the form the settings ask for."""
    configure_logs(settings.log_format)


def set_up_background_logs() -> None:
    """Send logs to stderr as the service reads them, whatever form its own have."""
    configure_logs("json")


async def sync(
    settings: Settings,
    rules: PullRules,
    progress: Progress,
    confirm: ConfirmLoss = confirm_nothing,
) -> SyncReport:
    """Run one sync, as `onec-bridge sync` and the scheduler do."""
    make_data_folder(settings)
    client = build_odata_client(settings, reuse_sessions=True)
    store = SqliteDirectoryStore(directory_path(settings))
    try:
        source = ODataSource(
            client,
            rules=phone_rules(settings),
            extension_attribute=settings.extension_attribute,
            metadata_cache=settings.data_dir / "metadata.json",
        )
        pull = DirectoryPull(
            source=source,
            store=store,
            clock=now,
            rules=rules,
            progress=progress,
            confirm_loss=confirm,
        )
        return await _recorded(
            _pull_once_more_after_damage(pull, store), open_run_history(settings)
        )
    finally:
        store.close()
        await client.aclose()


async def _pull_once_more_after_damage(
    pull: DirectoryPull, store: SqliteDirectoryStore
) -> SyncReport:
    """Run *pull*, and once more where the directory showed damage: nothing is held after that."""
    try:
        return await pull.run(store.report())
    except StoreDamaged:
        return await pull.run(store.report())


async def _recorded(run: Awaitable[SyncReport], history: SqliteSyncRuns) -> SyncReport:
    """Await *run* and keep what became of it; a history that cannot be written stops nothing."""
    started_at, began = now(), time.monotonic()
    outcome: SyncRun | None = None
    try:
        report = await run
        outcome = SyncRun(started_at, report.seconds, report)
    except BridgeError as error:
        outcome = SyncRun(started_at, time.monotonic() - began, error=str(error))
        if isinstance(error, SyncRefused):
            losses = error.losses if isinstance(error, RoutingFactsLost) else ()
            shrink = Shrink(error.entity_set, error.held, error.listed, losses)
            outcome = replace(outcome, refused=shrink)
        raise
    finally:
        if outcome is not None:
            try:
                history.add(outcome)
            except StoreError as error:
                _log.warning("run_not_kept", extra={"reason": str(error)})
    return report
