"""The control address `/_lab/` of the simulated 1C: state, faults, switches, edits by users.

    GET    /_lab/state             counts of calls, reminders, subjects, requests; switches; faults
    GET    /_lab/rows/<set>        complete rows of any set (?top=N)
    GET    /_lab/due/<user>        reminders that pop up on this user's screen now
    GET    /_lab/calls/<contact>   the calls in the list of a partner or contact
    GET    /_lab/journal           the last requests (?top=N)
    GET    /_lab/truth             which numbers the writers of phones meant (?top=N)
    POST   /_lab/weather           one fault, or a list of them (see `faults`)
    DELETE /_lab/weather           all faults, or ?name=NAME
    POST   /_lab/switches          {"name": value, ...}
    POST   /_lab/commit-late       execute the writes whose replies were lost
    POST   /_lab/world/<change>    arguments as a JSON object, for example
                                   move_manager {"partner_ref": "…", "user_ref": "…"}

A change is a method of `ManualEdits`, `BulkEdits` or `ManagerActions`, see `CHANGES`. The switch
`unpublished` leaves sets out of the publication. There is no authentication: bind the lab to
loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from bridge.lab.onec.faults import Fault
from bridge.lab.onec.odata.replies import HttpReply
from bridge.lab.onec.simulator import OneCLab

_JSON: Final = ("content-type", "application/json; charset=utf-8")
#: What `/_lab/world/<change>` calls; a hyphen of the address is an underscore here.
CHANGES: Final[Mapping[str, Callable[..., object]]] = {
    "move_manager": OneCLab.move_manager,
    "mark": OneCLab.mark,
    "rename": OneCLab.rename,
    "invalidate_user": OneCLab.invalidate_user,
    "end_contact": OneCLab.end_contact,
    "delete": OneCLab.delete,
    "set_extension": OneCLab.set_extension,
    "change_phone": OneCLab.change_phone,
    "write_phone_line": OneCLab.write_phone_line,
    "add_phone_cases": OneCLab.add_phone_cases,
    "add_partner": OneCLab.add_partner,
    "add_contact": OneCLab.add_contact,
    "add_counterparty": OneCLab.add_counterparty,
    "add_user": OneCLab.add_user,
    "dismiss_reminder": OneCLab.dismiss_reminder,
    "postpone_reminder": OneCLab.postpone_reminder,
    "write_call": OneCLab.write_call,
    "describe_call": OneCLab.describe_call,
    "review_call": OneCLab.review_call,
    "rename_attribute": OneCLab.rename_attribute,
    "empty_attribute": OneCLab.empty_attribute,
    "retype_attribute": OneCLab.retype_attribute,
    "empty_owners": OneCLab.empty_owners,
    "garble_phones": OneCLab.garble_phones,
}


def answer_control_request(
    lab: OneCLab, method: str, path: str, query: str, body: bytes
) -> HttpReply:
    """Answer one request below `/_lab/`; an error stands in the reply."""
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    segments = path.removeprefix("/_lab").strip("/").split("/")
    try:
        if method == "GET":
            return _as_json(_read(lab, segments, int(options.get("top", "100"))))
        return _as_json(_change(lab, method, segments, options, body))
    except (KeyError, StopIteration) as unknown:
        return _as_json({"error": f"not found: {unknown}"}, status=404)
    except (ValueError, TypeError, msgspec.MsgspecError) as error:
        return _as_json({"error": str(error)}, status=400)


def _as_json(answer: Any, status: int = 200) -> HttpReply:
    return HttpReply(status, msgspec.json.encode(answer), [_JSON])


def _read(lab: OneCLab, segments: list[str], top: int) -> Any:
    match segments:
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
            return [phone._asdict() for phone in lab.infobase.intended_phones[:top]]
    raise KeyError("/".join(segments))


def lab_state(lab: OneCLab) -> dict[str, Any]:
    """Return what the publication holds and which requests it has had so far."""
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
        "faults": [active.fault for active in lab.faults.active],
    }


def _change(
    lab: OneCLab, method: str, segments: list[str], options: dict[str, str], body: bytes
) -> Any:
    match method, segments:
        case "POST", ["weather"]:
            faults = msgspec.json.decode(body, type=Fault | list[Fault])
            lab.faults.extend(faults if isinstance(faults, list) else [faults])
            return lab_state(lab)["faults"]
        case "DELETE", ["weather"]:
            lab.faults.clear(options.get("name"))
            return lab_state(lab)["faults"]
        case "POST", ["switches"]:
            for name, value in msgspec.json.decode(body, type=dict[str, Any]).items():
                lab.switches.set(name, value)
            return lab.switches.as_json()
        case "POST", ["commit-late"]:
            return {"executed": lab.commit_late_writes()}
        case "POST", ["world", name] if name.replace("-", "_") in CHANGES:
            arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            return {"result": CHANGES[name.replace("-", "_")](lab, **arguments)}
    raise KeyError("/".join(segments))
