"""Digests over what is sent and what is received, as providers want them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

Kind = Literal["md5", "sha1", "sha256", "hmac-sha1", "hmac-sha256"]
Encoding = Literal["hex", "HEX", "base64"]


def compute_digest(kind: Kind, key: bytes, message: bytes) -> bytes:
    """The digest; `key` plays a part only where it is an HMAC."""
    if kind.startswith("hmac-"):
        return hmac.digest(key, message, kind.removeprefix("hmac-"))
    # MD5 and SHA-1 are what providers ask for; that they are weak is for the provider to know.
    return hashlib.new(kind, message, usedforsecurity=False).digest()


def write_digest(value: bytes, encoding: Encoding) -> str:
    """A digest as text: hexadecimal in small or capital letters, or base64."""
    if encoding == "base64":
        return base64.b64encode(value).decode()
    return value.hex() if encoding == "hex" else value.hex().upper()
