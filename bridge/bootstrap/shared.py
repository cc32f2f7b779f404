"""What every way of building shares: clocks, rules and clients of 1C, from the settings."""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import MAX_ANSWER_BYTES, ODataConfig
from bridge.adapters.onec.protocol.slots import ClientSlots, RequestSlots, Urgency
from bridge.domain.phone.callers import read_did
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RoutingRules
from bridge.errors import SettingsError
from bridge.ports.events import EventPublisher
from bridge.ports.stores.directory import Directory
from bridge.services.answering.decide import NumberMemoryLookup, RouteDecider
from bridge.settings import Settings

if TYPE_CHECKING:
    pass

_log = logging.getLogger(__name__)


#: A question about a caller who has long been answered is given up after this.
LIVE_LOOKUP_TIMEOUT_S = 20.0

#: A manager at the sign-in waits no longer for 1C to check the password.
_SIGN_IN_TIMEOUT_S = 30.0

#: What a live look-up or a sign-in reads has some kilobytes.
_MOST_OF_A_SHORT_ANSWER = 16 * 1024 * 1024


_SINCE_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds since the machine started, also those it slept, where the system can."""
    return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)


def phone_rules(settings: Settings) -> PhoneRules:
    """Return how numbers without country or city are read."""
    return PhoneRules(settings.phone_region, settings.phone_area_code)


def routing_rules(settings: Settings) -> RoutingRules:
    """Return where a caller goes for whom no manager is responsible; DIDs are read as the PBX's."""
    phones = phone_rules(settings)
    by_did = {read_did(did, phones): ext for did, ext in settings.did_extensions.items()}
    return RoutingRules(settings.default_extension, by_did)


def build_decider(
    settings: Settings, directory: Directory, memory: NumberMemoryLookup, events: EventPublisher
) -> RouteDecider:
    """Build what decides where a caller goes: the same for the service and for `route`."""
    return RouteDecider(
        directory=directory,
        number_memory=memory,
        events=events,
        rules=routing_rules(settings),
        phones=phone_rules(settings),
        clock=now,
    )


def build_odata_client(
    settings: Settings,
    longest_s: float = math.inf,
    *,
    reuse_sessions: bool = False,
    as_user: tuple[str, str] | None = None,
    slots: ClientSlots | None = None,
) -> ODataClient:
    """Return a client of 1C; *longest_s* cuts its read timeout, *as_user* is another user.

    *slots* is the limit that it shares with other clients of this process.
    """
    user, password = as_user or (
        settings.onec_user or "",
        reveal_secret(settings.onec_password) or "",
    )
    return ODataClient(
        ODataConfig(
            url=settings.onec_url or "",
            user=user,
            password=password,
            timeout_s=min(settings.onec_timeout_s, longest_s),
            concurrency=settings.onec_concurrency,
            ca_file=settings.onec_ca_file,
            reuse_sessions=reuse_sessions,
            # A client that may not wait long requests little.
            max_answer_bytes=MAX_ANSWER_BYTES if math.isinf(longest_s) else _MOST_OF_A_SHORT_ANSWER,
        ),
        slots=slots,
    )


def build_request_slots(settings: Settings) -> RequestSlots:
    """Return the limit that all of a process's clients of 1C share."""
    return RequestSlots(settings.onec_concurrency, reserved=1 if settings.live_lookup else 0)


def build_user_client(settings: Settings, slots: RequestSlots) -> Callable[[str, str], ODataClient]:
    """Return what makes a client of one user's own name and password."""
    mine = slots.for_client(Urgency.INTERACTIVE)
    return lambda name, password: build_odata_client(
        settings, _SIGN_IN_TIMEOUT_S, as_user=(name, password), slots=mine
    )


def onec_zone(settings: Settings) -> ZoneInfo:
    """Return the zone of the 1C server's clock.

    Raises:
        SettingsError: it is not set.
    """
    if settings.onec_timezone is None:
        raise SettingsError("BRIDGE_ONEC_TIMEZONE", "is missing")
    return settings.onec_timezone


def reveal_secret(secret: object) -> str | None:
    """Return a secret as it is; None for none."""
    reveal = getattr(secret, "get_secret_value", None)
    return None if reveal is None else str(reveal())
