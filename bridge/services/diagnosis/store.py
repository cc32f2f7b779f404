"""Check results about the data folder: whether it can be written, free space, damaged files."""

from collections.abc import Mapping, Sequence

from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import StoreDamaged, StoreError

#: With less free space, a sync of a large base may run out of it.
_ENOUGH_BYTES = 500 * 2**20

#: What to do about a damaged file, and what is lost with it.
_ADVICE = {
    "directory.db": "run: onec-bridge sync; it sets the file aside and loads all of it anew",
    "ledger.db": "restart the service: it sets the file aside, takes over what can be read of it, "
    "and begins a new one; or stop it and restore the file from a backup",
    "audit.db": "restart the service: it sets the file aside and begins a new one; personal links "
    "made before open nothing then",
    "runs.db": "nothing: the next sync sets it aside; only the history of sync runs goes with it",
    "secret.key": "restart the service: it makes another; everybody signs in anew, personal links "
    "made before open nothing then",
}

#: What to do once a damaged file was set aside.
_ADVICE_AFTER = {
    "ledger.db": "what could be read of it was taken over; compare the calls in 1C with the PBX's "
    "journal, and write by hand what is missing",
    "secret.key": "everybody signs in anew, and personal links made before open nothing",
    "rescue.jsonl": "write the calls in it by hand",
    "directory.db": "all of it was pulled anew",
    "audit.db": "personal links made before open nothing: make new ones by onec-bridge desk-link "
    "or in the console; who did what before stands in the damaged file only",
    "runs.db": "the history of sync runs began anew",
}


def examine_store(
    folder: str,
    *,
    obstacle: str,
    free: int,
    errors: Mapping[str, StoreError],
    damaged_copies: Sequence[str] = (),
) -> Sequence[CheckResult]:
    """Check the data folder: *obstacle* is why it cannot be written, *free* its free bytes.

    *errors* are those of files by name; *damaged_copies* names the files of which a damaged one is
    kept.
    """
    results = [_unusable(name, error) for name, error in errors.items()]
    results += [
        CheckResult(
            "store",
            CheckVerdict.WARNING,
            f"{name} was damaged or missing, and is kept as {name}.damaged or noted so",
            f"{_ADVICE_AFTER[name]}; is the disk well? "
            "Delete the damaged file when nobody needs it",
        )
        for name in damaged_copies
        if name in _ADVICE_AFTER
    ]
    if obstacle:
        advice = "mend its rights, or set BRIDGE_DATA_DIR"
        return [CheckResult("store", CheckVerdict.FAILURE, obstacle, advice), *results]
    message = f"the data folder {folder} can be written; {free / 2**20:,.0f} MiB are free"
    if free < _ENOUGH_BYTES:
        advice = "make room: on a full disk calls are answered, but not recorded"
        return [CheckResult("store", CheckVerdict.WARNING, message, advice), *results]
    return results or [CheckResult("store", CheckVerdict.OK, message)]


def advice_for_damage(damage: StoreDamaged) -> str:
    """Return what to do about a damaged file."""
    return _ADVICE.get(
        damage.path.replace("\\", "/").rpartition("/")[2], "onec-bridge check looks closer"
    )


def _unusable(name: str, error: StoreError) -> CheckResult:
    if isinstance(error, StoreDamaged):
        return CheckResult(
            "store", CheckVerdict.FAILURE, f"{name} is damaged: {error.reason}", _ADVICE[name]
        )
    advice = "whose file is it, and who may read it? It was left alone"
    return CheckResult(
        "store", CheckVerdict.FAILURE, f"{name} cannot be used: {error.reason}", advice
    )
