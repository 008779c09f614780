"""Digests over what is sent and what is received, as providers want them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

Kind = Literal["md5", "sha1", "sha256", "hmac-sha1", "hmac-sha256"]
Encoding = Literal["hex", "HEX", "base64"]


def compute_digest(kind: Kind, key: bytes, message: bytes) -> bytes:
    """The digest; `key` is used only for an HMAC."""
    if kind.startswith("hmac-"):
        return hmac.digest(key, message, kind.removeprefix("hmac-"))
    # MD5 and SHA-1 are weak, but some providers demand them.
    return hashlib.new(kind, message, usedforsecurity=False).digest()


def write_digest(value: bytes, encoding: Encoding) -> str:
    """A digest as text: hexadecimal in lower or upper case, or base64."""
    if encoding == "base64":
        return base64.b64encode(value).decode()
    return value.hex() if encoding == "hex" else value.hex().upper()
