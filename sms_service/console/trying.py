"""发一条给自己: a text that one sees goes to one's own phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, g, request
from werkzeug.datastructures import MultiDict

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form
from sms_service.console.once import FIELD
from sms_service.console.pages import act_view, go_to, show_once
from sms_service.content.compose import Composed
from sms_service.directory.models import Unit
from sms_service.errors import Conflict
from sms_service.own_texts import trying
from sms_service.own_texts.sending import Sender, find_route
from sms_service.said import as_said
from sms_service.web.schemas import Id, In
from sms_service.web.waking import dispatch_after_commit


class TryForm(In):
    """As whom the text is made, and of a schedule which one: by default the one that goes next."""

    person_id = Id(load_default=None)
    item = Id(load_default=None)


@act_view("/campaigns/<int:campaign_id>/try", Permission.try_texts)
def try_one_campaign(campaign_id: int) -> Response:
    """Send the text as this person would get it to oneself; it leads to what becomes of it."""
    sent = trying.try_campaign(g.session, g.actor, campaign_id, **read_form(TryForm))
    dispatch_after_commit()
    return go_to("console.show_message", said=as_said("It is on its way to your phone."), message_id=sent.message_id)


def try_text(unit_id: int, class_: str, signature: str, text: Composed, sample_id: int | None) -> trying.SelfTest:
    """Send a text that a page has made to oneself, in the name of the unit. Raises Forbidden or Conflict."""
    sender = Sender(g.session.get_one(Unit, unit_id), signature, find_route(g.session))
    return trying.send_test_text(g.session, g.actor, sender, class_, text, trying.TestSource(sample_id=sample_id))


def show_tried(
    page: Callable[[], Any], send: Callable[[], trying.SelfTest | None], endpoint: str, **at: Any
) -> Response:
    """The page with its form and all that was typed, and above it what became of the text: `send` gives None where
    there is none to send. The form can be sent on; the same one sent again leads to the text, or back to `endpoint`.
    """
    g.submitted = MultiDict(request.form)
    g.submitted.pop(FIELD, None)  # the form that is shown has a key of its own
    try:
        g.tried = send()
    except Conflict as error:
        g.tried_fault = error.said
    shown = page()
    if g.get("tried") is None:
        return show_once(shown, endpoint, **at)
    dispatch_after_commit()
    return show_once(shown, "console.show_message", message_id=g.tried.message_id)
