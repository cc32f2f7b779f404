"""Check results about the settings: what protects the hooks and pages, and the default."""

from collections.abc import Sequence

from bridge.domain.reporting.check_results import CheckResult, CheckVerdict

#: A path token shorter than this can be guessed.
_MIN_TOKEN = 16


def examine_secrets(
    *, basic: bool, token_length: int, admin_password: bool, host: str
) -> Sequence[CheckResult]:
    """Check what protects the hooks and the console."""
    results: list[CheckResult] = []
    if not basic and not token_length:
        results.append(
            CheckResult(
                "hooks",
                CheckVerdict.FAILURE,
                "no secret protects the PBX hooks; the service will not start",
                "set BRIDGE_HOOK_USER and BRIDGE_HOOK_PASSWORD, or BRIDGE_HOOK_TOKEN",
            )
        )
    elif 0 < token_length < _MIN_TOKEN:
        results.append(
            CheckResult(
                "hooks",
                CheckVerdict.WARNING,
                f"the path token has {token_length} characters and can be guessed",
                f"take at least {_MIN_TOKEN} random letters and digits for BRIDGE_HOOK_TOKEN",
            )
        )
    else:
        results.append(CheckResult("hooks", CheckVerdict.OK, "a secret protects the PBX hooks"))
    if not admin_password and host not in ("127.0.0.1", "::1", "localhost"):
        results.append(
            CheckResult(
                "console",
                CheckVerdict.WARNING,
                f"the service listens on {host} and the console has no password: "
                "it opens by one-time links alone",
                "set BRIDGE_ADMIN_PASSWORD, or make links: onec-bridge console-link",
            )
        )
    return results


def examine_fallback(*, default_extension: str | None, dids: int) -> Sequence[CheckResult]:
    """Check where callers go for whom no manager is responsible."""
    if default_extension or dids:
        return [
            CheckResult(
                "fallback", CheckVerdict.OK, "callers nobody is responsible for have a desk"
            )
        ]
    return [
        CheckResult(
            "fallback",
            CheckVerdict.WARNING,
            "a caller nobody is responsible for is left to the PBX's scheme",
            "set BRIDGE_DEFAULT_EXTENSION, or make sure the scheme's 0-branch leads to somebody",
        )
    ]
