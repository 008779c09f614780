"""The cookies: who is logged in, in which language, and what the page after an act has to say once.

`__Host-` binds a cookie to https and to this host alone (RFC 6265bis §4.1.3). Plain http is for this machine's own
browser, or where an operator allows it (ALLOW_PLAIN_HTTP); then the cookies go without that prefix.
"""

from __future__ import annotations

import base64
import binascii
import json
from ipaddress import ip_address
from typing import Any, Literal

from flask import Response, g, request
from werkzeug.exceptions import BadRequest

from sms_service.accounts.sessions import LONGEST
from sms_service.said import Said, from_json, to_json
from sms_service.web.context import current_context

SESSION, LANGUAGE, NOTICE = "sms", "sms-language", "sms-notice"
_A_YEAR_S = 365 * 86_400
_NOTICE_S = 60


def require_safe_transport() -> None:
    """Raises BadRequest where a password would travel readable: http from elsewhere that no operator allowed."""
    if is_readable_by_others() and not current_context().settings.allow_plain_http:
        raise BadRequest(
            "Use https: over plain http others can read what you send. "
            "An operator can allow it in a closed network: ALLOW_PLAIN_HTTP=1."
        )


def is_readable_by_others() -> bool:
    """Whether the visitor came by plain http from elsewhere, as an operator allowed."""
    return not (request.is_secure or is_loopback())


def is_loopback() -> bool:
    """Whether the browser calls this service by an address of its own machine."""
    host = request.host.rpartition(":")[0] if request.host.count(":") == 1 else request.host
    host = host.strip("[]").partition("]")[0]
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_cookie(name: str) -> str | None:
    """The cookie's value, or None."""
    return request.cookies.get(_full(name))


def set_session_cookie(response: Response, secret: str) -> None:
    """Keep the session's secret in the browser, for scripts unreadable."""
    _set(response, SESSION, secret, int(LONGEST.total_seconds()), same_site="Lax")


def clear_session_cookie(response: Response) -> None:
    """Forget it."""
    _set(response, SESSION, "", 0, same_site="Lax")


def set_language_cookie(response: Response, language: str) -> None:
    """Remember the language for the log-in page."""
    _set(response, LANGUAGE, language, _A_YEAR_S, same_site="Lax")


def set_notice(response: Response, said: str) -> None:
    """Let the next page say this once. Numbers may be in it, no names, phones or texts."""
    g.setdefault(NOTICE, to_json(said))  # for whoever sends the same form again
    value = base64.urlsafe_b64encode(json.dumps(to_json(said)).encode()).decode()
    _set(response, NOTICE, value, _NOTICE_S, same_site="Strict")


def read_notice() -> Said | None:
    """What the act before this page had to say."""
    try:
        pair: Any = json.loads(base64.urlsafe_b64decode(read_cookie(NOTICE) or ""))
        return from_json(pair["message"], pair["values"])
    except (binascii.Error, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def clear_notice(response: Response) -> None:
    """It has been said."""
    if read_cookie(NOTICE) is not None:
        _set(response, NOTICE, "", 0, same_site="Strict")


def _full(name: str) -> str:
    return f"__Host-{name}" if request.is_secure else name


def _set(response: Response, name: str, value: str, seconds: int, *, same_site: Literal["Lax", "Strict"]) -> None:
    response.set_cookie(
        _full(name), value, max_age=seconds, path="/", secure=request.is_secure, httponly=True, samesite=same_site
    )
