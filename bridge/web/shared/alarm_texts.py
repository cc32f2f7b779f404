"""The titles of alarms, and what to do about each; marked for the catalogues.

Each has a title, and an advice that ends where the alarm's own message follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.ports.alarms import AlarmName
from bridge.web.shared.language import translatable


@dataclass(frozen=True, slots=True)
class AlarmText:
    """The *title* of an alarm, and the *advice*: what it means for calls and what to do."""

    title: str
    advice: str
    #: The page of the manual about it.
    page: str = "operating"


ALARM_TEXTS: Final[Mapping[AlarmName, AlarmText]] = {
    "onec_down": AlarmText(
        translatable("1C does not answer"),
        translatable(
            "Callers are routed from the bridge's index and what is to be written to 1C waits: "
            "look whether 1C and its web server run."
        ),
        "onec",
    ),
    "onec_refuses": AlarmText(
        translatable("1C refuses the bridge's requests"),
        translatable(
            "Calls wait, nothing is lost: mend the password or the rights of the bridge's 1C user, "
            "or publish the set that 1C names. onec-bridge check tells which. The bridge tries "
            "again every minute."
        ),
        "onec",
    ),
    "index_stale": AlarmText(
        translatable("The data from 1C are old"),
        translatable(
            "Calls are routed by the older data. Look at the sync runs and at onec-bridge check."
        ),
    ),
    "sync_refused": AlarmText(
        translatable("1C lists far fewer rows than before"),
        translatable(
            "What was held before stays. Where 1C is right, accept it: on the page of the sync "
            "runs, or by onec-bridge sync --accept-shrink."
        ),
    ),
    "extensions_lost": AlarmText(
        translatable("1C lost what routing needs"),
        translatable(
            "Extensions, telephones or managers are gone from 1C's answers; what was held before "
            "stays. Look at the user attribute of extensions in 1C and at "
            "BRIDGE_EXTENSION_ATTRIBUTE. Where 1C is right, accept it on the page of the sync "
            "runs, or by onec-bridge sync --accept-shrink."
        ),
        "onec",
    ),
    "outbox_dead": AlarmText(
        translatable("1C refused to take calls"),
        translatable(
            "They are kept. Read 1C's reason on the page “Waiting for 1C”, correct it in 1C, then "
            "retry or cancel the writing."
        ),
    ),
    "store_slow": AlarmText(
        translatable("The disk is slow"),
        translatable(
            "The PBX has its answer in time, the call's record follows. Give the data folder a "
            "faster, local disk."
        ),
    ),
    "store_down": AlarmText(
        translatable("A file of the bridge cannot be used"),
        translatable(
            "Callers are answered, and what is to be recorded is kept in memory until the disk "
            "takes it: make room, or mend the data folder. There is no need to restart the service."
        ),
    ),
    "disk_low": AlarmText(
        translatable("The disk is nearly full"),
        translatable("Make room on the disk of the data folder before calls cannot be recorded."),
    ),
    "pbx_silent": AlarmText(
        translatable("The PBX is silent"),
        translatable(
            "Nothing came from it for much longer than is usual at this hour: look at the "
            "addresses in the PBX's cabinet, and whether the Internet reaches the bridge."
        ),
        "troubleshooting",
    ),
    "pbx_refuses": AlarmText(
        translatable("The PBX refuses the bridge's requests"),
        translatable(
            "Look at the key in the PBX's cabinet and in the settings, and at its rights."
        ),
        "troubleshooting",
    ),
    "clock_off": AlarmText(
        translatable("The clock is wrong"),
        translatable(
            "The clock of this machine jumped or contradicts others: set up NTP, and look at it."
        ),
    ),
    "sync_failed": AlarmText(
        translatable("Sync"),
        translatable("It was not completed; calls are routed by the previous data."),
    ),
    "index_broken": AlarmText(
        translatable("The index cannot be read"),
        translatable(
            "Calls go to the default, or by data that are older than they need be. A sync was "
            "started and makes the index anew; where it cannot, look at the sync runs and at the "
            "disk of the data folder."
        ),
    ),
    "store_damaged": AlarmText(
        translatable("A file was damaged"),
        translatable(
            "It is kept beside its successor: look at the disk, write by hand what is missing, and "
            "delete the kept file when this is settled."
        ),
    ),
    "pbx_events_lost": AlarmText(
        translatable("No events from the PBX"),
        translatable("Calls are routed; how they ended is learnt later, from the statistics."),
        "troubleshooting",
    ),
    "pbx_events_unread": AlarmText(
        translatable("Events of the PBX that cannot be read"),
        translatable(
            "They are kept as they came. Calls are routed, but what these events said is missing: "
            "look at the settings of the events in the PBX's cabinet, and report their form to us. "
            "GET /api/v1/events/unread shows them, POST /api/v1/events/unread/dismiss lets them go."
        ),
        "troubleshooting",
    ),
    "hooks_guessed": AlarmText(
        translatable("Wrong secrets at the PBX's address"),
        translatable(
            "Somebody calls the addresses of the PBX with a wrong password or token. Where it is "
            "the PBX, put the right address into its cabinet."
        ),
        "security",
    ),
}
