"""`/lost-checks`: people whom texts do not reach, and what their branches found out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.delivery import lost_checks
from sms_service.delivery.models import GIVEN_ANSWERS, CheckAnswer, CheckCause, LostCheck
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "lost-checks",
    description="People whom texts do not reach: their branch is asked, and its answer closes the check.",
)


class CheckQuery(ScopedPageQuery):
    """Which checks."""

    answered = fields.Boolean(load_default=False, metadata={"description": "True: those that are closed"})


class CheckCountQuery(In):
    """Of which unit."""

    unit = Id(required=True, metadata={"description": "The unit: its own people, and each unit right below it"})


class CheckAnswerIn(In):
    """What the branch found out."""

    answer = fields.String(
        required=True,
        validate=OneOfWords(GIVEN_ANSWERS),
        metadata={
            "description": "`found`: the number is right; `new_number`: with `phone`; `moved_away`: the person has "
            "left; `lost`: texts are skipped until somebody finds the person"
        },
    )
    phone = fields.String(
        load_default=None, metadata={"description": "The new mobile number in any usual form, with `new_number` only"}
    )


class CheckOut(Out):
    """A check."""

    id = fields.Integer(attribute="LostCheck.id", metadata={"description": "The check's id"})
    person_id = fields.Integer(attribute="Person.id", metadata={"description": "The person"})
    person = MaskedText(attribute="Person.name", metadata={"description": "The person's name"})
    phone = MaskedPhone(attribute="Person.phone", allow_none=True)
    unit_id = fields.Integer(attribute="Person.unit_id", metadata={"description": "The unit the person belongs to"})
    unit = fields.String(metadata={"description": "That unit's name"})
    cause = fields.String(
        attribute="LostCheck.cause", metadata={"description": "Why it was opened: " + ", ".join(CheckCause)}
    )
    campaigns = fields.Integer(
        attribute="LostCheck.campaigns", metadata={"description": "How many campaigns had not reached the person then"}
    )
    opened_at = fields.AwareDateTime(attribute="LostCheck.opened_at", metadata={"description": "Since when"})
    answer = fields.String(
        attribute="LostCheck.answer",
        allow_none=True,
        metadata={
            "description": f"One of {', '.join(CheckAnswer)}, the last two without anybody's answer; null: it is open"
        },
    )
    answered_by = fields.Integer(
        attribute="LostCheck.answered_by", allow_none=True, metadata={"description": "The account that answered"}
    )
    answered_by_login = fields.String(attribute="login", allow_none=True, metadata={"description": "Its login"})
    answered_at = fields.AwareDateTime(
        attribute="LostCheck.answered_at", allow_none=True, metadata={"description": "When it was closed"}
    )


class UnitChecksOut(Out):
    """The checks of one unit with all below it."""

    id = fields.Integer(metadata={"description": "The unit; the one that was asked for stands for its own people"})
    name = fields.String(metadata={"description": "Its name"})
    open = fields.Integer(metadata={"description": "How many are open"})
    answers = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "How many ended so, by answer"}
    )


class CheckCountsOut(Out):
    """Checks by unit."""

    items = fields.List(
        fields.Nested(UnitChecksOut), metadata={"description": "Units with a check, most open ones first"}
    )


@blueprint.route("/lost-checks")
class LostChecks(MethodView):
    """The checks."""

    @endpoint(Permission.read)
    @blueprint.arguments(CheckQuery, location="query")
    @blueprint.response(200, list_of(CheckOut, "CheckList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List people whom texts do not reach, those asked for longest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = lost_checks.find_checks(scope.paths, answered=query["answered"])
        rows, following = fetch_page(g.session, statement, query, sort="id", key=LostCheck.id, id_=LostCheck.id)
        return scope.answer(rows, following)


@blueprint.route("/lost-checks/counts")
class CheckCounts(MethodView):
    """How many checks there are."""

    @endpoint(Permission.read)
    @blueprint.arguments(CheckCountQuery, location="query")
    @blueprint.response(200, CheckCountsOut)
    def get(self, query: dict[str, Any]) -> Mapping[str, Any]:
        """Count checks by the units right below one, each with all below it"""
        return {"items": lost_checks.count_checks(g.session, g.actor, query["unit"])}


@blueprint.route("/lost-checks/<int:check_id>/answer")
class CheckAnswers(MethodView):
    """The answer of a branch."""

    @endpoint(Permission.check_people)
    @blueprint.arguments(CheckAnswerIn)
    @blueprint.response(200, CheckOut)
    def post(self, body: dict[str, Any], check_id: int) -> Any:
        """Answer where the person is, which closes the check; 409 if it is closed"""
        lost_checks.answer_check(g.session, g.actor, check_id, body["answer"], body["phone"])
        return lost_checks.get_check(g.session, g.actor, check_id)
