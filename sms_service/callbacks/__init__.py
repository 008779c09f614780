"""The door for what providers push to us: `/callbacks/<account>` and all below it. Verified first, stored next,
acknowledged last.

Errors are left to the application's handlers, which answer them as RFC 9457 problems. A provider that gets anything but
the acknowledgement it expects keeps what it pushed and tries again; so one item that cannot be read refuses the whole.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, abort, current_app, request
from flask.blueprints import BlueprintSetupState
from multidict import CIMultiDict
from sqlalchemy.exc import DataError, IntegrityError

from sms_service.delivery.inbox import Inbox
from sms_service.delivery.refusals import Reason, Refusals
from sms_service.errors import NotFound
from sms_service.gateways.base import BadCallback, CallbackRequest, Replayed, Reply
from sms_service.parts import MOST_PARTS
from sms_service.replies import inbox as replies_inbox
from sms_service.wake import APPLY_RECEIPTS, APPLY_REPLIES, Waker

LARGEST_CALLBACK = 1024 * 1024  # bytes
_INBOX, _REFUSALS = "sms_service.inbox", "sms_service.refusals"
_RECEIPTS_WAKER, _REPLIES_WAKER = "sms_service.receipts_waker", "sms_service.replies_waker"
# What Python raises at JSON that is nested without end and at numbers of thousands of digits.
_UNREADABLE = (RecursionError, ValueError)

log = logging.getLogger(__name__)

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")


@blueprint.record
def _install(state: BlueprintSetupState) -> None:
    """What all threads of a process share."""
    context: Any = state.app.extensions["sms_service"]
    state.app.extensions[_INBOX] = Inbox(context.database)
    state.app.extensions[_REFUSALS] = Refusals(context.database)
    for name, job in ((_RECEIPTS_WAKER, APPLY_RECEIPTS), (_REPLIES_WAKER, APPLY_REPLIES)):
        state.app.extensions[name] = Waker(context.redis, job) if context.redis is not None else None


@blueprint.route("/<account>", methods=["GET", "POST"], defaults={"tail": ""})
@blueprint.route("/<account>/<path:tail>", methods=["GET", "POST"])
def receive(account: str, tail: str) -> Response:
    """The provider's acknowledgement once everything pushed is stored; 404 no such account, 403 not signed by its
    provider or too old, 400 not readable.
    """
    context: Any = current_app.extensions["sms_service"]
    adapter = context.gateways.adapter(account)
    pushed = _pushed(request, context.settings.public_url, tail.strip("/"))
    try:
        if not adapter.verify(pushed):
            _refuse(account, "forged", 403, "The signature is missing or wrong.")
    except Replayed:
        _refuse(account, "replayed", 403, "The callback is too old.")
    except _UNREADABLE:
        _refuse(account, "forged", 403, "The signature is missing or wrong.")
    try:
        receipts, replies = adapter.parse_receipts(pushed), adapter.parse_replies(pushed)
        _check_parts(replies)
    except BadCallback as error:
        _refuse(account, "malformed", 400, f"The callback cannot be read: {error}.", str(error))
    except _UNREADABLE as error:
        _refuse(account, "malformed", 400, "The callback cannot be read.", type(error).__name__)
    try:
        current_app.extensions[_INBOX].store(account, receipts)
        replies_inbox.store(context.database, account, replies)
    except (DataError, IntegrityError, NotFound) as error:
        reason = type(getattr(error, "orig", error)).__name__
        log.error(
            "callback not stored: account=%s receipts=%d replies=%d %s", account, len(receipts), len(replies), reason
        )
        abort(503, "The callback could not be stored; the provider has to send it again.")
    for name, stored in ((_RECEIPTS_WAKER, receipts), (_REPLIES_WAKER, replies)):
        if stored and (waker := current_app.extensions[name]):
            waker.wake()
    answer = adapter.capabilities.acknowledgement
    return Response(answer.body, status=answer.status, content_type=answer.content_type)


def _refuse(account: str, reason: Reason, status: int, answer: str, detail: str = "") -> NoReturn:
    # The log has the account and nothing else: what strangers send may hold anything.
    log.warning("callback refused: account=%s reason=%s%s", account, reason, f": {detail}" if detail else "")
    current_app.extensions[_REFUSALS].count(account, reason)
    abort(status, answer)


def _pushed(request: Request, public_url: str, path: str) -> CallbackRequest:
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
        path=path,
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


def _check_parts(replies: list[Reply]) -> None:
    """Raises BadCallback for a part that no text has. What is said otherwise is never refused for its characters or its
    length: it is mended and bounded as it is stored, or its provider would send it again for ever.
    """
    for reply in replies:
        if not 1 <= reply.part <= reply.parts <= MOST_PARTS:
            raise BadCallback(f"part {reply.part} of {reply.parts} is none")
