"""What the commands build for one run: a sync, an explanation, a check, a look at the outbox."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from bridge.adapters.embedded import soundness
from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.directory_store import DirectoryWriter
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.embedded.own_secret import existing_secret, own_secret
from bridge.adapters.embedded.privacy import open_to_others
from bridge.adapters.embedded.rescue_file import RescueFile
from bridge.adapters.embedded.run_history import RunHistory
from bridge.adapters.onec.probe import OneCProbe
from bridge.adapters.onec.source import ODataSource
from bridge.bootstrap.parts import (
    ENV_FILE,
    audit_store,
    cabinet,
    deciding_of,
    directory_path,
    ledger_path,
    make_data_folder,
    now,
    odata,
    phone_rules,
    plain,
    run_history,
    secret_path,
    zone_of,
)
from bridge.domain.calls import PhoneCall
from bridge.domain.checkup import Checkup, Verdict
from bridge.domain.directory import Manager
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.routing import NumberMemory, RouteDecision, RouteQuestion
from bridge.errors import (
    BridgeError,
    FactsLost,
    NotFound,
    SettingsError,
    StoreDamaged,
    StoreError,
    SyncRefused,
)
from bridge.logs import configure_logs
from bridge.ports import (
    AuditAct,
    AuditRecord,
    PlacedCall,
    Shrink,
    SyncReport,
    SyncRun,
)
from bridge.services import diagnose
from bridge.services.decide import Memory
from bridge.services.examine_files import examine_files
from bridge.services.pull import Progress, Pull, PullRules, nobody_confirms
from bridge.services.situation import FanOut
from bridge.services.sync_guard import Confirm
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
    confirm: Confirm = nobody_confirms,
) -> SyncReport:
    """Run one sync, as `onec-bridge sync` and the scheduler do."""
    make_data_folder(settings)
    client = odata(settings, reuse_sessions=True)
    store = DirectoryWriter(directory_path(settings))
    try:
        source = ODataSource(
            client,
            rules=phone_rules(settings),
            attribute=settings.extension_attribute,
            metadata_cache=settings.data_dir / "metadata.json",
        )
        pull = Pull(
            source=source,
            store=store,
            clock=now,
            rules=rules,
            progress=progress,
            confirm=confirm,
        )
        return await _kept(_healed(pull, store), run_history(settings))
    finally:
        store.close()
        await client.aclose()


async def _healed(pull: Pull, store: DirectoryWriter) -> SyncReport:
    """Run *pull*, and once more where the directory showed damage: nothing is held after that."""
    try:
        return await pull.run(store.report())
    except StoreDamaged:
        return await pull.run(store.report())


async def _kept(run: Awaitable[SyncReport], history: RunHistory) -> SyncReport:
    """Await *run* and keep what became of it; a history that cannot be written stops nothing."""
    started_at, began = now(), time.monotonic()
    outcome: SyncRun | None = None
    try:
        report = await run
        outcome = SyncRun(started_at, report.seconds, report)
    except BridgeError as error:
        outcome = SyncRun(started_at, time.monotonic() - began, error=str(error))
        if isinstance(error, SyncRefused):
            losses = error.losses if isinstance(error, FactsLost) else ()
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
    """Tell what the PBX would be told, from the files the service uses; changes nothing."""
    directory = DirectoryReader(directory_path(settings), stale_after=settings.stale_after)
    try:
        deciding = deciding_of(settings, directory, _memory(settings), FanOut())
        return deciding.explain(number, did)
    finally:
        directory.close()


def _memory(settings: Settings) -> Memory:
    path = ledger_path(settings)
    if not path.exists():
        return lambda _: NumberMemory()
    try:
        return LedgerStore.open(path, clock=now, shared=True).memory
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
    from bridge.adapters.own_service import OwnService
    from bridge.web.access.seals import Seals
    from bridge.web.access.secrets import is_hash

    secret = existing_secret(secret_path(settings))
    if secret is not None:
        proof = Seals(secret, "").command()
    else:
        proof = plain(settings.admin_password) or ""
        if is_hash(proof):
            proof = ask_password()
    return OwnService(settings.host, settings.port, proof).call(extension, number)


def console_link(settings: Settings) -> str:
    """Make the address that opens the console of the running service once.

    Raises:
        NotFound: the data folder's secret cannot be read.
    """
    from bridge.bootstrap.pages import console_link as link_of

    secret = existing_secret(secret_path(settings))
    if secret is None:
        words = "cannot be read: run this in the folder, and as the user, of onec-bridge serve"
        raise NotFound(f"{secret_path(settings)} {words}")
    return link_of(settings, secret, settings.port)


async def check(load: Callable[[], Settings]) -> Sequence[Checkup]:
    """Examine settings, secrets, 1C and the local data; a broken setting ends it."""
    try:
        settings = load()
    except SettingsError as error:
        return [Checkup("settings", Verdict.FAILURE, str(error), "see .env.example")]
    findings = [Checkup("settings", Verdict.WELL, "every setting can be read")]
    token = plain(settings.hook_token) or ""
    findings += diagnose.examine_secrets(
        basic=settings.hook_user is not None,
        token_length=len(token),
        admin_password=settings.admin_password is not None,
        host=settings.host,
    )
    findings += diagnose.examine_fallback(
        default_extension=settings.default_extension, dids=len(settings.did_extensions)
    )
    findings += diagnose.examine_store(
        str(settings.data_dir),
        obstacle=soundness.obstacle(settings.data_dir),
        free=soundness.free_bytes(settings.data_dir),
        troubles=soundness.troubles(settings.data_dir),
        aside=soundness.set_aside_before(settings.data_dir),
    )
    findings += examine_files(
        missing=soundness.missing(settings.data_dir),
        unusable=soundness.unusable(settings.data_dir),
        open_to_others=[str(path) for path in open_to_others(settings.data_dir, ENV_FILE)],
        rescued=[str(path) for path in RescueFile(settings.data_dir).waiting()],
    )
    findings += await _check_onec(settings)
    findings.append(await _check_pbx(settings))
    directory = DirectoryReader(directory_path(settings), stale_after=settings.stale_after)
    try:
        moment = now()
        findings += diagnose.examine_directory(
            directory.report(),
            now=moment,
            stale=directory.age(moment).stale,
            trouble=directory.trouble(),
        )
    finally:
        directory.close()
    return findings


async def _check_pbx(settings: Settings) -> Checkup:
    pbx = None if settings.onec_timezone is None else cabinet(settings)
    try:
        return await diagnose.examine_pbx(pbx, now())
    finally:
        if pbx is not None:
            await pbx.aclose()


async def _check_onec(settings: Settings) -> Sequence[Checkup]:
    try:
        settings.require_onec()
    except SettingsError as error:
        return [Checkup("settings", Verdict.FAILURE, str(error), "see .env.example")]
    client = odata(settings)
    probe = OneCProbe(
        client, zone=zone_of(settings), attribute=settings.extension_attribute, clock=now
    )
    try:
        return await diagnose.examine_onec(probe)
    finally:
        await client.aclose()


@asynccontextmanager
async def _shared_ledger(settings: Settings) -> AsyncIterator[LedgerStore | None]:
    """Open the ledger beside the service; None where no call was ever recorded."""
    path = ledger_path(settings)
    if not path.exists():
        if not settings.data_dir.is_dir():
            words = "there is no such folder; is this the folder that onec-bridge serve is run in?"
            raise StoreError(str(settings.data_dir), words)
        yield None
        return
    ledger = LedgerStore.open(path, clock=now, shared=True)
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


async def _entry(ledger: LedgerStore | None, key: str) -> tuple[OutboxEntry, PhoneCall]:
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
    from bridge.adapters.own_service import reached_at
    from bridge.web.access.gate import works_here
    from bridge.web.access.seals import ManagerPass, Seals

    directory = DirectoryReader(directory_path(settings), stale_after=settings.stale_after)
    try:
        manager, trouble = directory.owner_of(extension).manager, directory.trouble()
    finally:
        directory.close()
    if trouble is not None:
        raise trouble
    if manager is None or not works_here(manager):
        words = f"no one user of 1C has the extension “{extension}”; run onec-bridge sync"
        raise NotFound(words)
    audit = audit_store(settings)
    try:
        if revoke:
            await audit.revoke(manager.ref)
            await audit.note(_at_the_terminal(AuditAct.LINK_REVOKED, manager))
        await audit.note(_at_the_terminal(AuditAct.LINK_MADE, manager))
        claim = ManagerPass(manager.ref, audit.generation(manager.ref))
    finally:
        await audit.close()
    sealed = Seals(own_secret(secret_path(settings)), "").link(claim)
    root = settings.public_url or f"http://{reached_at(settings.host)}:{settings.port}"
    return manager.name, f"{root}/enter/{sealed}"


def _at_the_terminal(act: AuditAct, manager: Manager) -> AuditRecord:
    return AuditRecord(
        now(), act, "admin", address="terminal", subject=manager.ref, words=manager.name
    )
