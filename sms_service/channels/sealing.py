"""Addresses and secrets of channels as they lie in the database: sealed with a key that is not there.

A robot's address has its key in it, so both are secrets. Officers add their own groups' robots, by the hundred; so the
two are sealed and stored, and no operator has to write each into a file. Fernet of the library `cryptography` encrypts
(AES-128-CBC) and proves (HMAC-SHA256); its key comes from the setting CHANNELS_KEY. A new first key seals from then on,
and the older ones still open.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sms_service.errors import Conflict


class CannotOpen(Exception):
    """What is stored was sealed with another key."""


class Sealed(NamedTuple):
    """Where a channel posts to, and the secret that signs its posts."""

    address: str
    secret: str | None


class Sealer:
    """Seals and opens with the keys of the setting CHANNELS_KEY."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]

    def seal(self, content: Sealed) -> bytes:
        """What may lie in the database. Raises Conflict if the installation has no key."""
        if not self._keys:
            raise Conflict("this installation has no CHANNELS_KEY, so no address can be kept; its operator sets one")
        return MultiFernet(self._keys).encrypt(json.dumps(content).encode())

    def open(self, stored: bytes) -> Sealed:
        """What was sealed. Raises CannotOpen."""
        try:
            return Sealed(*json.loads(MultiFernet(self._keys).decrypt(stored))) if self._keys else _fail()
        except InvalidToken:
            raise CannotOpen from None


def _fail() -> Sealed:
    raise CannotOpen


def digest_address(address: str) -> bytes:
    """By which the same robot is known again. A robot's address has a long random key, so the digest tells nothing."""
    return hashlib.sha256(address.encode()).digest()
