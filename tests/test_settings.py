"""Settings come from the environment and .env; what is wrong is one sentence with its name."""

import ipaddress
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.calls.work_hours import WorkHours
from bridge.errors import SettingsError
from bridge.settings import Settings, load_settings

SECRETS = (
    "ONEC_PASSWORD",
    "HOOK_PASSWORD",
    "HOOK_TOKEN",
    "SIPUNI_KEY",
    "SIPUNI_WS_KEY",
    "ADMIN_PASSWORD",
    "METRICS_TOKEN",
)

#: docs/contract.md, 'Settings', as a user reads it; None where it gives no default.
CONTRACT: dict[str, object] = {
    "ONEC_URL": None,
    "ONEC_USER": None,
    "ONEC_PASSWORD": None,
    "ONEC_TIMEZONE": None,
    "ONEC_TIMEOUT_S": 60,
    "ONEC_CONCURRENCY": 2,
    "ONEC_CA_FILE": None,
    "ONEC_WEB_URL": None,
    "SYNC_INTERVAL_S": 60,
    "SYNC_MAX_DUTY": 0.25,
    "SYNC_MAX_SHRINK": 0.2,
    "EXTENSION_ATTRIBUTE": "Внутренний номер",
    "HOOK_USER": None,
    "HOOK_PASSWORD": None,
    "HOOK_TOKEN": None,
    "HOOK_ALLOW": (),
    "TRUSTED_PROXIES": (),
    "SIPUNI_USER": None,
    "SIPUNI_KEY": None,
    "SIPUNI_URL": "https://sipuni.com/api",
    "SIPUNI_ANSWER": "auto",
    "SIPUNI_TIMEZONE": None,
    "SIPUNI_EVENTS": "push",
    "SIPUNI_WS_KEY": None,
    "SIPUNI_WS_URL": "wss://wss.sipuni.com/api",
    "CALL_REQUESTS": False,
    "CALL_REQUEST_MARK": "позвонить",
    "DEFAULT_EXTENSION": None,
    "DID_EXTENSIONS": {},
    "PHONE_REGION": "RU",
    "PHONE_AREA_CODE": None,
    "ROUTE_DEADLINE_MS": 700,
    "LIVE_LOOKUP": True,
    "KEEP_REMINDERS": True,
    "INTERNAL_CALLS": False,
    "ESCALATION_EXTENSION": None,
    "ESCALATE_AFTER_MIN": 60,
    "WORK_HOURS": WorkHours(),
    "SETTLE_AFTER_S": 600,
    "KEEP_DAYS": 365,
    "DATA_DIR": Path("./data"),
    "STORE": "tinydb",
    "HOST": "127.0.0.1",
    "PORT": 8000,
    "PUBLIC_URL": None,
    "ADMIN_PASSWORD": None,
    "METRICS_TOKEN": None,
    "MASK_PHONES": False,
    "AUDIT_DAYS": 365,
    "LANG": "ru",
    "LOG_FORMAT": "console",
}


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BRIDGE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def complaint(env_file: Path, **variables: str) -> str:
    """Return the message with which *variables* are refused."""
    lines = [f"BRIDGE_{name}='{value}'" for name, value in variables.items()]
    env_file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)
    return str(refused.value)


# ---------------------------------------------------------------- defaults
def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load_settings(None)

    assert {name: getattr(settings, name.lower()) for name in CONTRACT} == CONTRACT
    assert set(Settings.model_fields) == {name.lower() for name in CONTRACT}


def test_the_example_names_every_setting_with_its_default() -> None:
    example = Path(__file__).parent.parent / ".env.example"

    assert load_settings(example) == load_settings(None)
    named = re.findall(r"^BRIDGE_(\w+)=", example.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(CONTRACT)


# ---------------------------------------------------------------- where they come from
def test_the_environment_wins_over_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("BRIDGE_PORT=9000\nBRIDGE_LANG=en\n", encoding="utf-8")
    monkeypatch.setenv("BRIDGE_PORT", "9001")

    settings = load_settings(env_file)

    assert (settings.port, settings.lang) == (9001, "en")


def test_an_empty_variable_is_an_unset_one(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("BRIDGE_DEFAULT_EXTENSION=\n", encoding="utf-8")
    monkeypatch.setenv("BRIDGE_PORT", "")

    assert load_settings(env_file).port == 8000
    assert load_settings(env_file).default_extension is None


def test_comments_quotes_and_export_are_read_as_dotenv_does(env_file: Path) -> None:
    env_file.write_text(
        "# about 1C\n\nexport BRIDGE_ONEC_USER='Обмен'\nBRIDGE_LANG=en # English\n"
        'BRIDGE_ONEC_PASSWORD="a#b\'c"\nOTHER=1\n',
        encoding="utf-8",
    )

    settings = load_settings(env_file)

    assert (settings.onec_user, settings.lang) == ("Обмен", "en")
    assert settings.onec_password is not None
    assert settings.onec_password.get_secret_value() == "a#b'c"


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "nothing") == load_settings(None)


def test_lists_and_pairs_are_read(env_file: Path) -> None:
    env_file.write_text(
        "BRIDGE_HOOK_ALLOW=203.0.113.0/24, 2001:db8::/32,198.51.100.7\n"
        "BRIDGE_DID_EXTENSIONS=+7 (495) 123-45-67=100, 78121234567=200,\n"
        "BRIDGE_ONEC_URL=https://1c.example.ru/ut11/\nBRIDGE_ONEC_TIMEZONE=Europe/Moscow\n",
        encoding="utf-8",
    )

    settings = load_settings(env_file)

    assert settings.hook_allow == (
        ipaddress.ip_network("203.0.113.0/24"),
        ipaddress.ip_network("2001:db8::/32"),
        ipaddress.ip_network("198.51.100.7/32"),
    )
    assert settings.did_extensions == {"74951234567": "100", "78121234567": "200"}
    assert settings.onec_url == "https://1c.example.ru/ut11"
    assert str(settings.onec_timezone) == "Europe/Moscow"


def test_an_index_counts_as_stale_after_five_missed_runs() -> None:
    assert load_settings(None).stale_after == timedelta(minutes=10)
    assert Settings(sync_interval_s=600).stale_after == timedelta(minutes=50)


# ---------------------------------------------------------------- what is wrong
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONEC_URL", "1c.example.ru/ut11"),
        ("ONEC_URL", "ftp://1c.example.ru"),
        ("ONEC_URL", "https://"),
        ("ONEC_URL", "https://[::1/ut11"),
        ("ONEC_URL", "https://1c.example.ru:99999/ut11"),
        ("ONEC_TIMEZONE", "Moscow"),
        ("ONEC_TIMEZONE", "../../etc/passwd"),
        ("ONEC_TIMEZONE", "Europe"),
        ("ONEC_TIMEOUT_S", "a minute"),
        ("ONEC_TIMEOUT_S", "0"),
        ("ONEC_TIMEOUT_S", "nan"),
        ("ONEC_CONCURRENCY", "0"),
        ("ONEC_CONCURRENCY", "1.5"),
        ("ONEC_CA_FILE", "/no/such/file.pem"),
        ("SYNC_INTERVAL_S", "0"),
        ("SYNC_INTERVAL_S", "inf"),
        ("SYNC_MAX_DUTY", "0"),
        ("SYNC_MAX_SHRINK", "1.1"),
        ("HOOK_ALLOW", "203.0.113.0/24,everybody"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HOOK_TOKEN", "a/b"),
        ("SIPUNI_URL", "sipuni.com"),
        ("SIPUNI_ANSWER", "xml"),
        ("SIPUNI_EVENTS", "smoke"),
        ("SIPUNI_WS_URL", "https://wss.sipuni.com/api"),
        ("SIPUNI_TIMEZONE", "Moscow"),
        ("DEFAULT_EXTENSION", "Anna"),
        ("DID_EXTENSIONS", "74951234567"),
        ("DID_EXTENSIONS", "74951234567=Anna"),
        ("DID_EXTENSIONS", "=100"),
        ("PHONE_REGION", "Russia"),
        ("PHONE_AREA_CODE", "+7"),
        ("ROUTE_DEADLINE_MS", "soon"),
        ("LIVE_LOOKUP", "perhaps"),
        ("STORE", "mysql"),
        ("STORE", "postgresql://bridge:hunter2@db/bridge"),
        ("PORT", "65536"),
        ("LANG", "de"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_malformed_setting_is_one_sentence_that_names_it(
    env_file: Path, name: str, value: str
) -> None:
    message = complaint(env_file, **{name: value})

    assert message.startswith(f"BRIDGE_{name}: ")
    assert "\n" not in message
    assert "validation error" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("HOOK_USER", "HOOK_PASSWORD"),
        ("HOOK_PASSWORD", "HOOK_USER"),
        ("SIPUNI_USER", "SIPUNI_KEY"),
        ("SIPUNI_KEY", "SIPUNI_USER"),
    ],
)
def test_half_of_a_pair_names_the_other_half(env_file: Path, given: str, missing: str) -> None:
    assert complaint(env_file, **{given: "hunter2"}).startswith(f"BRIDGE_{missing}: ")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"SIPUNI_EVENTS": "websocket"}, "BRIDGE_SIPUNI_WS_KEY"),
        ({"CALL_REQUESTS": "true"}, "BRIDGE_SIPUNI_KEY"),
    ],
)
def test_what_a_setting_needs_besides_is_named(
    env_file: Path, given: dict[str, str], named: str
) -> None:
    assert named in complaint(env_file, **given)


def test_an_address_with_a_password_in_it_is_refused_without_showing_it(env_file: Path) -> None:
    message = complaint(env_file, ONEC_URL="https://bridge:hunter2@1c.example.ru/ut11")

    assert message.startswith("BRIDGE_ONEC_URL: ")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "line", ["BRIDGE_ONEC_PASSWORD: hunter2", "hunter2", "BRIDGE_LANG='hunter2", "=hunter2"]
)
def test_a_line_that_is_no_setting_is_named_by_its_number(env_file: Path, line: str) -> None:
    env_file.write_text(f"BRIDGE_PORT=9000\n{line}\n", encoding="utf-8")

    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)

    assert "line 2" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_in_another_encoding_is_named(env_file: Path) -> None:
    env_file.write_bytes("BRIDGE_ONEC_USER=Обмен".encode("cp1251"))

    with pytest.raises(SettingsError, match=r"\.env"):
        load_settings(env_file)


def test_only_the_first_of_several_mistakes_is_reported(env_file: Path) -> None:
    message = complaint(env_file, PORT="x", LANG="de")

    assert len(re.findall("BRIDGE_", message)) == 1


# ---------------------------------------------------------------- secrets
def test_secrets_show_in_no_text(env_file: Path) -> None:
    lines = [f"BRIDGE_{name}=hunter2" for name in (*SECRETS, "HOOK_USER", "SIPUNI_USER")]
    env_file.write_text("\n".join(lines).replace("USER=hunter2", "USER=pbx"), encoding="utf-8")

    settings = load_settings(env_file)

    for text in (repr(settings), str(settings), repr(settings.model_dump()), f"{settings}"):
        assert "hunter2" not in text
    assert "hunter2" not in settings.model_dump_json()


def test_a_secret_beside_a_mistake_does_not_show(env_file: Path) -> None:
    message = complaint(env_file, ONEC_PASSWORD="hunter2", HOOK_TOKEN="hunter2/", PORT="x")

    assert "hunter2" not in message


def test_settings_do_not_change() -> None:
    settings = load_settings(None)

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


# ---------------------------------------------------------------- what a command insists on
def test_reading_1c_needs_four_settings(env_file: Path) -> None:
    given: list[str] = []
    for line, missing in [
        ("", "BRIDGE_ONEC_URL"),
        ("BRIDGE_ONEC_URL=https://1c.example.ru/ut11", "BRIDGE_ONEC_USER"),
        ("BRIDGE_ONEC_USER=bridge", "BRIDGE_ONEC_PASSWORD"),
        ("BRIDGE_ONEC_PASSWORD=hunter2", "BRIDGE_ONEC_TIMEZONE"),
    ]:
        given.append(line)
        env_file.write_text("\n".join(given), encoding="utf-8")
        with pytest.raises(SettingsError) as refused:
            load_settings(env_file).require_onec()
        assert str(refused.value).startswith(f"{missing}: is missing")

    env_file.write_text("\n".join([*given, "BRIDGE_ONEC_TIMEZONE=Europe/Moscow"]), encoding="utf-8")
    load_settings(env_file).require_onec()


def test_the_hooks_need_one_secret_of_two(env_file: Path) -> None:
    with pytest.raises(SettingsError, match="BRIDGE_HOOK_TOKEN"):
        load_settings(None).require_hook()

    for lines in (
        "BRIDGE_HOOK_TOKEN=abc",
        "BRIDGE_HOOK_USER=pbx\nBRIDGE_HOOK_PASSWORD=hunter2",
    ):
        env_file.write_text(lines, encoding="utf-8")
        load_settings(env_file).require_hook()


@pytest.mark.parametrize("address", ["https://example.ru/bridge", "https://example.ru/?a=1"])
def test_a_public_address_with_a_path_is_refused_in_one_sentence(
    env_file: Path, address: str
) -> None:
    env_file.write_text(f"BRIDGE_PUBLIC_URL={address}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="BRIDGE_PUBLIC_URL: must have no path"):
        load_settings(env_file)


def test_a_public_address_may_end_in_a_slash(env_file: Path) -> None:
    env_file.write_text("BRIDGE_PUBLIC_URL=https://bridge.example.ru/\n", encoding="utf-8")
    assert load_settings(env_file).public_url == "https://bridge.example.ru"
