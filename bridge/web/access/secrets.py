"""Secrets as they are compared: in constant time, plain ones as digests, a password as its hash.

A refusal never shows what was wrong with them.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple, Self

_PREFIX: Final = "scrypt"

#: Time and memory of one guess: 16 MiB, about 0.2 s (OWASP's password storage cheat sheet).
_COST, _BLOCK, _PARALLEL = 2**14, 8, 5
_SALT_BYTES, _HASH_BYTES = 16, 32
_MOST_MEMORY = 256 * 1024 * 1024


class Secret:
    """Something to be matched in constant time, whatever the lengths."""

    def __init__(self, secret: str) -> None:
        self._digest = hashlib.sha256(secret.encode()).digest()

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """Return the secret of these bytes, which need be no text."""
        made = cls("")
        made._digest = hashlib.sha256(secret).digest()
        return made

    def matches(self, offered: bytes) -> bool:
        """Return whether *offered* is the secret."""
        return hmac.compare_digest(hashlib.sha256(offered).digest(), self._digest)


class PasswordHash(NamedTuple):
    """A password's scrypt hash, written `scrypt:N:r:p:salt:hash`: no quotes are needed."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    digest: bytes

    @classmethod
    def create(cls, password: str) -> "PasswordHash":
        """Hash *password* with a new salt."""
        salt = secrets.token_bytes(_SALT_BYTES)
        blank = cls(_COST, _BLOCK, _PARALLEL, salt, bytes(_HASH_BYTES))
        return blank._replace(digest=blank._derive(password.encode()))

    @classmethod
    def parse(cls, text: str) -> "PasswordHash":
        """Read what `str()` wrote; raises ValueError for anything else."""
        parts = text.split(":")
        if len(parts) != len(cls._fields) + 1 or parts[0] != _PREFIX:
            raise ValueError("is not of the form scrypt:N:r:p:salt:hash")
        try:
            cost, block, parallel = (int(part) for part in parts[1:4])
            salt, digest = (urlsafe_b64decode(part) for part in parts[4:])
            made = cls(cost, block, parallel, salt, digest)
            made._derive(b"")  # bad parameters show here, not at the first sign-in
        except ValueError as error:
            raise ValueError(f"is a scrypt hash that cannot be used: {error}") from error
        return made

    def matches(self, offered: bytes) -> bool:
        """Return whether *offered* is the password; takes its time, so not on the event loop."""
        return hmac.compare_digest(self._derive(offered), self.digest)

    def _derive(self, password: bytes) -> bytes:
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=self.cost,
            r=self.block,
            p=self.parallel,
            maxmem=_MOST_MEMORY,
            dklen=max(len(self.digest), 1),
        )

    def __str__(self) -> str:
        salt, digest = (urlsafe_b64encode(part).decode() for part in (self.salt, self.digest))
        return f"{_PREFIX}:{self.cost}:{self.block}:{self.parallel}:{salt}:{digest}"

    def __repr__(self) -> str:
        return "PasswordHash(…)"


def is_password_hash(setting: str) -> bool:
    """Return whether a password in the settings is meant as a hash."""
    return setting.startswith(f"{_PREFIX}:")


def basic_credentials(header: bytes) -> bytes | None:
    """Read `user:password` from an Authorization header; None when it holds none."""
    value = _credentials(header, b"basic")
    if value is None:
        return None
    try:
        return b64decode(value, validate=True)
    except ValueError:
        return None


def bearer_token(header: bytes) -> bytes | None:
    """Read the token from an Authorization header; None when it holds none."""
    return _credentials(header, b"bearer")


def offered_password(header: bytes) -> bytes | None:
    """Read the password from an Authorization header, Basic with any user or Bearer."""
    bearer = bearer_token(header)
    if bearer is not None:
        return bearer
    basic = basic_credentials(header)
    return None if basic is None else basic.partition(b":")[2]


def _credentials(header: bytes, scheme: bytes) -> bytes | None:
    name, _, value = header.partition(b" ")
    return value.strip() if name.lower() == scheme else None
