"""What `onec-bridge route` and `call` build: an explanation, a call by the running service."""

import logging
from collections.abc import Callable

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.service_secret import read_secret
from bridge.bootstrap.shared import (
    build_decider,
    now,
    reveal_secret,
)
from bridge.bootstrap.stores import (
    directory_path,
    ledger_path,
    secret_path,
)
from bridge.domain.routing.decision import (
    NumberMemory,
    RouteDecision,
    RouteQuestion,
)
from bridge.errors import (
    StoreError,
)
from bridge.ports.orders import PlacedCall
from bridge.services.answering.decide import NumberMemoryLookup
from bridge.services.health.system_state import EventFanOut
from bridge.settings import Settings

_log = logging.getLogger(__name__)


def explain(settings: Settings, number: str, did: str) -> tuple[RouteQuestion, RouteDecision]:
    """Return what the PBX would be answered, by the files of the service; changes nothing."""
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
