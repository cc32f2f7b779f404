"""Settings from the environment and `.env`; only this module reads `os.environ`.

A frozen `Settings` is what the service is built from. What is missing or malformed is named in one
sentence; secrets are `SecretStr` and show in no repr, log or error text.
"""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as PydanticSettingsError

from bridge.domain.calls.work_hours import WorkHours, read_work_hours
from bridge.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PREFIX = "BRIDGE_"
_EXTENSION = re.compile(r"[0-9*#]{1,10}")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")


class Settings(BaseSettings):
    """Every setting, typed; field names are the variables without BRIDGE_."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    onec_url: str | None = None
    onec_user: str | None = None
    onec_password: SecretStr | None = None
    onec_timezone: ZoneInfo | None = None
    onec_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60
    onec_concurrency: Annotated[int, Field(ge=1, le=16)] = 2
    onec_ca_file: Path | None = None
    onec_web_url: str | None = None

    sync_interval_s: Annotated[float, Field(ge=1, le=86400)] = 60
    sync_max_duty: Annotated[float, Field(gt=0, le=1)] = 0.25
    sync_max_shrink: Annotated[float, Field(ge=0, le=1)] = 0.2
    extension_attribute: Annotated[str, Field(min_length=1)] = "Внутренний номер"

    hook_user: str | None = None
    hook_password: SecretStr | None = None
    hook_token: SecretStr | None = None
    hook_allow: Annotated[tuple[Network, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()

    sipuni_user: str | None = None
    sipuni_key: SecretStr | None = None
    sipuni_url: str = "https://sipuni.com/api"
    sipuni_answer: Literal["auto", "number", "text"] = "auto"
    sipuni_timezone: ZoneInfo | None = None
    sipuni_events: Literal["push", "websocket"] = "push"
    sipuni_ws_key: SecretStr | None = None
    sipuni_ws_url: str = "wss://wss.sipuni.com/api"
    call_requests: bool = False
    call_request_mark: Annotated[str, Field(min_length=1, max_length=100)] = "позвонить"

    default_extension: str | None = None
    did_extensions: Annotated[dict[str, str], NoDecode] = {}
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "RU"
    phone_area_code: Annotated[str | None, Field(pattern=r"^[0-9]{2,5}$")] = None
    route_deadline_ms: Annotated[int, Field(ge=50, le=30000)] = 700
    live_lookup: bool = True

    keep_reminders: bool = True
    internal_calls: bool = False
    escalation_extension: str | None = None
    escalate_after_min: Annotated[int, Field(ge=1, le=10_080)] = 60
    work_hours: Annotated[WorkHours, NoDecode] = WorkHours()
    settle_after_s: Annotated[int, Field(ge=60, le=86_400)] = 600
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 365

    data_dir: Path = Path("data")
    store: str = "tinydb"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: str | None = None
    admin_password: SecretStr | None = None
    metrics_token: SecretStr | None = None
    mask_phones: bool = False
    audit_days: Annotated[int, Field(ge=1, le=3650)] = 365
    lang: Literal["ru", "en"] = "ru"
    log_format: Literal["console", "json"] = "console"

    @field_validator("onec_url", "onec_web_url", "sipuni_url", "public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("is not an http(s) address, e.g. https://1c.example.ru/ut11")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; they have settings of their own")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _is_root(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if parts.path or parts.query or parts.fragment:
            raise ValueError(
                "must have no path: the pages stand at the root of a name of their own, "
                "e.g. https://bridge.example.ru"
            )
        return value

    @field_validator("sipuni_ws_url")
    @classmethod
    def _is_websocket(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0:
            raise ValueError("is not a ws(s) address, e.g. wss://wss.sipuni.com/api")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; they have settings of their own")
        return value

    @field_validator("onec_timezone", "sipuni_timezone", mode="before")
    @classmethod
    def _is_zone(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return ZoneInfo(value.strip())
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is not an IANA time zone, e.g. Europe/Moscow") from error

    @field_validator("onec_ca_file")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("hook_allow", "trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        networks: list[Network] = []
        for part in filter(None, (p.strip() for p in value.split(","))):
            try:
                networks.append(ipaddress.ip_network(part, strict=False))
            except ValueError as error:
                raise ValueError(f"“{part}” is not a network, e.g. 203.0.113.0/24") from error
        return tuple(networks)

    @field_validator("work_hours", mode="before")
    @classmethod
    def _are_hours(cls, value: object) -> object:
        return read_work_hours(value) if isinstance(value, str) else value

    @field_validator("default_extension", "escalation_extension")
    @classmethod
    def _is_extension(cls, value: str | None) -> str | None:
        if value is not None and not _EXTENSION.fullmatch(value):
            raise ValueError(f"“{value}” is not an extension, e.g. 205")
        return value

    @field_validator("did_extensions", mode="before")
    @classmethod
    def _are_did_extensions(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs: dict[str, str] = {}
        for part in filter(None, (p.strip() for p in value.split(","))):
            did, equals, extension = (p.strip() for p in part.partition("="))
            digits = re.sub(r"[\s()+-]", "", did)
            if not equals or not digits.isdecimal() or not _EXTENSION.fullmatch(extension):
                raise ValueError(f"“{part}” is not DID=extension, e.g. 74951234567=100")
            pairs[digits] = extension
        return pairs

    @field_validator("hook_token")
    @classmethod
    def _is_path_segment(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("may hold only letters, digits and . _ ~ - to stand in a path")
        return value

    @field_validator("store")
    @classmethod
    def _is_store(cls, value: str) -> str:
        if value == "tinydb":
            return value
        if value.startswith(("postgresql://", "postgres://")):
            raise ValueError("a PostgreSQL store is not in this release; leave it at tinydb")
        raise ValueError("must be tinydb")

    @model_validator(mode="after")
    def _pairs_are_whole(self) -> Self:
        if (self.hook_user is None) != (self.hook_password is None):
            missing = "hook_user" if self.hook_user is None else "hook_password"
            raise SettingsError(_PREFIX + missing.upper(), "is missing beside its other half")
        if (self.sipuni_user is None) != (self.sipuni_key is None):
            missing = "sipuni_user" if self.sipuni_user is None else "sipuni_key"
            raise SettingsError(_PREFIX + missing.upper(), "is missing beside its other half")
        if self.sipuni_events == "websocket" and self.sipuni_ws_key is None:
            raise SettingsError("BRIDGE_SIPUNI_WS_KEY", "is missing: the cabinet's code for events")
        if self.call_requests and self.sipuni_user is None:
            raise SettingsError(
                "BRIDGE_CALL_REQUESTS", "needs BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY to call"
            )
        return self

    @property
    def stale_after(self) -> timedelta:
        """Return how old the last proof may be before the index counts as stale."""
        return timedelta(seconds=max(600.0, 5 * self.sync_interval_s))

    def require_onec(self) -> Self:
        """Check that everything is set that reading 1C needs.

        Raises:
            SettingsError: naming the first variable that is missing.
        """
        for name in ("onec_url", "onec_user", "onec_password", "onec_timezone"):
            if getattr(self, name) is None:
                raise SettingsError(_PREFIX + name.upper(), _MISSING[name])
        return self

    def require_hook(self) -> Self:
        """Check that a secret between the PBX and the hooks is set.

        Raises:
            SettingsError: when neither Basic credentials nor a path token are set.
        """
        if self.hook_user is None and self.hook_token is None:
            raise SettingsError(
                "BRIDGE_HOOK_USER and BRIDGE_HOOK_PASSWORD, or BRIDGE_HOOK_TOKEN",
                "must be set: without a secret anybody could ask who your customers are",
            )
        return self


_MISSING = {
    "onec_url": "is missing: the root of the 1C publication, e.g. https://1c.example.ru/ut11",
    "onec_user": "is missing: the 1C user with the OData role",
    "onec_password": "is missing: the password of the 1C user",
    "onec_timezone": "is missing: the zone of the 1C server's clock, e.g. Europe/Moscow",
}


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings; the environment wins over *env_file*.

    Raises:
        SettingsError: one sentence naming the first variable that is malformed.
    """
    try:
        _check_lines(env_file)
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own parameter
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = _PREFIX + str(first["loc"][0]).upper() if first["loc"] else _PREFIX + "*"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(name, message[:1].lower() + message[1:]) from None
    except (PydanticSettingsError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(str(env_file or ".env"), f"cannot be read: {error}") from error


def _check_lines(env_file: Path | None) -> None:
    """Check that every line is a setting; python-dotenv would skip others with a warning."""
    if env_file is None or not env_file.is_file():
        return
    with env_file.open(encoding="utf-8") as lines:
        for binding in parse_stream(lines):
            if binding.error or (binding.key is not None and binding.value is None):
                # The line itself is not shown: it may hold a secret.
                where = f"{env_file}, line {binding.original.line}"
                raise SettingsError(where, "is not of the form NAME=value")
