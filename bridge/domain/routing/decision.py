"""The routing question, what else is known, and the decision with its evidence, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from bridge.domain.directory.caller_card import CallerCard, Candidate
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.callers import Caller


@dataclass(frozen=True, slots=True)
class RouteQuestion:
    """What a PBX asked, in neutral form; every part may be empty.

    *did* is digits only. *pbx_time_text* is the PBX's own time text, part of the call's identity;
    *arrived_at* the instant it means, where it can be read. Times are aware UTC.
    """

    provider: str
    caller: Caller
    did: str
    received_at: datetime
    dtmf: str = ""
    label: str = ""
    pbx_time_text: str = ""
    arrived_at: datetime | None = None

    @property
    def is_blank(self) -> bool:
        """Return whether nothing of a call is in it: a cabinet's test request, not a caller."""
        return not self.caller.raw and not self.did


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """Where a caller goes for whom no manager is responsible."""

    default_extension: str | None = None
    did_extensions: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NumberMemory:
    """What is remembered of a number: an operator's choice, and who talked to it last."""

    chosen_owner: Ref | None = None
    last_extension: str | None = None


@dataclass(frozen=True, slots=True)
class DataAge:
    """When the directory was last proven equal to 1C; *is_stale* when that is too long ago."""

    proven_at: datetime | None = None
    is_stale: bool = False


class Rule(StrEnum):
    """What decided the call."""

    CONTACT_MANAGER = "contact_manager"
    PARTNER_MANAGER = "partner_manager"
    COUNTERPARTY_MANAGER = "counterparty_manager"
    PARENT_MANAGER = "parent_manager"
    DID = "did"
    DEFAULT = "default"
    NOBODY = "nobody"


class Finding(StrEnum):
    """One thing seen on the way to a decision."""

    CALLER_READ = "caller_read"
    CALLER_INTERNAL = "caller_internal"
    CALLER_SHORT = "caller_short"
    CALLER_WITHHELD = "caller_withheld"
    CALLER_NONSENSE = "caller_nonsense"
    INDEX_EMPTY = "index_empty"
    INDEX_STALE = "index_stale"
    INDEX_BROKEN = "index_broken"
    NUMBER_UNKNOWN = "number_unknown"
    ONEC_FOUND = "onec_found"
    ONEC_UNKNOWN = "onec_unknown"
    ONEC_LATE = "onec_late"
    ONEC_FAILED = "onec_failed"
    ONEC_NOT_ASKED = "onec_not_asked"
    CANDIDATE = "candidate"
    CANDIDATE_ENDED = "candidate_ended"
    NO_PARTNER = "no_partner"
    NO_MANAGER = "no_manager"
    MANAGER_GONE = "manager_gone"
    MANAGER_INVALID = "manager_invalid"
    MANAGER_SERVICE = "manager_service"
    MANAGER_MARKED = "manager_marked"
    MANAGER_NO_EXTENSION = "manager_no_extension"
    MANAGER_CHOSEN = "manager_chosen"
    SEVERAL_MANAGERS = "several_managers"
    CHOICE_REMEMBERED = "choice_remembered"
    TALKED_LAST = "talked_last"
    STABLE_ORDER = "stable_order"
    DID_EXTENSION = "did_extension"
    DEFAULT_EXTENSION = "default_extension"
    NOBODY = "nobody"
    EXTENSION_OWNER = "extension_owner"
    EXTENSION_SHARED = "extension_shared"
    EXTENSION_FREE = "extension_free"


class EvidenceStep(NamedTuple):
    """One line of evidence: what was found, about whom, and the detail (an extension, a name)."""

    finding: Finding
    subject: str = ""
    detail: str = ""


class LiveLookupResult(NamedTuple):
    """What 1C answered about a caller whom the index does not know.

    *step* is that as evidence; *card* is None unless 1C named an owner.
    """

    step: EvidenceStep
    card: CallerCard | None = None


class Target(NamedTuple):
    """A telephone to ring: its extension and, where 1C knows one, the user behind it."""

    extension: str
    manager: Ref | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Where the call goes, and why.

    *targets* are tried in order, *fallback* is where the PBX goes when there are none (None: its
    own scheme decides). *candidates* are all owners of the number, the winner first.
    """

    rule: Rule
    targets: tuple[Target, ...] = ()
    fallback: Target | None = None
    candidates: tuple[Candidate, ...] = ()
    evidence: tuple[EvidenceStep, ...] = ()
    proven_at: datetime | None = None

    @property
    def target(self) -> Target | None:
        """Return the telephone that rings first; None when the PBX's scheme decides."""
        return self.targets[0] if self.targets else self.fallback

    @property
    def extension(self) -> str | None:
        """Return the extension that the PBX is answered."""
        target = self.target
        return None if target is None else target.extension

    @property
    def candidate(self) -> Candidate | None:
        """Return the candidate that the caller is taken for."""
        return self.candidates[0] if self.candidates else None
