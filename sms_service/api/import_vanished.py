"""`/imports/…/complete` and `/imports/…/vanished`: who is missing from a file that is said to name everybody."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.import_shapes import ImportOut
from sms_service.directory import completeness, importing, vanished
from sms_service.directory.import_models import Import
from sms_service.directory.models import Person, Unit
from sms_service.masking import mask_text
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, WhyIn, list_of
from sms_service.web.validators import ListLength
from sms_service.web.waking import import_after_commit

blueprint = Blueprint(
    "vanished",
    description="A file of people may be said to be complete for a unit. Who of its members no row means is proposed: "
    "nobody leaves by an import, only by the act of a person after it.",
)

MOST_PEOPLE = 1000  # that one request names

_WHY_NOT = (
    "Why the person is not proposed any more: `left` (has left), `elsewhere` (in a unit for which the file is not "
    "complete), `no_member` or `changed` (since the check); null: is proposed"
)


class CompleteBody(In):
    """For which unit."""

    unit_id = Id(
        required=True,
        allow_none=True,
        metadata={"description": "The file names all members of this unit and below; null: of no unit"},
    )


class VanishedQuery(ScopedPageQuery):
    """Of whom."""

    proposed = fields.Boolean(
        load_default=True,
        metadata={"description": "False: those who vanished and are not proposed any more, each with the reason"},
    )


class VanishedCountQuery(In):
    """Of which unit."""

    unit = Id(
        load_default=None,
        metadata={"description": "The unit and each unit right below it; by default that for which it is complete"},
    )


class LeavingBody(WhyIn):
    """Who has left, and why."""

    person_ids = fields.List(
        Id(),
        load_default=None,
        allow_none=True,
        validate=ListLength(1, MOST_PEOPLE),
        metadata={"description": "These of the people who vanished; left out or null: all who are proposed"},
    )
    unit_id = Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "Only those in this unit and below; left out or null: wherever they are"},
    )


class VanishedOut(Out):
    """Somebody whom no row of the file means."""

    person_id = fields.Integer(attribute="Person.id", metadata={"description": "The person's id"})
    name = MaskedText(attribute="Person.name", metadata={"description": "The person's name"})
    number = fields.Method(
        "_number", allow_none=True, metadata={"description": "The office's number for the person; null: there is none"}
    )
    phone = MaskedPhone(attribute="Person.phone", allow_none=True)
    unit_id = fields.Integer(attribute="Unit.id", metadata={"description": "The unit the person belongs to"})
    unit = fields.String(attribute="Unit.name", metadata={"description": "That unit's name"})
    why = fields.String(allow_none=True, metadata={"description": _WHY_NOT})

    def _number(self, row: Any) -> str | None:
        number: str | None = row.Person.number
        return None if number is None else mask_text(number, identifier=True)


class VanishedCountOut(Out):
    """The people of one unit and below who are proposed."""

    id = fields.Integer(metadata={"description": "The unit; the one that was asked for stands for its own people"})
    name = fields.String(metadata={"description": "Its name"})
    proposed = fields.Integer(metadata={"description": "How many people"})


class VanishedCountsOut(Out):
    """Proposed people by unit."""

    items = fields.List(
        fields.Nested(VanishedCountOut), metadata={"description": "Units with somebody, those with most people first"}
    )


class LeavingOut(Out):
    """What was done."""

    left = fields.Integer(metadata={"description": "How many people have left by this"})
    others = fields.Integer(
        metadata={"description": "How many of those meant have not: they are not proposed any more"}
    )
    named = fields.List(
        fields.Nested(VanishedOut),
        metadata={"description": f"The first {vanished.MOST_NAMED} of the others whom the caller may read"},
    )


@blueprint.route("/imports/<int:import_id>/complete")
class Complete(MethodView):
    """Whom the file names all of."""

    @endpoint(Permission.import_people)
    @blueprint.arguments(CompleteBody)
    @blueprint.response(202, ImportOut)
    def put(self, body: dict[str, Any], import_id: int) -> Import:
        """Say that the file names all members of a unit and below; it is checked anew, and then shows who vanished"""
        record = importing.get_import(g.session, g.actor, import_id)
        completeness.declare_complete(g.session, g.actor, record, body["unit_id"])
        import_after_commit()
        return record


@blueprint.route("/imports/<int:import_id>/vanished")
class VanishedPeople(MethodView):
    """Who is missing from a complete file."""

    @endpoint(Permission.read)
    @blueprint.arguments(VanishedQuery, location="query")
    @blueprint.response(200, list_of(VanishedOut, "VanishedList"))
    def get(self, query: dict[str, Any], import_id: int) -> dict[str, Any]:
        """List who vanished, until the rows expire; 409 if the file is not said to be complete"""
        record = importing.get_import(g.session, g.actor, import_id)
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        covers = scope.covers(Unit.path)
        statement = vanished.find_vanished_people(g.session, record, covers, proposed=query["proposed"])
        rows, following = fetch_page(g.session, statement, query, sort="id", key=Person.id, id_=Person.id)
        return scope.answer(rows, following)


@blueprint.route("/imports/<int:import_id>/vanished/counts")
class VanishedCounts(MethodView):
    """How many they are."""

    @endpoint(Permission.read)
    @blueprint.arguments(VanishedCountQuery, location="query")
    @blueprint.response(200, VanishedCountsOut)
    def get(self, query: dict[str, Any], import_id: int) -> dict[str, Any]:
        """Count who is proposed by the units right below one, each with all below it"""
        record = importing.get_import(g.session, g.actor, import_id)
        if query["unit"] is not None:
            g.actor.require(Permission.read, unit_path(g.session, query["unit"]))
        return {"items": vanished.count_vanished(g.session, record, query["unit"])}


@blueprint.route("/imports/<int:import_id>/vanished/leave")
class Leaving(MethodView):
    """The people have left."""

    @endpoint(Permission.import_people)
    @blueprint.arguments(LeavingBody)
    @blueprint.response(200, LeavingOut)
    def post(self, body: dict[str, Any], import_id: int) -> vanished.LeavingDone:
        """Mark people who vanished as having left, once the import is applied; each is looked at again"""
        record = importing.get_import(g.session, g.actor, import_id)
        return vanished.mark_vanished_left(g.session, g.actor, record, **body)
