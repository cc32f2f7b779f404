"""Signs requests, both ways: over the exact text of the `json` field.

docs/facts/mango.md, 'Transport' and 'Signature checks'.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes, urlencode

#: A form has three fields; a request with hundreds is of no client of this API.
MAX_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class MangoForm:
    """The three fields of a request, as bytes: the signature is over the text as it was sent."""

    key: bytes
    sign: bytes
    json_text: bytes

    def is_signed(self, salt: str) -> bool:
        """Return whether the signature is right for the form's own key and text."""
        right = _sha256(self.key, self.json_text, salt.encode())
        return hmac.compare_digest(self.sign, right.encode())


def sign_json(key: str, json_text: str, salt: str) -> str:
    """Return the signature of *json_text*, which must be sent exactly as it is."""
    return _sha256(key.encode(), json_text.encode(), salt.encode())


def sign_recording_link(key: str, timestamp: int, recording_id: str, salt: str) -> str:
    """Return the signature of a recording's link, which is valid until *timestamp*."""
    return _sha256(key.encode(), str(timestamp).encode(), recording_id.encode(), salt.encode())


def encode_form(key: str, sign: str, json_text: str) -> bytes:
    """Return the body of a request to or from the cabinet."""
    return urlencode({"vpbx_api_key": key, "sign": sign, "json": json_text}).encode("ascii")


def decode_form(body: bytes) -> MangoForm | None:
    """Return the form's fields, decoded once; None where one is missing or stands twice."""
    parts = body.split(b"&", MAX_FIELDS)
    pairs = [part.replace(b"+", b" ").partition(b"=") for part in parts]
    fields = {unquote_to_bytes(name): unquote_to_bytes(value) for name, _, value in pairs}
    if len(fields) != len(pairs) or not {b"vpbx_api_key", b"sign", b"json"} <= fields.keys():
        return None
    return MangoForm(fields[b"vpbx_api_key"], fields[b"sign"], fields[b"json"])


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
