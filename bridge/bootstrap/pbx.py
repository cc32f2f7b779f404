"""Which package is the adapter of which PBX: all that the rest of bootstrap knows of a vendor.

Today that is Sipuni alone. Another PBX is a package of `adapters/pbx` with the same modules, built
here by its name.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.bootstrap.shared import now, onec_zone, phone_rules, reveal_secret
from bridge.ports.events import EventPublisher
from bridge.ports.pbx import RawEvent
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.pbx.sipuni.api import SipuniApi
    from bridge.adapters.pbx.sipuni.websocket import SipuniWebsocket

#: The name of the PBX in calls, settings and addresses of hooks.
PBX_NAME: Final = "sipuni"


def build_telephony(settings: Settings) -> SipuniTelephony:
    """Build what reads questions and events, and renders answers."""
    return SipuniTelephony(settings.sipuni_answer, phone_rules(settings))


def build_pbx_api(settings: Settings) -> "SipuniApi | None":
    """Build the client of the PBX's API; None where its credentials are not set."""
    from bridge.adapters.pbx.sipuni.api import SipuniAccount, SipuniApi

    key = reveal_secret(settings.sipuni_key)
    if settings.sipuni_user is None or key is None:
        return None
    zone = settings.sipuni_timezone or onec_zone(settings)
    account = SipuniAccount(settings.sipuni_url, settings.sipuni_user, key, zone)
    return SipuniApi(account, phone_rules(settings))


def build_event_feed(
    settings: Settings, receive: Callable[[RawEvent], Awaitable[None]], events: EventPublisher
) -> "SipuniWebsocket | None":
    """Build the connection by which the PBX sends events; None where it calls the hooks instead."""
    from bridge.adapters.pbx.sipuni.websocket import SipuniWebsocket

    key = reveal_secret(settings.sipuni_ws_key)
    if settings.sipuni_events != "websocket" or key is None:
        return None
    return SipuniWebsocket(settings.sipuni_ws_url, key, receive, events, now)
