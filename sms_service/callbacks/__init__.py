"""The door for what providers push to us: `/callbacks/<account>`. Verified first, stored next, acknowledged last.

Errors are left to the application's handlers, which answer them as RFC 9457 problems. A provider that gets anything but
204 keeps its receipt and tries again.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, abort, current_app, request
from flask.blueprints import BlueprintSetupState
from multidict import CIMultiDict
from sqlalchemy.exc import DataError, IntegrityError

from sms_service.delivery.inbox import Inbox
from sms_service.gateways.base import BadCallback, CallbackRequest, Receipt
from sms_service.wake import APPLY_RECEIPTS, Waker

LARGEST_CALLBACK = 1024 * 1024  # bytes
_INBOX, _WAKER = "sms_service.inbox", "sms_service.receipts_waker"
_TEXT_FIELDS = ("reference", "provider_id", "phone", "raw_code", "raw")

log = logging.getLogger(__name__)

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")


@blueprint.record
def _install(state: BlueprintSetupState) -> None:
    """What all threads of a process share."""
    context: Any = state.app.extensions["sms_service"]
    state.app.extensions[_INBOX] = Inbox(context.database)
    state.app.extensions[_WAKER] = Waker(context.redis, APPLY_RECEIPTS) if context.redis is not None else None


@blueprint.route("/<account>", methods=["GET", "POST"])
def receive(account: str) -> Response:
    """204 once everything pushed is stored; 404 no such account, 403 not signed by its provider, 400 not readable."""
    context: Any = current_app.extensions["sms_service"]
    adapter = context.gateways.adapter(account)
    pushed = _pushed(request, context.settings.public_url)
    # The log has the account and nothing else: what strangers send may hold anything.
    if not adapter.verify(pushed):
        log.warning("callback refused: account=%s reason=forged", account)
        abort(403, "The signature is missing or wrong.")
    try:
        receipts = adapter.parse_receipts(pushed)
        _check_storable(receipts)
    except BadCallback as error:
        log.warning("callback refused: account=%s reason=malformed: %s", account, error)
        abort(400, f"The callback cannot be read: {error}.")
    try:
        current_app.extensions[_INBOX].store(account, receipts)
    except (DataError, IntegrityError) as error:
        log.error("callback not stored: account=%s receipts=%d %s", account, len(receipts), type(error.orig).__name__)
        abort(503, "The receipts could not be stored; nothing was done.")
    if waker := current_app.extensions[_WAKER]:
        waker.wake()
    return Response(status=204)


def _pushed(request: Request, public_url: str) -> CallbackRequest:
    """The request as the provider sent it; 413 if its body is above LARGEST_CALLBACK."""
    # One byte more, because werkzeug cuts a chunked body off at the limit without a word.
    request.max_content_length = LARGEST_CALLBACK + 1
    body = request.get_data(cache=False)
    if len(body) > LARGEST_CALLBACK:
        abort(413)
    return CallbackRequest(
        method=request.method,
        public_url=public_url + _raw_target(request),
        headers=CIMultiDict(request.headers.items()),
        query=request.args.to_dict(),
        body=body,
        remote_address=request.remote_addr or "",
    )


def _raw_target(request: Request) -> str:
    """Path and query byte for byte as they were sent: signatures are over them, and decoding loses their spelling.

    gunicorn calls it RAW_URI, other servers REQUEST_URI; it may be absolute behind some proxies.
    """
    target: str = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _check_storable(receipts: list[Receipt]) -> None:
    """Raises BadCallback for a text that no PostgreSQL column takes; better said than tried again for ever."""
    for receipt in receipts:
        for name in _TEXT_FIELDS:
            text = getattr(receipt, name)
            if text is not None and ("\0" in text or any("\ud800" <= character <= "\udfff" for character in text)):
                raise BadCallback(f"{name} contains a character that is no text")
