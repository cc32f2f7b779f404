"""What `onec-bridge check` examines: settings, secrets, files, 1C, the PBX and the directory."""

from collections.abc import Callable, Sequence

from bridge.adapters.onec.probe import ODataProbe
from bridge.adapters.sqlite.calls.recovery.rescue_file import RescueFile
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.file import integrity as soundness
from bridge.adapters.sqlite.file.permissions import accessible_to_others
from bridge.bootstrap.pbx import build_pbx_api
from bridge.bootstrap.shared import (
    build_odata_client,
    now,
    onec_zone,
    reveal_secret,
)
from bridge.bootstrap.stores import (
    ENV_FILE,
    directory_path,
)
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import (
    SettingsError,
)
from bridge.services.diagnosis import diagnose
from bridge.services.diagnosis.files import examine_files
from bridge.settings import Settings


async def check(load: Callable[[], Settings]) -> Sequence[CheckResult]:
    """Examine settings, secrets, 1C and the local data; a broken setting ends it."""
    try:
        settings = load()
    except SettingsError as error:
        return [CheckResult("settings", CheckVerdict.FAILURE, str(error), "see .env.example")]
    findings = [CheckResult("settings", CheckVerdict.OK, "every setting can be read")]
    token = reveal_secret(settings.hook_token) or ""
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
        findings += diagnose.examine_directory(
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
        return await diagnose.examine_pbx(pbx, now())
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
        return await diagnose.examine_onec(probe)
    finally:
        await client.aclose()
