"""Where a publication of 1C is, who asks it, and how its certificate is checked."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from bridge.errors import SettingsError

_SERVICE_PATH: Final = "/odata/standard.odata"

#: The default size limit of one answer, decoded: a listing has about a hundred bytes a row, so
#: two and a half million rows fit.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ODataConfig:
    """Where the publication is and who asks; *url* with or without `/odata/standard.odata`.

    *timeout_s* is the longest silence of one request: 1C may need 30 s after idling.
    *reuse_sessions* is for many reads in a row: they share sessions of 1C where the publication
    allows it.
    """

    url: str
    user: str
    password: str = field(repr=False)
    timeout_s: float = 60.0
    concurrency: int = 2
    ca_file: Path | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES
    reuse_sessions: bool = False

    @property
    def root(self) -> str:
        """Return the address of the service root without a final slash."""
        bare = self.url.rstrip("/")
        return bare if bare.endswith(_SERVICE_PATH) else bare + _SERVICE_PATH


def ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the TLS settings that also trust the certificates in *ca_file*.

    Raises:
        SettingsError: *ca_file* cannot be read.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError("BRIDGE_ONEC_CA_FILE", f"cannot be read: {error}") from error
    return context
