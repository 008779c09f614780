"""One callback taken: verified first, stored next; the caller acknowledges last."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from multidict import CIMultiDict
from sqlalchemy.exc import DataError, IntegrityError

from sms_service.delivery.refusals import Reason
from sms_service.errors import NotFound
from sms_service.gateways.base import Acknowledgement, Adapter, BadCallback, CallbackRequest, Receipt, Replayed, Reply
from sms_service.inbound import Inbound
from sms_service.wake import APPLY_RECEIPTS, APPLY_REPLIES, Waker

# What Python raises at JSON that is nested without end and at numbers of thousands of digits.
_UNREADABLE = (RecursionError, ValueError)


class Refused(Exception):
    """A callback that is not taken: why, the status and words of the answer, and what more the log may say."""

    def __init__(self, reason: Reason, status: int, answer: str, detail: str = "") -> None:
        super().__init__(answer)
        self.reason, self.status, self.answer, self.detail = reason, status, answer, detail


class NotStored(Exception):
    """A callback that is good and that the database does not take."""


class Taker:
    """What all threads of a process share that take callbacks; `context` is the application's."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._inbound = Inbound(context.database)
        redis = context.redis
        self._receipts_waker, self._replies_waker = (
            None if redis is None else Waker(redis, job) for job in (APPLY_RECEIPTS, APPLY_REPLIES)
        )

    def take(self, account: str, environ: dict[str, Any], body: bytes, path: str) -> Acknowledgement:
        """Store what was pushed; how to acknowledge it. `path`: what follows the account in the address.

        Raises NotFound for an account that gateways.toml does not have, Refused, NotStored, and DBAPIError while the
        database is away.
        """
        adapter: Adapter = self._context.gateways.adapter(account)
        pushed = _pushed(environ, body, self._context.settings.public_url, path)
        receipts, replies = _read(adapter, pushed)
        try:
            self._inbound.keep(account, receipts, replies)
        except (DataError, IntegrityError, NotFound) as error:
            reason = type(getattr(error, "orig", error)).__name__
            raise NotStored(f"account={account} receipts={len(receipts)} replies={len(replies)} {reason}") from error
        for waker, stored in ((self._receipts_waker, receipts), (self._replies_waker, replies)):
            if waker is not None and stored:
                waker.wake()
        return adapter.capabilities.acknowledgement


def _read(adapter: Adapter, pushed: CallbackRequest) -> tuple[list[Receipt], list[Reply]]:
    """What is in a callback that its provider signed. Raises Refused."""
    forged = "The signature is missing or wrong."
    try:
        if not adapter.verify(pushed):
            raise Refused("forged", 403, forged)
    except Replayed:
        raise Refused("replayed", 403, "The callback is too old.") from None
    except _UNREADABLE:
        raise Refused("forged", 403, forged) from None
    try:
        receipts, replies = adapter.parse_receipts(pushed), adapter.parse_replies(pushed)
    except BadCallback as error:
        raise Refused("malformed", 400, f"The callback cannot be read: {error}.", str(error)) from None
    except _UNREADABLE as error:
        raise Refused("malformed", 400, "The callback cannot be read.", type(error).__name__) from None
    return receipts, replies


def _pushed(environ: dict[str, Any], body: bytes, public_url: str, path: str) -> CallbackRequest:
    """The request as the provider sent it."""
    query: dict[str, str] = {}
    if environ.get("QUERY_STRING"):
        for name, value in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, errors="replace"):
            query.setdefault(name, value)
    headers = [
        (name[5:].replace("_", "-").title(), value) for name, value in environ.items() if name.startswith("HTTP_")
    ]
    headers += [
        (header, environ[name])
        for name, header in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length"))
        if environ.get(name)
    ]
    return CallbackRequest(
        method=environ["REQUEST_METHOD"],
        public_url=public_url + _raw_target(environ),
        headers=CIMultiDict(headers),
        query=query,
        body=body,
        remote_address=environ.get("REMOTE_ADDR") or "",
        path=path,
    )


def _raw_target(environ: dict[str, Any]) -> str:
    """Path and query byte for byte as they were sent: signatures are over them, and decoding loses their spelling.

    gunicorn calls it RAW_URI, other servers REQUEST_URI; it may be absolute behind some proxies.
    """
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or _full_path(environ)
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _full_path(environ: dict[str, Any]) -> str:
    query = environ.get("QUERY_STRING")
    path: str = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return f"{path}?{query}" if query else path
