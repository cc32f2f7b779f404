"""Every error that the bridge raises on purpose: one table, one class for each error.

    BridgeError
    ├─ SettingsError          the environment is wrong; nothing starts (exit 2)
    ├─ OneCError              1C, or what stands before it, did not do what we asked
    │  ├─ OneCUnavailable     nothing usable came back; ask again later
    │  │  ├─ OneCOutcomeUnknown  a write may or may not have happened; look before writing again
    │  │  ├─ OneCSessionsBlocked   the administrator has closed the infobase to sessions; wait
    │  │  └─ OneCVersionConflict   the object was changed since it was read; read it again
    │  ├─ OneCUnauthorized    the 1C user or its rights; a person must act
    │  ├─ OneCNotPublished    the publication lacks an entity set or field; a person must act
    │  │  └─ OneCFilteredByWebServer   the web server stops such requests; a person must act
    │  ├─ OneCRejected        1C refused this very request; repeating cannot help
    │  │  ├─ OneCAlreadyExists   a record with this key is there already
    │  │  └─ OneCObjectMissing   the object or record is not there any more
    │  └─ OneCInvalidResponse   an answer that is not of 1C's form; reading it would be a guess
    ├─ PbxError               the PBX's API did not do what was asked
    │  ├─ PbxUnavailable      nothing usable came back; ask again later
    │  └─ PbxRefused          it refused (key, cabinet, number); a person must act
    ├─ UnreadableEvent        an event of the PBX is about a call, in a form that cannot be read
    ├─ OrderRefused           a call cannot be ordered so: extension, number
    │  └─ OrderRepeated       this telephone is calling this number already
    ├─ NotFound               what a command was asked about is not there
    ├─ CannotListen           the address to listen on cannot be used
    ├─ ServiceUnreachable     the running service cannot be asked
    ├─ SyncRefused            the guard: a listing shrank too much; keeps the counts
    │  └─ RoutingFactsLost    the guard: rows lost what calls are routed by; keeps the counts
    ├─ SyncAlreadyRunning     another sync run holds the directory
    └─ StoreError             the disk refused, or the file is not ours
       ├─ StoreDamaged        what is in the file is not what was written to it
       ├─ StoreOfOtherProgram the file is another program's
       └─ StoreInUse          another service has it; this one does not start

Errors carry fields; the sentence is built from them and ends with what to do.
"""

from dataclasses import dataclass


class BridgeError(Exception):
    """Anything raised on purpose; `str()` is one clear sentence for a person."""


@dataclass(eq=False)
class SettingsError(BridgeError):
    """A setting is missing or malformed; *variable* names it, *reason* is what is wrong."""

    variable: str
    reason: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.reason}"


@dataclass(eq=False)
class UnreadableEvent(BridgeError):
    """An event of the PBX cannot be read and is kept as it came; *reason* is what is wrong."""

    reason: str

    def __str__(self) -> str:
        return f"an event of the PBX cannot be read: {self.reason}"


@dataclass(eq=False)
class OneCError(BridgeError):
    """1C did not do what was asked; *where* is the entity set or address, *detail* the answer."""

    where: str
    detail: str

    def __str__(self) -> str:
        return f"1C, {self.where}: {self.detail}"


class OneCUnavailable(OneCError):
    """No usable answer (refused, timed out, 5xx, a page that is not 1C's); try again later."""


class OneCOutcomeUnknown(OneCUnavailable):
    """A write was sent and its reply lost: it may have been committed; look first."""


SESSIONS_BLOCKED = "sessions blocked by the administrator"


class OneCSessionsBlocked(OneCUnavailable):
    """Sessions are blocked by the administrator; *detail* holds the administrator's message."""

    def __str__(self) -> str:
        return f"1C, {self.where}: {SESSIONS_BLOCKED}: {self.detail}"


class OneCVersionConflict(OneCUnavailable):
    """The object was changed since it was read: not done; read it again and decide anew."""


class OneCUnauthorized(OneCError):
    """Wrong user or password, or missing rights; a repeat does no harm and does not help."""


class OneCNotPublished(OneCError):
    """The entity set or field is not in the OData publication."""

    def __str__(self) -> str:
        return (
            f"1C, {self.where}: {self.detail}; publish it in 1C: Администрирование → "
            "Синхронизация данных → Настройка стандартного интерфейса OData → Состав"
        )


class OneCFilteredByWebServer(OneCNotPublished):
    """The web server before 1C lets no such request through: not done, and it never will be."""

    def __str__(self) -> str:
        return f"1C, {self.where}: {self.detail}"


@dataclass(eq=False)
class OneCRejected(OneCError):
    """1C refused for the reason *detail*; *status* and *code* as it sent them."""

    status: int
    code: str

    def __str__(self) -> str:
        return f"1C refused, {self.where} ({self.status}, code {self.code}): {self.detail}"


class OneCAlreadyExists(OneCRejected):
    """A record with this key exists (400, code 15); read it to learn whether it is ours."""


class OneCObjectMissing(OneCRejected):
    """1C has no object or record of this key (404, code 9): a person deleted it."""


class OneCInvalidResponse(OneCError):
    """The answer does not have the shape 1C gives; nothing was taken from it."""


@dataclass(eq=False)
class PbxError(BridgeError):
    """The PBX's API did not do what was asked; *where* is the order, *detail* what was answered."""

    where: str
    detail: str

    def __str__(self) -> str:
        return f"PBX, {self.where}: {self.detail}"


class PbxUnavailable(PbxError):
    """No usable answer; the order may be asked again later where it changes nothing."""


class PbxRefused(PbxError):
    """The PBX refused and gave a reason; repeating cannot help."""


@dataclass(eq=False)
class OrderRefused(BridgeError):
    """A call was not ordered; *message* is why, for a person."""

    message: str

    def __str__(self) -> str:
        return self.message


class OrderRepeated(OrderRefused):
    """The same telephone was ordered to call the same number, and that is not over."""


@dataclass(eq=False)
class NotFound(BridgeError):
    """What was asked about is not there, or is not the only one; *message* holds what and where."""

    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class CannotListen(BridgeError):
    """The service could not be reached at *host* and *port*; *setting* chooses others."""

    host: str
    port: int
    reason: str
    setting: str

    def __str__(self) -> str:
        return f"cannot listen on {self.host}:{self.port}: {self.reason}; see {self.setting}"


@dataclass(eq=False)
class ServiceUnreachable(BridgeError):
    """The running service at *address* did not do what was asked; *reason* is why."""

    address: str
    reason: str

    def __str__(self) -> str:
        return f"the service at {self.address}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Loss:
    """How many of *what* were there, and how many are now; *words* name several of them."""

    what: str
    words: str
    before: int
    now: int


@dataclass(eq=False)
class SyncRefused(BridgeError):
    """A listing lost more rows than the guard allows; the old index stays."""

    entity_set: str
    held: int
    listed: int
    allowed_share: float

    @property
    def all_losses(self) -> tuple[Loss, ...]:
        """Return what is gone, with its counts."""
        return (Loss(self.entity_set, f"rows of {self.entity_set}", self.held, self.listed),)

    def __str__(self) -> str:
        return (
            f"{self.entity_set}: 1C lists {self.listed} of the {self.held} rows we hold; a loss of "
            f"more than {self.allowed_share:.0%} is refused and the old index stays. "
            "If 1C is right, run: onec-bridge sync --accept-shrink"
        )


@dataclass(eq=False)
class RoutingFactsLost(SyncRefused):
    """Rows lost what calls are routed by; *reason* is what is known of why.

    The fields of a shrunken listing are those of the first of *losses*.
    """

    losses: tuple[Loss, ...] = ()
    reason: str = ""

    @property
    def all_losses(self) -> tuple[Loss, ...]:
        """Return what is gone, with its counts."""
        return self.losses

    def __str__(self) -> str:
        lost = ", ".join(f"{loss.now} of {loss.before} {loss.words}" for loss in self.losses)
        why = f"{self.reason} " if self.reason else ""
        return (
            f"of what calls are routed by, 1C now gives {lost}; a loss of more than "
            f"{self.allowed_share:.0%} is refused and the old index stays. {why}"
            "If 1C is right, run: onec-bridge sync --accept-shrink"
        )


@dataclass(eq=False)
class SyncAlreadyRunning(BridgeError):
    """Another process is syncing this data directory."""

    path: str

    def __str__(self) -> str:
        return f"another sync run is writing {self.path}; wait until it ends"


@dataclass(eq=False)
class StoreError(BridgeError):
    """The embedded store cannot be read or written; *path* and *reason* are which and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        # The name alone: pages and logs show the sentence, and only the administrator
        # needs to know where the file is.
        return f"{self.file}: {self.reason}"

    @property
    def file(self) -> str:
        """Return the name of the file, without where it stands."""
        return self.path.replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def with_path(self) -> str:
        """Return the sentence with the whole path, for the administrator at a terminal."""
        return f"{self.path}: {self.reason}"


class StoreDamaged(StoreError):
    """The file holds what was not written to it: it is of no use, and waiting mends nothing.

    A full disk, a lock, missing rights and another program's file are no damage.
    """


class StoreOfOtherProgram(StoreError):
    """The file belongs to another program: nothing of ours is in it."""


class StoreInUse(StoreError):
    """Another service works on this very store: two would write one call twice."""
