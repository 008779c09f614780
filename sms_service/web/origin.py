"""Where a request came from, for what it writes into the trail."""

from __future__ import annotations

from ipaddress import ip_address

from flask import Flask, g, request

from sms_service.audit.origin import come_from

UNKNOWN = "unknown"  # such as a server in front that names no address


def register_origin(app: Flask) -> None:
    """Acts of every request to `app` come from the caller's address."""
    app.before_request(_begin)
    app.teardown_request(_end)


def _begin() -> None:
    g.origin = come_from(_address())
    g.origin.__enter__()


def _end(_error: BaseException | None) -> None:
    if (origin := g.pop("origin", None)) is not None:
        origin.__exit__(None, None, None)


def _address() -> str:
    """The address itself: a proxy may have put any words in its place."""
    try:
        return ip_address((request.remote_addr or "").partition("%")[0]).compressed
    except ValueError:
        return UNKNOWN
