"""What the commands build for one run: a sync, an explanation, a check, a look at the outbox."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from bridge.adapters.onec.probe import ODataProbe
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.sqlite.calls.recovery.rescue_file import RescueFile
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.adapters.sqlite.file import integrity as soundness
from bridge.adapters.sqlite.file.permissions import accessible_to_others
from bridge.adapters.sqlite.service_secret import load_or_create_secret, read_secret
from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.bootstrap.shared import (
    ENV_FILE,
    build_decider,
    build_odata_client,
    build_pbx_api,
    directory_path,
    ledger_path,
    make_data_folder,
    now,
    onec_zone,
    open_audit_store,
    open_run_history,
    phone_rules,
    reveal_secret,
    secret_path,
)
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.directory.entities import Manager
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.domain.routing.decision import (
    NumberMemory,
    RouteDecision,
    RouteQuestion,
)
from bridge.errors import (
    BridgeError,
    NotFound,
    RoutingFactsLost,
    SettingsError,
    StoreDamaged,
    StoreError,
    SyncRefused,
)
from bridge.logs import configure_logs
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.ports.orders import PlacedCall
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from bridge.services.answering.decide import NumberMemoryLookup
from bridge.services.diagnosis.connections import examine_onec, examine_pbx
from bridge.services.diagnosis.directory import examine_directory
from bridge.services.diagnosis.files import examine_files
from bridge.services.diagnosis.settings import examine_fallback, examine_secrets
from bridge.services.diagnosis.store import examine_store
from bridge.services.health.system_state import EventFanOut
from bridge.services.sync.guard import ConfirmLoss
from bridge.services.sync.pull import DirectoryPull, Progress, PullRules, confirm_nothing
from bridge.settings import Settings

_log = logging.getLogger(__name__)

T = TypeVar("T")


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
        return await _kept(_healed(pull, store), open_run_history(settings))
    finally:
        store.close()
        await client.aclose()


async def _healed(pull: DirectoryPull, store: SqliteDirectoryStore) -> SyncReport:
    """Run *pull*, and once more where the directory showed damage: nothing is held after that."""
    try:
        return await pull.run(store.report())
    except StoreDamaged:
        return await pull.run(store.report())


async def _kept(run: Awaitable[SyncReport], history: SqliteSyncRuns) -> SyncReport:
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


def explain(settings: Settings, number: str, did: str) -> tuple[RouteQuestion, RouteDecision]:
    """Return what the PBX would be told, from the files the service uses; changes nothing."""
    directory = SqliteDirectory(directory_path(settings), stale_after=settings.stale_after)
    try:
        deciding = build_decider(settings, directory, _memory(settings), EventFanOut())
        return deciding.explain(number, did)
    finally:
        directory.close()


def _memory(settings: Settings) -> NumberMemoryLookup:
    path = ledger_path(settings)
    if not path.exists():
        return lambda _: NumberMemory()
    try:
        return SqliteLedger.open(path, clock=now, as_guest=True).number_memory
    except StoreError as error:  # the service answers without it, so this does
        _log.warning("memory_not_read", extra={"reason": str(error)})
        return lambda _: NumberMemory()


def call(
    settings: Settings, extension: str, number: str, ask_password: Callable[[], str]
) -> PlacedCall:
    """Have the running service ring *extension*, then *number*: the ledger has one writer.

    The data folder's secret proves the command. Where it cannot be read the password does, and
    *ask_password* is asked for one that the settings hold as a hash only.
    """
    from bridge.adapters.service_client import ServiceClient
    from bridge.web.access.secrets import is_password_hash
    from bridge.web.access.signed_tokens import SignedTokens

    secret = read_secret(secret_path(settings))
    if secret is not None:
        proof = SignedTokens(secret, "").create_command_proof()
    else:
        proof = reveal_secret(settings.admin_password) or ""
        if is_password_hash(proof):
            proof = ask_password()
    return ServiceClient(settings.host, settings.port, proof).place_call(extension, number)


def console_link(settings: Settings) -> str:
    """Make the address that opens the console of the running service once.

    Raises:
        NotFound: the data folder's secret cannot be read.
    """
    from bridge.bootstrap.pages import build_console_link as link_of

    secret = read_secret(secret_path(settings))
    if secret is None:
        words = "cannot be read: run this in the folder, and as the user, of onec-bridge serve"
        raise NotFound(f"{secret_path(settings)} {words}")
    return link_of(settings, secret, settings.port)


async def check(load: Callable[[], Settings]) -> Sequence[CheckResult]:
    """Examine settings, secrets, 1C and the local data; a broken setting ends it."""
    try:
        settings = load()
    except SettingsError as error:
        return [CheckResult("settings", CheckVerdict.FAILURE, str(error), "see .env.example")]
    findings = [CheckResult("settings", CheckVerdict.OK, "every setting can be read")]
    token = reveal_secret(settings.hook_token) or ""
    findings += examine_secrets(
        basic=settings.hook_user is not None,
        token_length=len(token),
        admin_password=settings.admin_password is not None,
        host=settings.host,
    )
    findings += examine_fallback(
        default_extension=settings.default_extension, dids=len(settings.did_extensions)
    )
    findings += examine_store(
        str(settings.data_dir),
        obstacle=soundness.why_not_writable(settings.data_dir),
        free=soundness.free_bytes(settings.data_dir),
        errors=soundness.check_files(settings.data_dir),
        damaged_copies=soundness.files_set_aside(settings.data_dir),
    )
    findings += examine_files(
        missing=soundness.missing_files(settings.data_dir),
        unusable=soundness.unusable_files(settings.data_dir),
        open_to_others=[str(path) for path in accessible_to_others(settings.data_dir, ENV_FILE)],
        rescued=[str(path) for path in RescueFile(settings.data_dir).existing_paths()],
    )
    findings += await _check_onec(settings)
    findings.append(await _check_pbx(settings))
    directory = SqliteDirectory(directory_path(settings), stale_after=settings.stale_after)
    try:
        moment = now()
        findings += examine_directory(
            directory.report(),
            now=moment,
            stale=directory.age(moment).is_stale,
            error=directory.error(),
        )
    finally:
        directory.close()
    return findings


async def _check_pbx(settings: Settings) -> CheckResult:
    pbx = None if settings.onec_timezone is None else build_pbx_api(settings)
    try:
        return await examine_pbx(pbx, now())
    finally:
        if pbx is not None:
            await pbx.aclose()


async def _check_onec(settings: Settings) -> Sequence[CheckResult]:
    try:
        settings.require_onec()
    except SettingsError as error:
        return [CheckResult("settings", CheckVerdict.FAILURE, str(error), "see .env.example")]
    client = build_odata_client(settings)
    probe = ODataProbe(
        client,
        zone=onec_zone(settings),
        extension_attribute=settings.extension_attribute,
        clock=now,
    )
    try:
        return await examine_onec(probe)
    finally:
        await client.aclose()


@asynccontextmanager
async def _shared_ledger(settings: Settings) -> AsyncIterator[SqliteLedger | None]:
    """Open the ledger beside the service; None where no call was ever recorded."""
    path = ledger_path(settings)
    if not path.exists():
        if not settings.data_dir.is_dir():
            words = "there is no such folder; is this the folder that onec-bridge serve is run in?"
            raise StoreError(str(settings.data_dir), words)
        yield None
        return
    ledger = SqliteLedger.open(path, clock=now, as_guest=True)
    try:
        yield ledger
    finally:
        await ledger.close()


async def outbox_entries(
    settings: Settings, states: Sequence[EntryState], limit: int
) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
    """List outbox entries, newest first."""
    async with _shared_ledger(settings) as ledger:
        return [] if ledger is None else await ledger.entries(states, limit)


async def outbox_entry(settings: Settings, key: str) -> tuple[OutboxEntry, PhoneCall]:
    """Find one entry by the beginning of its key.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        return await _entry(ledger, key)


async def outbox_retry(settings: Settings, key: str) -> OutboxEntry:
    """Make one entry due at once.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        entry, _ = await _entry(ledger, key)
        retried = None if ledger is None else await ledger.retry_entry(entry.key, now())
        return _there(retried, key)


async def outbox_drop(settings: Settings, key: str) -> str:
    """Forget one debt; give its key.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        entry, _ = await _entry(ledger, key)
        dropped = ledger is not None and await ledger.drop_entry(entry.key)
        return _there(entry.key if dropped else None, key)


async def _entry(ledger: SqliteLedger | None, key: str) -> tuple[OutboxEntry, PhoneCall]:
    return _there(None if ledger is None else await ledger.entry(key), key)


def _there(found: T | None, key: str) -> T:
    if found is None:
        raise NotFound(f"no outbox entry, or more than one, begins with “{key}”")
    return found


async def desk_link(settings: Settings, extension: str, *, revoke: bool) -> tuple[str, str]:
    """Make a personal link: its owner's name and the address.

    The audit list tells of it, as of one made in the console.

    Raises:
        NotFound: the extension is nobody's, or not one person's.
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
        words = f"no one user of 1C has the extension “{extension}”; run onec-bridge sync"
        raise NotFound(words)
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
