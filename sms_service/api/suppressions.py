"""`/suppressions`: phone numbers that get no texts. Numbers are sent in bodies, never in addresses, which logs keep."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import ValidationError, fields, validates_schema

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience import suppression
from sms_service.audience.models import Suppression
from sms_service.directory import people
from sms_service.directory.models import Person
from sms_service.directory.phones import parse_phone
from sms_service.directory.text import LONGEST_WHY
from sms_service.errors import Invalid
from sms_service.vocabulary import MessageReason
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "suppressions", description="Phone numbers that get no texts, whoever sends them. An opt-out holds city-wide."
)


class SuppressionQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    reason = fields.String(
        load_default=None,
        validate=OneOfWords(suppression.ALL_REASONS),
        metadata={"description": "Only numbers that get no texts for this reason"},
    )


class PhoneIn(In):
    """Whose number: exactly one of the two."""

    phone = fields.String(metadata={"description": "The number in any usual form"})
    person_id = Id(metadata={"description": "Or the person who has it"})

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("phone" in data) == ("person_id" in data):
            raise ValidationError("give either phone or person_id", "phone")


class SuppressionIn(PhoneIn):
    """A number to suppress."""

    reason = fields.String(
        load_default=MessageReason.opted_out,
        validate=OneOfWords(suppression.REASONS),
        metadata={"description": "Why it gets no texts"},
    )


class LiftIn(PhoneIn):
    """A number to be texted again."""

    why = OneLine(
        LONGEST_WHY,
        required=True,
        metadata={"description": "Who wants it and how that is known; goes into the trail, so no phone numbers"},
    )


class SuppressionOut(Out):
    """A suppressed number."""

    phone = MaskedPhone()
    reason = fields.String(metadata={"description": "Why it gets no texts"})
    source = fields.String(metadata={"description": "Where that came from: import, reply, api"})
    created_at = fields.AwareDateTime(metadata={"description": "Since when"})


class SuppressedPersonOut(SuppressionOut):
    """Somebody whose number is suppressed."""

    person_id = fields.Integer(attribute="Person.id", metadata={"description": "The person"})
    name = MaskedText(attribute="Person.name", metadata={"description": "The person's name"})
    unit_id = fields.Integer(attribute="Person.unit_id", metadata={"description": "The person's unit"})


@blueprint.route("/suppressions")
class Suppressions(MethodView):
    """The suppressed numbers."""

    @endpoint(Permission.read)
    @blueprint.arguments(SuppressionQuery, location="query")
    @blueprint.response(200, list_of(SuppressedPersonOut, "SuppressionList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List people whose number is suppressed, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        rows, following = fetch_page(
            g.session,
            suppression.find_suppressed(scope.paths, reason=query["reason"]),
            query,
            sort="created_at",
            key=Suppression.created_at,
            id_=Person.id,
            descending=True,
        )
        return scope.answer([row._mapping for row in rows], following)

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(SuppressionIn)
    @blueprint.response(201, SuppressionOut)
    def post(self, body: dict[str, Any]) -> Suppression:
        """Suppress a number; one that is suppressed already stays as it is"""
        return suppression.suppress_phone(g.session, g.actor, _phone(body), body["reason"])


@blueprint.route("/suppressions/lift")
class Lift(MethodView):
    """Letting a number be texted again."""

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(LiftIn)
    @blueprint.response(204)
    def post(self, body: dict[str, Any]) -> None:
        """Let a number be texted again; needs manage_directory over everybody who has it"""
        suppression.lift_suppression(g.session, g.actor, _phone(body), body["why"])


def _phone(body: dict[str, Any]) -> str:
    if "phone" in body:
        return parse_phone("phone", body["phone"])
    phone = people.get_person(g.session, g.actor, body["person_id"]).phone
    if phone is None:
        raise Invalid("person_id", body["person_id"], "has no phone number")
    return phone
