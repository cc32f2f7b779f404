"""The settings of one Sipuni cabinet, and what its scheme node makes of an answer.

hook answers -> read_answer -> extension, or None for branch 0
"""

import hashlib
import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

DEFAULT_HOOK_URL = "http://127.0.0.1:8000/sipuni/route"
# Extensions are 200-9999 by the vendor's page; older cabinets keep 100-199.
EXTENSION = re.compile(r"[1-9][0-9]{2,3}")


class NodeMode(StrEnum):
    """What a scheme node understands as its answer."""

    BRANCH = "branch"  # the documented one: `choice` 0 or 1 picks a branch
    NUMBER = "number"  # unverified: `choice` is the extension
    EXTENSION = "extension"  # unverified: `choice` 1 and the extension beside it
    TEXT = "text"  # unverified: the whole text/plain body is the extension


@dataclass(frozen=True, slots=True)
class SchemeNode:
    """One "HTTP request" node; *target* is where its branch 1 leads, by default its label."""

    label: str = ""
    mode: NodeMode = NodeMode.EXTENSION
    target: str = ""


@dataclass(frozen=True, slots=True)
class CabinetEmployee:
    """A person with an extension in the cabinet."""

    extension: str
    name: str


@dataclass(frozen=True, slots=True)
class SipuniScheme:
    """The settings of one cabinet and its incoming scheme.

    Attributes:
        hook_url: what every node asks; Basic credentials may stand in its userinfo.
        events_url: where events go; empty means beside the hook, see `push_url`.
        nodes: the chain of the incoming scheme, asked in this order.
        did_nodes: chains of DIDs that have a scheme of their own.
        default_extension: the queue at the end of the last 0-branch.
        group: who is rung beside the decided extension in a group ring; the first of them who is
            not the decided extension takes a transfer.
        timeout_s: how long a node waits; the vendor names no number.
        key: the integration key that signs API requests.
        ws_key: the code that lets a websocket in.
        employees: who exists; where none is listed, every extension exists.
    """

    hook_url: str = field(default=DEFAULT_HOOK_URL, repr=False)
    events_url: str = field(default="", repr=False)
    events_method: str = "GET"
    nodes: tuple[SchemeNode, ...] = (SchemeNode(),)
    did_nodes: Mapping[str, tuple[SchemeNode, ...]] = field(default_factory=dict)
    default_extension: str = "200"
    group: tuple[str, ...] = ("206", "207")
    timeout_s: float = 3.0
    cabinet: str = "012345"
    key: str = field(default="demo-secret", repr=False)
    ws_key: str = field(default="demo-ws-code", repr=False)
    scheme_number: str = "000-123456"
    employees: tuple[CabinetEmployee, ...] = ()
    public_url: str = "https://sipuni.com"
    zone: str = "Europe/Moscow"

    def nodes_of(self, did: str) -> tuple[SchemeNode, ...]:
        """Return the nodes that a call to *did* passes."""
        return self.did_nodes.get(did, self.nodes)

    @property
    def push_url(self) -> str:
        """Return the address of the event push; empty when neither set nor to be guessed."""
        return self.events_url or guess_events_url(self.hook_url)

    def has_extension(self, extension: str) -> bool:
        """Return whether the cabinet has this extension."""
        return not self.employees or any(one.extension == extension for one in self.employees)

    def find_ringing_extension(
        self, routed: str | None, offline: Set[str]
    ) -> tuple[str | None, list[str]]:
        """Return the extension that rings, and what is wrong with those that cannot.

        It is the *routed* one, else the default queue's, else None.
        """
        problems = []
        for extension in (routed, self.default_extension):
            if extension is None:
                continue
            if not self.has_extension(extension):
                problems.append(f"the cabinet has no extension {extension}")
            elif extension in offline:
                problems.append(f"the telephone of {extension} is offline")
            else:
                return extension, problems
        return None, problems


def guess_events_url(hook_url: str) -> str:
    """Guess where a bridge takes events from where it takes questions.

    A path token and a proxy's prefix stay. The publication's name before `/hs/sipuni/get` goes:
    that address is kept for routing alone. Empty when the hook has neither form.
    """
    parts = urlsplit(hook_url)
    if parts.path.endswith("/sipuni/route"):
        root = parts.path.removesuffix("/sipuni/route")
    elif parts.path.endswith("/hs/sipuni/get"):
        root = parts.path.removesuffix("/hs/sipuni/get")
        above, _, last = root.rpartition("/")
        is_token = above.rpartition("/")[2] == "hook"
        root = above if last and not is_token else root
    else:
        return ""
    return urlunsplit(parts._replace(path=f"{root}/sipuni/events", query="", fragment=""))


def read_answer(node: SchemeNode, media_type: str, body: bytes) -> tuple[str | None, str]:
    """Return where the node's answer leads: (extension or None for branch 0, what is wrong)."""
    if node.mode is NodeMode.TEXT:
        return _read_text(media_type, body)
    try:
        answer = json.loads(body)
    except ValueError:
        return None, "the answer is not JSON" if body else "the answer is empty"
    if not isinstance(answer, dict) or "choice" not in answer:
        return None, "the answer has no choice"
    return _read_choice(node, answer)


def _read_choice(node: SchemeNode, answer: Mapping[str, object]) -> tuple[str | None, str]:
    choice = answer["choice"]
    is_number = type(choice) is int  # JSON's true is no branch
    if is_number and choice == 0:
        return None, ""
    if node.mode is NodeMode.NUMBER:
        return _as_extension(choice)
    if not (is_number and choice == 1):
        return None, f"choice {choice!r} is neither 0 nor 1"
    by_branch = node.mode is NodeMode.BRANCH
    return _as_extension(node.target or node.label if by_branch else answer.get("extension"))


def _read_text(media_type: str, body: bytes) -> tuple[str | None, str]:
    if media_type.partition(";")[0].strip().lower() != "text/plain":
        return None, f"the answer is labelled {media_type or 'nothing'}, not text/plain"
    text = body.decode("utf-8", errors="replace").strip()
    return _as_extension(text) if text else (None, "")


def _as_extension(named: object) -> tuple[str | None, str]:
    if isinstance(named, str | int) and EXTENSION.fullmatch(str(named)):
        return str(named), ""
    return None, f"{named!r:.40} is not an extension"


def signature(params: Mapping[str, str], cabinet: str, key: str) -> str:
    """Sign an API request as Sipuni does: MD5 of the values, by name, then cabinet, then key.

    Neither the names nor the endpoint are covered, so a record and a hangup of one id share one.
    """
    values = [params[name] for name in sorted(params) if name not in {"user", "hash"}]
    text = "+".join([*values, cabinet, key])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
