"""One's own phone, and of what one is told there; both stand on one's own page."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.console.forms import read_form
from sms_service.console.me import show_me
from sms_service.console.pages import NO_ROLE, act_view, go_to
from sms_service.own_texts import phones, pushing
from sms_service.own_texts.models import PushWay
from sms_service.reports.tasks import TaskKind
from sms_service.said import as_said
from sms_service.web import limits
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import dispatch_after_commit


class PhoneForm(In):
    """The number."""

    phone = fields.String(required=True)


class CodeForm(In):
    """What came as a text."""

    code = fields.String(required=True)


class PushForm(In):
    """How one is told, and of what."""

    way = fields.String(required=True, validate=OneOfWords([*PushWay]))
    kinds = fields.List(fields.String(validate=OneOfWords([*TaskKind])), load_default=list)
    channel_id = Id(load_default=None)


@act_view("/me/phone", NO_ROLE, again=show_me)
def say_own_phone() -> Response:
    """A code goes to the number."""
    phones.send_code(g.session, g.actor, random_bytes=current_context().random_bytes, **read_form(PhoneForm))
    dispatch_after_commit()
    return go_to("console.show_me", said=as_said("A code is on its way to your phone."), _anchor="phone")


@act_view("/me/phone/confirm", NO_ROLE, again=show_me)
def confirm_phone() -> Response:
    """The code says that the phone is one's own."""
    with limits.guesses_counted(limits.REFUSED_CHANGES_A_CALLER, f"code:{g.actor.account_id}"):
        phones.confirm_own_phone(current_context().database, g.session, g.actor, **read_form(CodeForm))
    return go_to("console.show_me", said=as_said("Your phone is confirmed."), _anchor="phone")


@act_view("/me/phone/end", NO_ROLE)
def end_phone_on_page() -> Response:
    """Nothing goes there any more."""
    phones.end_own_phone(g.session, g.actor)
    return go_to("console.show_me", said=as_said("Nothing goes to that phone any more."), _anchor="phone")


@act_view("/me/pushes", NO_ROLE, again=show_me)
def choose_pushes() -> Response:
    """Of which tasks one is told, and how."""
    form: dict[str, Any] = read_form(PushForm)
    way, kinds = PushWay(form["way"]), [TaskKind(kind) for kind in form["kinds"]]
    channel_id = form["channel_id"] if way == PushWay.webhook else None
    pushing.set_pushes(g.session, g.actor, way, kinds, channel_id)
    return go_to("console.show_me", said=as_said("Your settings are kept."), _anchor="pushes")
