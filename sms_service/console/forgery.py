"""Whether a form was sent by one of our own pages: the browser says from where it comes, and the form holds a token.

The token is an HMAC keyed by the session's secret, so it ends with the session and is kept nowhere. It looks different
on every page, so that nobody learns it from the size of compressed answers (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Request

from sms_service.errors import Forbidden

FIELD = "_csrf"
_ANOTHER_SITE = "this form was not sent by a page of this service; open the page again and send it from there"


def make_form_token(session_secret: str) -> str:
    """A token for one page's forms."""
    pad = secrets.token_bytes(32)
    mixed = bytes(a ^ b for a, b in zip(pad, _key(session_secret), strict=True))
    return base64.urlsafe_b64encode(pad + mixed).decode().rstrip("=")


def require_own_page(request: Request) -> None:
    """Raises Forbidden unless the browser says that a page of this host sent the request.

    Browsers that do not send Sec-Fetch-Site (Safari before 16.4) send Origin with every POST.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        own = site == "same-origin"
    else:
        own = urlsplit(request.headers.get("Origin", "")).netloc == request.host
    if not own:
        raise Forbidden(_ANOTHER_SITE)


def require_form_token(request: Request, session_secret: str) -> None:
    """Raises Forbidden unless the form holds a token of this session."""
    try:
        given = base64.b64decode(request.form.get(FIELD, "") + "==", altchars=b"-_")
    except binascii.Error:
        raise Forbidden(_ANOTHER_SITE) from None
    pad, mixed = given[:32], given[32:]
    key = bytes(a ^ b for a, b in zip(pad, mixed, strict=False))
    if len(given) != 64 or not hmac.compare_digest(key, _key(session_secret)):
        raise Forbidden(_ANOTHER_SITE)


def _key(session_secret: str) -> bytes:
    return hmac.digest(session_secret.encode(), b"form", hashlib.sha256)
