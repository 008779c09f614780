"""`/people/<id>/erasure`, `/people/<id>/export`: a person's own data, and its erasure."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory.text import LONGEST_WHY
from sms_service.personal import erasure, own_data
from sms_service.web.schemas import In, OneLine, Out

blueprint = Blueprint("personal data", description="What is held about one person, and its erasure on request.")


class PersonalWhyIn(In):
    """The reason for an act on a person's data; it goes into the trail and stays there."""

    why = OneLine(
        LONGEST_WHY,
        required=True,
        metadata={"description": "Why, for whoever reads the trail later; write no name and no number"},
    )


class ErasureOutlookOut(Out):
    """What erasing a person would do now."""

    texts = fields.Integer(metadata={"description": "Messages that are emptied of phone, text and values"})
    waiting = fields.Integer(metadata={"description": "How many of them wait, and are cancelled"})
    awaited = fields.Integer(metadata={"description": "How many are on their way; while there are any, it is refused"})
    awaited_until = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "Until when that may be so at most; null: they are being handed over, or none is"},
    )
    stays_suppressed = fields.Boolean(
        metadata={"description": "A phone number of theirs is suppressed; that number alone stays, without a name"}
    )


class ErasedOut(Out):
    """What erasing a person did."""

    texts = fields.Integer(metadata={"description": "Messages that were emptied"})
    cancelled = fields.Integer(metadata={"description": "How many of them waited, and are not sent"})
    replies = fields.Integer(metadata={"description": "Replies that were emptied"})


def _list(what: str) -> fields.List[Any]:
    return fields.List(fields.Dict(), metadata={"description": what})


class OwnDataOut(Out):
    """Everything that is held about one person; phones and texts are whole."""

    person = fields.Dict(metadata={"description": "Their row in the register, with the name of their unit"})
    roles = _list("The roles that they hold, by unit")
    suppressions = _list("Their numbers that get no texts, why, from where and since when")
    texts = _list("Every text to them, by campaign and day, with each hand-over and its receipts")
    replies = _list("What they answered")
    lists = _list("What lists for campaigns say of them: list, row and values")
    answers = _list("What they answered to which question, by a reply or as somebody noted it")
    events = _list("Of which events it was ticked off whether they came")
    import_findings = _list("What imports found in rows that name them")
    lost_checks = _list("What their branch was asked since texts did not reach them, and answered")
    own_phones = _list("The account whose own phone it is, since when and whether it is confirmed")
    acts = _list("What was done to their row, by whom and when")
    archived = fields.List(
        fields.String(),
        metadata={
            "description": "Months such as 2026-01 whose texts are archived, without phone and text, and not here"
        },
    )


@blueprint.route("/people/<int:person_id>/export")
class OwnData(MethodView):
    """A person's own data."""

    @endpoint(Permission.see_phones)
    @blueprint.arguments(PersonalWhyIn)
    @blueprint.response(200, OwnDataOut)
    def post(self, body: dict[str, Any], person_id: int) -> dict[str, Any]:
        """Show everything that is held about a person, whole; the look goes into the trail"""
        return own_data.collect_own_data(g.session, g.actor, person_id, body["why"])


@blueprint.route("/people/<int:person_id>/erasure")
class Erasure(MethodView):
    """Erasing a person."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(200, ErasureOutlookOut)
    def get(self, person_id: int) -> erasure.ErasureOutlook:
        """Show what erasing the person would do"""
        return erasure.foresee_erasure(g.session, g.actor, person_id)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(PersonalWhyIn)
    @blueprint.response(200, ErasedOut)
    def post(self, body: dict[str, Any], person_id: int) -> erasure.Erased:
        """Erase the person for good: name, numbers, attributes, texts, replies and receipts; counts stay

        Texts that wait are cancelled. While texts are on their way it is refused, at most 72 hours after they left.
        """
        return erasure.erase_person(g.session, g.actor, person_id, body["why"])
