"""The signature that proves that the simulator sent a callback: over the time of sending and the body."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from sms_service.gateways.base import Replayed

SIGNATURE_HEADER = "X-Simulator-Signature"
TIMESTAMP_HEADER = "X-Simulator-Timestamp"
OLDEST_S = 300  # seconds; the simulator signs anew at each try, so an older callback was recorded by somebody

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a callback: hexadecimal HMAC-SHA256 of the timestamp, a line feed and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def signature_headers(secret: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of a callback that is sent at `now`, in seconds since 1970."""
    timestamp = str(int(now))
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, body)}


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a holder of the secret made this callback. Raises Replayed if it is genuine and older than OLDEST_S."""
    timestamp, given = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    if not hmac.compare_digest(sign(secret, timestamp, body).encode(), given.encode("utf-8", "replace")):
        return False
    if now - int(timestamp) > OLDEST_S:
        raise Replayed(f"the callback was signed more than {OLDEST_S} s ago")
    return True
