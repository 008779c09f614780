"""The door for what providers push to us: `/callbacks/<account>` and all below it. Verified first, stored next,
acknowledged last.

Errors are left to the application's handlers, which answer them as RFC 9457 problems. A provider that gets anything but
the acknowledgement it expects keeps what it pushed and tries again; so one item that cannot be read refuses the whole.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from flask import Blueprint, Flask, Response, abort, current_app, request
from flask.blueprints import BlueprintSetupState

from sms_service.callbacks.lane import FAILED, CallbackLane
from sms_service.callbacks.taking import NotStored, Refused, Taker
from sms_service.delivery.refusals import Refusals
from sms_service.web.bodies import LARGEST_CALLBACK

__all__ = ["LARGEST_CALLBACK", "blueprint"]

_TAKER, _REFUSALS = "sms_service.taker", "sms_service.refusals"

log = logging.getLogger(__name__)

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")


@blueprint.record
def _install(state: BlueprintSetupState) -> None:
    """What all threads of a process share."""
    app: Flask = state.app  # type: ignore[assignment]
    context: Any = app.extensions["sms_service"]
    app.extensions[_TAKER] = taker = Taker(context)
    app.extensions[_REFUSALS] = Refusals(context.database)
    app.wsgi_app = CallbackLane(app.wsgi_app, taker)  # type: ignore[method-assign]


@blueprint.route("/<account>", methods=["GET", "POST"], defaults={"tail": ""})
@blueprint.route("/<account>/<path:tail>", methods=["GET", "POST"])
def receive(account: str, tail: str) -> Response:
    """The provider's acknowledgement once everything pushed is stored; 404 no such account, 403 not signed by its
    provider or too old, 400 not readable, 413 a body above LARGEST_CALLBACK.
    """
    try:
        if (failed := request.environ.get(FAILED)) is not None:
            raise failed
        taker: Taker = current_app.extensions[_TAKER]
        answer = taker.take(account, request.environ, _body(), tail.strip("/"))
    except Refused as refused:
        _refuse(account, refused)
    except NotStored as error:
        log.error("a callback is not stored; the provider has to send it again: %s", error)
        abort(503, "The callback could not be stored; the provider has to send it again.")
    return Response(answer.body, status=answer.status, content_type=answer.content_type)


def _refuse(account: str, refused: Refused) -> NoReturn:
    # The log gets the account and nothing else: what strangers send may hold anything.
    current_app.extensions[_REFUSALS].count(account, refused.reason, refused.detail)
    abort(refused.status, refused.answer)


def _body() -> bytes:
    # One byte more, because werkzeug cuts a chunked body off at the limit without a word.
    request.max_content_length = LARGEST_CALLBACK + 1
    body = request.get_data(cache=False)
    if len(body) > LARGEST_CALLBACK:
        abort(413)
    return body
