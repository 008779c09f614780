"""`/suppressions`: phone numbers that get no texts. Numbers are sent in bodies, never in addresses, which logs keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import ValidationError, fields, validates_schema

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience import suppression, suppression_list
from sms_service.audience.covering import LONGEST_SIGNATURE, TextKind
from sms_service.audience.models import Suppression
from sms_service.directory import people
from sms_service.directory.phones import parse_phone
from sms_service.directory.text import LONGEST_WHY
from sms_service.errors import Invalid
from sms_service.vocabulary import MessageReason, TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "suppressions",
    description="The opt-out list: phone numbers that get no texts: none at all, or none of a unit and all units below "
    "it, of a class, with a signature. A lift keeps the entry, so that the history of a number can be read.",
)


class SuppressionQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    reason = fields.String(
        load_default=None,
        validate=OneOfWords(suppression.ALL_REASONS),
        metadata={"description": "Only numbers that get no texts for this reason"},
    )
    scope = fields.String(
        load_default=None,
        validate=OneOfWords(suppression_list.SCOPES),
        metadata={
            "description": "`everywhere`: only entries for every text; `unit`: only those for one unit's texts; "
            "`kind`: only those for a class of texts or a signature"
        },
    )
    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=OneOfWords(tuple(TextClass)),
        metadata={"description": "Only entries for texts of this class"},
    )
    signature = fields.String(
        load_default=None, metadata={"description": "Only entries for texts with this signature, without 【】"}
    )
    state = fields.String(
        load_default="active",
        validate=OneOfWords(suppression_list.STATES),
        metadata={"description": "`lifted`: only entries that were lifted; `all`: both"},
    )


class PhoneIn(In):
    """Whose number: exactly one of the two."""

    phone = fields.String(metadata={"description": "The number in any usual form"})
    person_id = Id(metadata={"description": "Or the person who has it"})

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("phone" in data) == ("person_id" in data):
            raise ValidationError("give either phone or person_id", "phone")


class KindIn(In):
    """Which kind of texts."""

    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=OneOfWords(tuple(TextClass)),
        metadata={"description": "Texts of this class; by default of all"},
    )
    signature = OneLine(
        LONGEST_SIGNATURE,
        load_default=None,
        metadata={"description": "Texts with this signature, without 【】; by default with any"},
    )


class SuppressionIn(PhoneIn, KindIn):
    """A number to suppress."""

    reason = fields.String(
        load_default=MessageReason.opted_out,
        validate=OneOfWords(suppression.REASONS),
        metadata={"description": "Why it gets no texts; `manual` needs a note"},
    )
    unit_id = Id(
        load_default=None,
        metadata={"description": "It gets no texts of this unit and of all units below it; by default none at all"},
    )
    note = OneLine(
        LONGEST_WHY,
        load_default=None,
        metadata={"description": "How it is known, such as when and how the person said it; write no phone numbers"},
    )


class LiftIn(In):
    """Why a number may be texted again."""

    why = OneLine(
        LONGEST_WHY,
        required=True,
        metadata={"description": "Who wants it and how that is known; goes into the trail, so no phone numbers"},
    )


class LiftPhoneIn(PhoneIn, KindIn, LiftIn):
    """A number to be texted again; unit, class and signature, each as the entry has it, tell which entry is lifted."""

    unit_id = Id(
        load_default=None,
        metadata={"description": "Lift the entry for this unit's texts; by default the one for those of all units"},
    )


class SuppressionOut(Out):
    """An entry of the opt-out list."""

    id = fields.Integer(metadata={"description": "The entry's id"})
    phone = MaskedPhone()
    reason = fields.String(metadata={"description": "Why it gets no texts"})
    unit_id = fields.Integer(
        allow_none=True,
        metadata={"description": "It holds for texts of this unit and of all units below it; null: for every text"},
    )
    class_ = fields.String(
        data_key="class", allow_none=True, metadata={"description": "It holds for texts of this class; null: of all"}
    )
    signature = fields.String(
        allow_none=True, metadata={"description": "It holds for texts with this signature; null: with any"}
    )
    source = fields.String(metadata={"description": "Where that came from: import, reply, api, gateway"})
    proof_id = fields.Integer(
        allow_none=True,
        metadata={"description": "The reply, the import, or, by source gateway, the message that it came from"},
    )
    note = MaskedText(allow_none=True, metadata={"description": "What whoever added it wrote about it"})
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account that added it; null: nobody"})
    created_at = fields.AwareDateTime(metadata={"description": "Since when"})
    confirmed_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "Of an entry that a reply made: since when a person, an import or a provider says the same; "
            "no reply narrows or lifts it any more"
        },
    )
    lifted_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was lifted; null: it holds"})
    lifted_by = fields.Integer(allow_none=True, metadata={"description": "The account that lifted it"})
    lifted_by_reply = fields.Integer(allow_none=True, metadata={"description": "The reply that lifted it"})
    lift_why = MaskedText(allow_none=True, metadata={"description": "Why it was lifted"})


class ListedSuppressionOut(SuppressionOut):
    """An entry with who has the number, within the scope."""

    unit = fields.String(allow_none=True, metadata={"description": "The name of the unit of `unit_id`"})
    person_id = fields.Integer(
        allow_none=True, metadata={"description": "The person who has the number, of several the first; null: nobody"}
    )
    name = MaskedText(allow_none=True, metadata={"description": "The person's name"})
    home_id = fields.Integer(allow_none=True, metadata={"description": "The person's unit"})
    holders = fields.Integer(metadata={"description": "How many people within the scope have the number"})


class SuppressionHistoryOut(Out):
    """All that a number ever had."""

    items = fields.List(
        fields.Nested(ListedSuppressionOut), metadata={"description": "The entries, lifted ones too, newest first"}
    )


@blueprint.route("/suppressions")
class Suppressions(MethodView):
    """The suppressed numbers."""

    @endpoint(Permission.read)
    @blueprint.arguments(SuppressionQuery, location="query")
    @blueprint.response(200, list_of(ListedSuppressionOut, "SuppressionList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the entries of the opt-out list, newest first

        These are entries of numbers that people within the scope have, and those for texts of units there. Whoever may
        read everything also finds those of numbers that nobody has.
        """
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        everything = query["unit"] is None and suppression_list.may_read_all_suppressions(g.session, g.actor)
        filters = {name: query[name] for name in ("reason", "scope", "state")}
        filters["kind"] = _kind(query)
        rows, following = fetch_page(
            g.session,
            suppression_list.find_suppressions(scope.paths, everything=everything, **filters),
            query,
            sort="created_at",
            key=Suppression.created_at,
            id_=Suppression.id,
            descending=True,
        )
        return scope.answer(describe_suppressions(rows), following)

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(SuppressionIn)
    @blueprint.response(201, SuppressionOut)
    def post(self, body: dict[str, Any]) -> Suppression:
        """Suppress a number; an entry that it has already stays as it is, confirmed if a reply made it"""
        wanted = {"unit_id": body["unit_id"], "kind": _kind(body), "note": body["note"]}
        return suppression.suppress_phone(g.session, g.actor, read_phone_of(body), body["reason"], **wanted)


@blueprint.route("/suppressions/history")
class History(MethodView):
    """What a number had."""

    @endpoint(Permission.read)
    @blueprint.arguments(PhoneIn)
    @blueprint.response(200, SuppressionHistoryOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Show all entries that a number ever had; a POST, since an address must not name a number"""
        return {"items": describe_suppressions(suppression_list.list_history(g.session, g.actor, read_phone_of(body)))}


@blueprint.route("/suppressions/lift")
class Lift(MethodView):
    """Letting a number be texted again."""

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(LiftPhoneIn)
    @blueprint.response(204)
    def post(self, body: dict[str, Any]) -> None:
        """Let a number be texted again; needs manage_directory over everybody who has it

        An entry for a unit's texts may also be lifted by whoever has manage_directory over that unit, and one with the
        reason `manual` by whoever has manage_segments over it.
        """
        suppression.lift_suppression(g.session, g.actor, read_phone_of(body), body["why"], body["unit_id"], _kind(body))


@blueprint.route("/suppressions/<int:suppression_id>")
class OneSuppression(MethodView):
    """One entry."""

    @endpoint(Permission.read)
    @blueprint.response(200, SuppressionOut)
    def get(self, suppression_id: int) -> Suppression:
        """Show an entry of the opt-out list"""
        return suppression_list.get_suppression(g.session, g.actor, suppression_id)


@blueprint.route("/suppressions/<int:suppression_id>/lift")
class LiftOne(MethodView):
    """Lifting one entry."""

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(LiftIn)
    @blueprint.response(204)
    def post(self, body: dict[str, Any], suppression_id: int) -> None:
        """Lift one entry, by the rights that `/suppressions/lift` asks for"""
        found = suppression_list.get_suppression(g.session, g.actor, suppression_id)
        suppression.lift_entry(g.session, g.actor, found, body["why"])


def describe_suppressions(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of `find_suppressions` as `ListedSuppressionOut` takes them."""
    names = SuppressionOut().fields.keys()
    own = ListedSuppressionOut().fields.keys() - names
    return [
        {**{name: getattr(row.Suppression, name) for name in names}, **{name: getattr(row, name) for name in own}}
        for row in rows
    ]


def _kind(given: dict[str, Any]) -> TextKind:
    return TextKind(given["class_"], given["signature"])


def read_phone_of(body: dict[str, Any]) -> str:
    """The phone that a `PhoneIn` means, in E.164. Raises Invalid, NotFound or Forbidden."""
    if "phone" in body:
        return parse_phone("phone", body["phone"])
    phone = people.get_person(g.session, g.actor, body["person_id"]).phone
    if phone is None:
        raise Invalid("person_id", body["person_id"], "has no phone number")
    return phone
