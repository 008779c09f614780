"""A form acts once: its hidden key is reserved in the act's own transaction, so the second of two gets the first's end.

It is the API's Idempotency-Key in a form: a double click, the back button and a connection that was lost do nothing
twice.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable

from flask import Response, g, request
from sqlalchemy.orm import Session

from sms_service.accounts.actors import RecordingActor, require_again
from sms_service.accounts.models import StoredResponse
from sms_service.accounts.stored_responses import keep_response, reserve_response
from sms_service.console.cookies import NOTICE, set_notice
from sms_service.console.forgery import FIELD as TOKEN
from sms_service.errors import Invalid, ServiceError
from sms_service.said import as_said, from_json
from sms_service.web.idempotency import form_digest

FIELD = "_once"
OWN_FIELDS = {FIELD, TOKEN, "_login", "_password"}  # of the form itself, not of what it is about
_KEY = re.compile(r"[A-Za-z0-9_-]{22}")
_ASKED, _SAID = "asked", "said"
INSTEAD = "instead"  # in `g`: where the same form leads that is sent again, of an act that shows something only once


class AlreadySent(ServiceError):
    """This form was sent before with other content; `location` is where that one led."""

    def __init__(self, location: str | None) -> None:
        super().__init__(as_said("this form has been sent already; what you changed since then was not done"))
        self.location = location


def make_key() -> str:
    """The key of a new form; a form that is shown again because of an error keeps its key."""
    kept = g.get("submitted", {}).get(FIELD, "")
    return kept if _KEY.fullmatch(kept) else secrets.token_urlsafe(16)


def act_once(session: Session, actor: RecordingActor, act: Callable[[], Response]) -> Response:
    """What `act()` gives, or where that form was sent before, where it led then.

    Raises Invalid (no usable key), Conflict (the first is still at work), AlreadySent or Forbidden (the actor may no
    longer see what the first led to).
    """
    assert actor.account_id is not None
    key = request.form.get(FIELD, "")
    if not _KEY.fullmatch(key):
        raise Invalid(FIELD, None, "is missing; open the page again and send its form")
    key = f"console:{key}"
    try:
        stored = reserve_response(session, actor.account_id, key, form_digest(request, OWN_FIELDS))
    except Invalid:
        first = session.get(StoredResponse, (actor.account_id, key))
        raise AlreadySent(first.headers.get("Location") if first else None) from None
    if stored is not None:
        headers = dict(stored.headers)
        require_again(session, actor, json.loads(headers.pop(_ASKED, "[]")))
        said = headers.pop(_SAID, None)
        response = Response(status=stored.status, headers=headers)
        if said is not None:
            set_notice(response, from_json(**json.loads(said)))
        return response
    response = act()
    location = response.headers.get("Location") or g.get(INSTEAD)
    headers = {"Location": location, _ASKED: json.dumps(sorted(actor.asked))}
    if g.get(NOTICE) is not None:
        headers[_SAID] = json.dumps(g.get(NOTICE))
    keep_response(session, actor.account_id, key, 303, headers, b"")
    return response
