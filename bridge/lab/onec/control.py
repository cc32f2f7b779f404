"""The control address `/_lab/` of the simulator: state, weather, switches, people's changes.

    GET    /_lab/state             counts of calls, reminders, subjects, requests; switches; faults
    GET    /_lab/rows/<set>        complete rows of any set (?top=N)
    GET    /_lab/due/<user>        what pops up on this user's screen now
    GET    /_lab/calls/<contact>   the calls in the list of a partner or contact
    GET    /_lab/journal           the last requests (?top=N)
    GET    /_lab/truth             what writers of phones meant (?top=N)
    POST   /_lab/weather           one fault, or a list of them (see `faults`)
    DELETE /_lab/weather           all faults, or ?name=NAME
    POST   /_lab/switches          {"name": value, ...}
    POST   /_lab/commit-late       execute the writes whose replies were lost
    POST   /_lab/world/<change>    arguments as a JSON object, for example
                                   move_manager {"partner_ref": "…", "user_ref": "…"}

Changes are the methods of `Hands`: move_manager, mark, rename, invalidate_user, end_contact,
delete, set_extension, change_phone, write_phone_line, add_phone_cases, add_partner, add_contact,
add_counterparty, add_user, dismiss_reminder, postpone_reminder, write_call, describe_call,
review_call; and of `Losses`: rename_attribute, empty_attribute, retype_attribute, empty_owners,
garble_phones. The switch `unpublished` leaves sets out of the publication. There is no
authentication: bind the lab to loopback.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec

from bridge.lab.onec.faults import Fault
from bridge.lab.onec.odata.replies import HttpReply

if TYPE_CHECKING:
    from bridge.lab.onec.simulator import OneCLab

_JSON: Final = ("content-type", "application/json; charset=utf-8")
CHANGES: Final = frozenset(
    {
        "move_manager",
        "mark",
        "rename",
        "invalidate_user",
        "end_contact",
        "delete",
        "set_extension",
        "change_phone",
        "write_phone_line",
        "add_phone_cases",
        "add_partner",
        "add_contact",
        "add_counterparty",
        "add_user",
        "dismiss_reminder",
        "postpone_reminder",
        "write_call",
        "describe_call",
        "review_call",
        "rename_attribute",
        "empty_attribute",
        "retype_attribute",
        "empty_owners",
        "garble_phones",
    }
)


def answer_control_request(
    lab: OneCLab, method: str, path: str, query: str, body: bytes
) -> HttpReply:
    """Answer one request below `/_lab/`; what is wrong with it is said in the reply."""
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    words = path.removeprefix("/_lab").strip("/").split("/")
    try:
        if method == "GET":
            return _json(_read(lab, words, int(options.get("top", "100"))))
        return _json(_change(lab, method, words, options, body))
    except (KeyError, StopIteration) as unknown:
        return _json({"error": f"not found: {unknown}"}, status=404)
    except (ValueError, TypeError, msgspec.MsgspecError) as wrong:
        return _json({"error": str(wrong)}, status=400)


def _json(found: Any, status: int = 200) -> HttpReply:
    return HttpReply(status, msgspec.json.encode(found), [_JSON])


def _read(lab: OneCLab, words: list[str], top: int) -> Any:
    match words:
        case ["state"]:
            return lab_state(lab)
        case ["rows", name]:
            table = lab.infobase.tables[name]
            return [table.complete(row) for row in islice(table.rows.values(), top)]
        case ["due", user]:
            return lab.due_reminders(user)
        case ["calls", contact]:
            return lab.interaction_list(contact)
        case ["journal"]:
            return [
                {name: getattr(entry, name) for name in entry.__slots__}
                for entry in list(lab.request_log)[-top:]
            ]
        case ["truth"]:
            return [truth._asdict() for truth in lab.infobase.intended_phones[:top]]
    raise KeyError("/".join(words))


def lab_state(lab: OneCLab) -> dict[str, Any]:
    """Return what the publication holds and what it has been asked so far."""
    return {
        "release": lab.infobase.schema.release,
        "seed": lab.infobase.seed,
        "root": lab.root,
        "rows": {name: len(table) for name, table in lab.infobase.tables.items()},
        "phone_calls": len(lab.phone_calls()),
        "subjects": len(lab.subjects()),
        "reminders": len(lab.reminders()),
        "string_contacts": len(lab.string_contacts()),
        "late_writes": lab.late_writes,
        "requests": {f"{method} {name}": n for (method, name), n in lab.request_counts.items()},
        "switches": lab.switches.as_json(),
        "faults": [armed.fault for armed in lab.faults.active],
    }


def _change(
    lab: OneCLab, method: str, words: list[str], options: dict[str, str], body: bytes
) -> Any:
    match method, words:
        case "POST", ["weather"]:
            faults = msgspec.json.decode(body, type=Fault | list[Fault])
            lab.faults.extend(faults if isinstance(faults, list) else [faults])
            return lab_state(lab)["faults"]
        case "DELETE", ["weather"]:
            lab.faults.clear(options.get("name"))
            return lab_state(lab)["faults"]
        case "POST", ["switches"]:
            for name, wanted in msgspec.json.decode(body, type=dict[str, Any]).items():
                lab.switches.set(name, wanted)
            return lab.switches.as_json()
        case "POST", ["commit-late"]:
            return {"executed": lab.commit_late_writes()}
        case "POST", ["world", change] if change.replace("-", "_") in CHANGES:
            apply = getattr(lab, change.replace("-", "_"))
            return {"result": apply(**msgspec.json.decode(body or b"{}", type=dict[str, Any]))}
    raise KeyError("/".join(words))
