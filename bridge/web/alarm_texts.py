"""What an alarm is called and what to do about it, in words for people; marked for the catalogues.

Each has a title, and an advice that ends where the trouble's own words follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.ports import AlarmName
from bridge.web.language import mark


@dataclass(frozen=True, slots=True)
class AlarmText:
    """The *title* of an alarm, and the *advice*: what it means for calls and what to do."""

    title: str
    advice: str


ALARM_TEXTS: Final[Mapping[AlarmName, AlarmText]] = {
    "onec_down": AlarmText(
        mark("1C does not answer"),
        mark(
            "Callers are routed from the bridge's index and what is to be written to 1C waits: "
            "look whether 1C and its web server run."
        ),
    ),
    "onec_refuses": AlarmText(
        mark("1C turns the bridge down"),
        mark(
            "Calls wait, nothing is lost: mend the password or the rights of the bridge's 1C user, "
            "or publish the set that 1C names. onec-bridge check tells which. The bridge tries "
            "again every minute."
        ),
    ),
    "index_stale": AlarmText(
        mark("The data from 1C are old"),
        mark(
            "Callers are routed by what was known then. Look at the sync runs and at onec-bridge "
            "check."
        ),
    ),
    "sync_refused": AlarmText(
        mark("1C lists far fewer rows than before"),
        mark(
            "What was held before stays. Where 1C is right, accept it: on the page of the sync "
            "runs, or by onec-bridge sync --accept-shrink."
        ),
    ),
    "extensions_lost": AlarmText(
        mark("1C lost what routing needs"),
        mark(
            "Extensions, telephones or managers are gone from 1C's answers; what was held before "
            "stays. Look at the user attribute of extensions in 1C and at "
            "BRIDGE_EXTENSION_ATTRIBUTE. Where 1C is right, accept it on the page of the sync "
            "runs, or by onec-bridge sync --accept-shrink."
        ),
    ),
    "outbox_dead": AlarmText(
        mark("1C refused to take calls"),
        mark(
            "They are kept. Read 1C's reason under what is owed to 1C, mend it in 1C, then write "
            "them again or drop them."
        ),
    ),
    "store_slow": AlarmText(
        mark("The disk is slow"),
        mark(
            "The PBX has its answer in time, the call's record follows. Give the data folder a "
            "faster, local disk."
        ),
    ),
    "store_down": AlarmText(
        mark("A file of the bridge cannot be used"),
        mark(
            "Callers are answered, and what is to be recorded is kept in memory until the disk "
            "takes it: make room, or mend the data folder. There is no need to restart the service."
        ),
    ),
    "disk_low": AlarmText(
        mark("The disk is nearly full"),
        mark("Make room on the disk of the data folder before calls cannot be recorded."),
    ),
    "pbx_silent": AlarmText(
        mark("The PBX is silent"),
        mark(
            "Nothing came from it for much longer than is usual at this hour: look at the "
            "addresses in the PBX's cabinet, and whether the Internet reaches the bridge."
        ),
    ),
    "pbx_refuses": AlarmText(
        mark("The PBX turns the bridge down"),
        mark("Look at the key in the PBX's cabinet and in the settings, and at its rights."),
    ),
    "clock_off": AlarmText(
        mark("The clock is wrong"),
        mark("The clock of this machine jumped or contradicts others: set up NTP, and look at it."),
    ),
    "sync_failed": AlarmText(
        mark("Sync"),
        mark("It did not come to its end; calls are routed by what was held before."),
    ),
    "index_broken": AlarmText(
        mark("The index cannot be read"),
        mark(
            "Calls go to the default, or by data that are older than they need be. A sync was "
            "started and makes the index anew; where it cannot, look at the sync runs and at the "
            "disk of the data folder."
        ),
    ),
    "store_damaged": AlarmText(
        mark("A file was damaged"),
        mark(
            "It is kept beside its successor: look at the disk, write by hand what is missing, and "
            "delete the kept file when this is settled."
        ),
    ),
    "pbx_events_lost": AlarmText(
        mark("No events from the PBX"),
        mark("Calls are routed; how they ended is learnt later, from the statistics."),
    ),
    "pbx_events_unread": AlarmText(
        mark("Events of the PBX that cannot be read"),
        mark(
            "They are kept as they came. Calls are routed, but what these events said is missing: "
            "look at the settings of the events in the PBX's cabinet, and report their form to us. "
            "GET /api/v1/events/unread shows them, POST /api/v1/events/unread/dismiss lets them go."
        ),
    ),
    "hooks_guessed": AlarmText(
        mark("Wrong secrets at the PBX's address"),
        mark(
            "Somebody calls the addresses of the PBX with a wrong password or token. Where it is "
            "the PBX, put the right address into its cabinet."
        ),
    ),
}
