"""`/me/phone` and `/test-texts`: the caller's own phone, and what is sent to it to be tried."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import Own, endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.templates import BODY, CLASS
from sms_service.audience.reach import is_dotted
from sms_service.directory.models import Unit
from sms_service.directory.people import get_person
from sms_service.errors import Invalid
from sms_service.own_texts import phones, trying
from sms_service.vocabulary import TextClass
from sms_service.web import limits
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import dispatch_after_commit

blueprint = Blueprint("own texts", description="Texts to oneself: the own phone, and texts that are tried on it.")


class OwnPhoneIn(In):
    """The number that the caller says is their own."""

    phone = fields.String(required=True, metadata={"description": "A mobile number, such as 13800000000"})


class CodeIn(In):
    """What came as a text."""

    code = fields.String(required=True, metadata={"description": "The six digits of the last text with a code"})


class OwnPhoneOut(Out):
    """The caller's own phone as it stands."""

    phone = MaskedPhone(allow_none=True)
    person_id = fields.Integer(
        allow_none=True, metadata={"description": "Under which number rows of the ledger name it; null without a phone"}
    )
    confirmed_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When a code confirmed it; null: only codes go there"}
    )
    code_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Until when the code is good that waits; null if none does"}
    )


class TestTextIn(In):
    """Either the campaign whose text is tried, or a text that is not saved yet."""

    campaign_id = Id(load_default=None, metadata={"description": "The campaign whose text is tried; nothing but this"})
    item = Id(
        load_default=None,
        metadata={
            "description": "With `campaign_id` of a campaign with a schedule: the number of the item whose text is "
            "tried; by default the one that goes next"
        },
    )
    person_id = Id(
        load_default=None,
        metadata={
            "description": "For whom the text is made: with `campaign_id` one of those on whom its check tries it, by "
            "default who gets the shortest; else anybody whom the caller may read"
        },
    )
    unit_id = Id(load_default=None, metadata={"description": "In whose name a text goes that is not saved yet"})
    class_ = fields.String(
        data_key="class", load_default=None, validate=OneOfWords(list(TextClass)), metadata={"description": CLASS}
    )
    body = fields.String(load_default=None, metadata={"description": BODY})
    signature = fields.String(
        load_default=None,
        metadata={"description": "Stands in front as 【signature】: 2 to 16 characters, written without brackets"},
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=None,
        metadata={"description": "The campaign's values, the same for all: texts, numbers or lists by variable"},
    )


class TestTextOut(Out):
    """A text that is on its way to the caller's own phone."""

    run_id = fields.Integer(metadata={"description": "Its run, of kind `test`"})
    message_id = fields.Integer(metadata={"description": "Its row in the ledger, which says what became of it"})
    phone = MaskedPhone()
    text = MaskedText(metadata={"description": "What it says; phone numbers in it are masked"})
    parts = fields.Integer(metadata={"description": "How many SMS it takes"})


@blueprint.route("/me/phone")
class MyPhone(MethodView):
    """The caller's own phone."""

    @endpoint(Own.account)
    @blueprint.response(200, OwnPhoneOut)
    def get(self) -> Any:
        """Show the own phone"""
        return _shown()

    @endpoint(Own.account)
    @blueprint.arguments(OwnPhoneIn)
    @blueprint.response(200, OwnPhoneOut)
    def put(self, body: dict[str, Any]) -> Any:
        """Say which phone is one's own; a code goes there, and nothing else before it is confirmed

        Another phone that one had ends by this. Of each account five codes go in 24 hours, to each phone three.
        """
        phones.send_code(g.session, g.actor, body["phone"], current_context().random_bytes)
        dispatch_after_commit()
        return _shown()

    @endpoint(Own.account)
    @blueprint.response(204)
    def delete(self) -> None:
        """End it: nothing goes there any more, and the number is erased soon"""
        phones.end_own_phone(g.session, g.actor)


@blueprint.route("/me/phone/confirm")
class MyPhoneConfirmed(MethodView):
    """Its confirmation."""

    @endpoint(Own.account)
    @blueprint.arguments(CodeIn)
    @blueprint.response(200, OwnPhoneOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Confirm the own phone by the code that came as a text; each code may be tried five times"""
        with limits.guesses_counted(limits.REFUSED_CHANGES_A_CALLER, f"code:{g.actor.account_id}"):
            phones.confirm_own_phone(current_context().database, g.session, g.actor, body["code"])
        return _shown()


@blueprint.route("/test-texts")
class TestTexts(MethodView):
    """Texts that are tried on oneself."""

    @endpoint(Permission.try_texts)
    @blueprint.arguments(TestTextIn)
    @blueprint.response(201, TestTextOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Send what others would get to the own confirmed phone; it needs no approval

        Who writes or approves texts of the unit may do so, 20 times in 24 hours. Suppression, window and stops hold.
        """
        unsaved = ("unit_id", "class_", "body", "signature")
        if body["campaign_id"] is not None:
            for name in (*unsaved, "values"):
                if body[name] is not None:
                    raise Invalid(name.strip("_"), None, "belongs to a text that is not saved; leave it out")
            sent = trying.try_campaign(g.session, g.actor, body["campaign_id"], body["person_id"], body["item"])
        else:
            if body["item"] is not None:
                raise Invalid("item", body["item"], "belongs to a campaign: name that, too")
            for name in unsaved:
                if body[name] is None:
                    raise Invalid(name.strip("_"), None, "is missing: name a campaign, or give a whole text")
            sent = trying.try_unsaved_text(
                g.session,
                g.actor,
                own=_own_values(body["person_id"]),
                sample_id=body["person_id"],
                **{name: body[name] for name in unsaved},
                values=body["values"] or {},
            )
        dispatch_after_commit()
        return sent


def _own_values(person_id: int | None) -> dict[str, Any] | None:
    """What a text has of a person whom the caller may read."""
    if person_id is None:
        return None
    person = get_person(g.session, g.actor, person_id)
    unit = g.session.get_one(Unit, person.unit_id)
    attributes = {name: value for name, value in person.attributes.items() if not is_dotted(name)}
    own = {**attributes, "name": person.name, "unit": unit.name, "number": person.number}
    return {name: value for name, value in own.items() if value is not None}


def _shown() -> dict[str, Any]:
    known = phones.find_own_phone(g.session, g.actor.account_id)
    names = ("phone", "person_id", "confirmed_at", "code_until")
    return {name: getattr(known, name, None) for name in names}
