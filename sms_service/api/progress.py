"""`/campaigns/{id}/progress`: how far the people of a series are, by unit and by name."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.progress import HadChoice, count_progress, describe_readers, find_readers, open_readers
from sms_service.web.paging import PageQuery, Scope, fetch_page
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, Whole, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "progress",
    description="How far the people of a series are. A text so far is one that fired for those who began with the "
    "series, once its recipients were written down; somebody had it if it left for them, or may have. A person counts "
    "in the unit for which they were found last, where that is in the tree now.",
)

_UNIT = {"description": "Only this unit's subtree; by default all of the series that the caller may read"}


class ProgressQuery(In):
    """Whose progress."""

    unit = Id(load_default=None, metadata=_UNIT)


class ReaderQuery(PageQuery):
    """Whose progress, and who of them."""

    unit = Id(load_default=None, metadata=_UNIT)
    subtree = fields.Boolean(
        load_default=True, metadata={"description": "False: people of the unit itself, not of those below"}
    )
    firing = Whole(
        load_default=None,
        metadata={"description": "Only people of this cohort, by the firing of its runs; 1: who began with the series"},
    )
    had = fields.String(
        load_default=None,
        validate=OneOfWords([*HadChoice]),
        metadata={
            "description": "Only people who had `all` texts so far, are `behind`, or had `none` (these are behind, too)"
        },
    )


class ProgressLineOut(Out):
    """A unit with all below it."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    people = fields.Integer(metadata={"description": "People for whom some text was written down"})
    had = fields.Integer(metadata={"description": "Texts that they had, together"})
    delivered = fields.Integer(metadata={"description": "Those of them that arrived, as the network says"})
    had_all = fields.Integer(metadata={"description": "People who had all texts so far"})
    had_none = fields.Integer(metadata={"description": "People who had none of them"})


class ProgressOut(Out):
    """How far a series is."""

    gone = fields.Integer(metadata={"description": "Texts so far"})
    count = fields.Integer(metadata={"description": "Of how many, without those that are skipped"})
    own = fields.Nested(
        ProgressLineOut,
        allow_none=True,
        metadata={"description": "All of them; null where the caller may read several units of the series alone"},
    )
    below = fields.List(
        fields.Nested(ProgressLineOut),
        metadata={
            "description": "The units right below; who belongs to the unit itself stands under that. Or those "
            "units that the caller may read. The lines add up to the whole"
        },
    )


class ReaderTextOut(Out):
    """A text of the series."""

    item = fields.Integer(metadata={"description": "Its number"})
    label = fields.String(metadata={"description": "What people call it"})
    day = fields.Date(metadata={"description": "The local day on which it fired"})


class ReaderOut(Out):
    """A person of a series."""

    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(allow_none=True, metadata={"description": "The person's name; null of somebody erased"})
    phone = MaskedPhone(allow_none=True)
    unit_id = fields.Integer(metadata={"description": "The unit in which they count"})
    unit = fields.String(metadata={"description": "The unit's name"})
    firing = fields.Integer(
        metadata={"description": "Their cohort, if late joiners begin at the first text; 1: they began with the series"}
    )
    had = fields.Integer(metadata={"description": "How many texts they had"})
    delivered = fields.Integer(metadata={"description": "How many of them arrived"})
    last = fields.Nested(ReaderTextOut, allow_none=True, metadata={"description": "The text that they had last"})
    behind = fields.Integer(metadata={"description": "How many of the texts so far they did not have"})


@blueprint.route("/campaigns/<int:campaign_id>/progress")
class Progress(MethodView):
    """By unit."""

    @endpoint(Permission.read)
    @blueprint.arguments(ProgressQuery, location="query")
    @blueprint.response(200, ProgressOut)
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Show how far the people of a series are, by unit

        `/progress/people` with the same unit lists the people of each number.
        """
        readers = open_readers(g.session, g.actor, campaign_id, query["unit"])
        own, below = count_progress(g.session, readers)
        return {"gone": readers.gone, "count": readers.count, "own": own, "below": below}


@blueprint.route("/campaigns/<int:campaign_id>/progress/people")
class ProgressOfPeople(MethodView):
    """By name."""

    @endpoint(Permission.read)
    @blueprint.arguments(ReaderQuery, location="query")
    @blueprint.response(200, list_of(ReaderOut, "ReaderPage"))
    def get(self, query: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """List the people of a series with what they had, those who had least first"""
        readers = open_readers(g.session, g.actor, campaign_id, query["unit"])
        people = readers.people.c
        statement = find_readers(readers, query["had"], subtree=query["subtree"], firing=query["firing"])
        rows, following = fetch_page(g.session, statement, query, sort="had", key=people.had, id_=people.person_id)
        return Scope(readers.paths, readers.units).answer(describe_readers(readers, rows), following)
