"""The settings of one Mango cabinet: its people, groups and lines, and where pushes go."""

from dataclasses import dataclass, field, replace

DEFAULT_HOOK_URL = "http://127.0.0.1:8000/mango"


@dataclass(frozen=True, slots=True)
class MangoEmployee:
    """An employee of the cabinet; without an extension there is no callback."""

    extension: str
    name: str
    user_id: int = 0
    mobile: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class MangoGroup:
    """People who ring together; *number* is the group's short number, empty where it has none."""

    number: str
    name: str
    members: tuple[str, ...]
    group_id: int = 0


@dataclass(frozen=True, slots=True)
class MangoLine:
    """A number clients call.

    Attributes:
        number: digits without plus.
        name: what the cabinet calls it; empty where it has no name.
        sip_name: set for a SIP line, which events write as a SIP URI.
        extension: who is rung at once; empty where the scheme's menu answers.
    """

    number: str
    name: str = ""
    sip_name: str = ""
    extension: str = ""


_EMPLOYEES = (
    MangoEmployee("205", "Анна Речная", 100205, "79160000205", "anna@example.ru"),
    MangoEmployee("206", "Пётр Лесной", 100206),
    MangoEmployee("207", "Ольга Полевая", 100207, "79160000207"),
)


@dataclass(frozen=True, slots=True)
class MangoCabinet:
    """The settings of one cabinet.

    Attributes:
        hook_url: the base of pushes: `<hook_url>/events/call`; any path.
        public_url: where the cabinet itself is, for links to recordings.
        key: the «уникальный код АТС».
        salt: what signs, both ways.
        default_group: where the scheme leads a caller who is not routed.
        push_timeout_s: how long a push waits for its answer; the vendor names no number.
    """

    hook_url: str = field(default=DEFAULT_HOOK_URL, repr=False)
    public_url: str = "http://127.0.0.1:8083"
    key: str = "demo-key"
    salt: str = field(default="demo-salt", repr=False)
    product: str = "400012345"
    employees: tuple[MangoEmployee, ...] = _EMPLOYEES
    groups: tuple[MangoGroup, ...] = (MangoGroup("300", "Продажи", ("205", "206"), 200300),)
    lines: tuple[MangoLine, ...] = (
        MangoLine("74950000001", "Основная"),
        MangoLine("74950000002", "", sip_name="line-0001"),
    )
    default_group: str = "300"
    zone: str = "Europe/Moscow"
    push_timeout_s: float = 10.0

    def employee(self, extension: str) -> MangoEmployee | None:
        """Return who has this extension, the first of several."""
        found = (one for one in self.employees if extension and one.extension == extension)
        return next(found, None)

    def group(self, number: str) -> MangoGroup | None:
        """Return the group with this short number."""
        return next((one for one in self.groups if number and one.number == number), None)

    def line(self, did: str) -> MangoLine:
        """Return the line of a number; a number that is not listed is a line like any other."""
        return next((one for one in self.lines if one.number == did), MangoLine(did))

    def sip_user(self, extension: str) -> str:
        """Return the address of an employee's telephone."""
        return f"sip:user{extension}@vpbx{self.product}.mangosip.ru"

    def sip_line(self, line: MangoLine) -> str:
        """Return the address of a line in the form of SIP lines."""
        return f"sip:{line.sip_name or line.number}@vpbx{self.product}.mangosip.ru"

    def with_extensions(self, extensions: tuple[str, ...]) -> "MangoCabinet":
        """Return the cabinet with other people; the first two are the default group."""
        people = tuple(
            MangoEmployee(one, f"Сотрудник {one}", 100_000 + number)
            for number, one in enumerate(extensions, start=1)
        )
        group = MangoGroup(self.default_group, "Продажи", extensions[:2], 200_300)
        return replace(self, employees=people, groups=(group,))
