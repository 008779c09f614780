"""`/approval-rules`: how many approvals campaigns need, by level, class and size."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns import rule_acts
from sms_service.campaigns.approval_rules import (
    USUAL_GROWTH_PERCENT,
    describe_approval_rule,
    find_approval_rules,
)
from sms_service.campaigns.rule_models import (
    FEWEST_APPROVALS,
    LARGEST_GROWTH,
    MOST_APPROVALS,
    MOST_BY_SELF_SERVICE,
    ApprovalRule,
)
from sms_service.directory.models import LEVELS, Unit
from sms_service.vocabulary import TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, Out, SaidMessage, Whole, list_of
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint(
    "approval-rules",
    description="How many approvals a campaign needs, and whose. Of the rules that fit a campaign, one of the nearest "
    "unit counts; of these the one for its level, then the one for its class, then the one for the fewest people. "
    "Where none fits, it needs one approval by anybody who may approve for its unit.",
)

_LEVEL = "Campaigns of units of this level: city, district, street or branch; null: of any"
_CLASS = "Texts of this class; null: of any"
_UP_TO = f"To at most so many recipients; null: to any number. Self-service: at most {MOST_BY_SELF_SERVICE:,}"
_APPROVALS = "How many different people must approve exactly this; 0: self-service, whoever submits it sends it"
_APPROVER_LEVEL = "An approver must hold the right on a unit of this level or of a higher one; null: on any above it"
_GROWTH = "By how many percent a run may have more recipients than were approved; by 10 recipients it always may"
_level = OneOfWords(LEVELS)
_class = OneOfWords(tuple(TextClass))
_people = WithinRange(1, rule_acts.MOST_PEOPLE)
_number = WithinRange(FEWEST_APPROVALS, MOST_APPROVALS)
_growth = WithinRange(0, LARGEST_GROWTH)


class ApprovalRuleChange(In):
    """What to change; what is left out stays."""

    level = fields.String(allow_none=True, validate=_level, metadata={"description": _LEVEL})
    class_ = fields.String(data_key="class", allow_none=True, validate=_class, metadata={"description": _CLASS})
    up_to = Whole(allow_none=True, validate=_people, metadata={"description": _UP_TO})
    approvals = Whole(validate=_number, metadata={"description": _APPROVALS})
    approver_level = fields.String(allow_none=True, validate=_level, metadata={"description": _APPROVER_LEVEL})
    growth_percent = Whole(validate=_growth, metadata={"description": _GROWTH})


class ApprovalRuleIn(In):
    """A new rule."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it; it holds for this unit and below"})
    level = fields.String(load_default=None, allow_none=True, validate=_level, metadata={"description": _LEVEL})
    class_ = fields.String(
        data_key="class", load_default=None, allow_none=True, validate=_class, metadata={"description": _CLASS}
    )
    up_to = Whole(load_default=None, allow_none=True, validate=_people, metadata={"description": _UP_TO})
    approvals = Whole(required=True, validate=_number, metadata={"description": _APPROVALS})
    approver_level = fields.String(
        load_default=None, allow_none=True, validate=_level, metadata={"description": _APPROVER_LEVEL}
    )
    growth_percent = Whole(load_default=USUAL_GROWTH_PERCENT, validate=_growth, metadata={"description": _GROWTH})


class ApprovalRuleOut(Out):
    """A rule."""

    id = fields.Integer(metadata={"description": "The rule's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    level = fields.String(allow_none=True, metadata={"description": _LEVEL})
    class_ = fields.String(data_key="class", allow_none=True, metadata={"description": _CLASS})
    up_to = fields.Integer(allow_none=True, metadata={"description": _UP_TO})
    approvals = fields.Integer(metadata={"description": _APPROVALS})
    approver_level = fields.String(allow_none=True, metadata={"description": _APPROVER_LEVEL})
    growth_percent = fields.Integer(metadata={"description": _GROWTH})
    words = fields.String(metadata={"description": "The rule in words"})
    words_said = SaidMessage(attribute="words", metadata={"description": "The same for saying it in another language"})
    changed_by = fields.Integer(
        allow_none=True,
        metadata={"description": "Who made it or changed it last, and sends nothing by it; null: the service itself"},
    )
    changed_at = fields.AwareDateTime(metadata={"description": "When"})


class TrialQuery(In):
    """A campaign that there may be."""

    unit = Id(required=True, metadata={"description": "The unit that would send it"})
    class_ = fields.String(
        data_key="class", required=True, validate=_class, metadata={"description": "What kind of text"}
    )
    people = Whole(
        required=True,
        validate=WithinRange(0, rule_acts.MOST_PEOPLE),
        metadata={"description": "To how many recipients"},
    )


class TrialOut(Out):
    """What it would need."""

    people = fields.Integer(metadata={"description": "As asked"})
    approvals = fields.Integer(metadata={"description": _APPROVALS})
    level = fields.String(allow_none=True, metadata={"description": _APPROVER_LEVEL})
    growth_percent = fields.Integer(metadata={"description": _GROWTH})
    by_self_up_to = fields.Integer(
        allow_none=True,
        metadata={"description": "To how many recipients the unit sends the like by self-service; null: to none"},
    )
    rule_id = fields.Integer(allow_none=True, metadata={"description": "The rule that says so; null: none fits"})
    words = fields.String(metadata={"description": "The rule in words"})
    words_said = SaidMessage(attribute="words", metadata={"description": "The same for saying it in another language"})


@blueprint.route("/approval-rules")
class ApprovalRules(MethodView):
    """The rules."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(ApprovalRuleOut, "ApprovalRuleList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the rules that hold somewhere in the scope: of units there, above or below"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = find_approval_rules(scope.paths)
        rows, following = fetch_page(g.session, statement, query, sort="path", key=Unit.path, id_=ApprovalRule.id)
        return scope.answer([_describe(row.ApprovalRule, row.Unit.name) for row in rows], following)

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(ApprovalRuleIn)
    @blueprint.response(201, ApprovalRuleOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a rule of a unit; 409 if the unit has one for just these campaigns"""
        made = rule_acts.add_approval_rule(g.session, g.actor, **body)
        return _describe(made, g.session.get_one(Unit, made.unit_id).name)


@blueprint.route("/approval-rules/trial")
class ApprovalTrial(MethodView):
    """A look at what would count."""

    @endpoint(Permission.read)
    @blueprint.arguments(TrialQuery, location="query")
    @blueprint.response(200, TrialOut)
    def get(self, query: dict[str, Any]) -> Any:
        """Show what a campaign of a unit with a text of a class to so many recipients would need"""
        return rule_acts.try_approval_rules(g.session, g.actor, query["unit"], query["class_"], query["people"])


@blueprint.route("/approval-rules/<int:rule_id>")
class OneApprovalRule(MethodView):
    """One rule."""

    @endpoint(Permission.read)
    @blueprint.response(200, ApprovalRuleOut)
    def get(self, rule_id: int) -> dict[str, Any]:
        """Show a rule"""
        rule, unit = rule_acts.get_approval_rule(g.session, g.actor, rule_id)
        return _describe(rule, unit.name)

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(ApprovalRuleChange)
    @blueprint.response(200, ApprovalRuleOut)
    def patch(self, body: dict[str, Any], rule_id: int) -> dict[str, Any]:
        """Change a rule; it counts for decisions from now on, and takes no approval away"""
        rule = rule_acts.change_approval_rule(g.session, g.actor, rule_id, body)
        return _describe(rule, g.session.get_one(Unit, rule.unit_id).name)

    @endpoint(Permission.manage_accounts)
    @blueprint.response(204)
    def delete(self, rule_id: int) -> None:
        """Remove a rule"""
        rule_acts.remove_approval_rule(g.session, g.actor, rule_id)


def _describe(rule: ApprovalRule, unit: str) -> dict[str, Any]:
    names = ("id", "unit_id", *rule_acts.RULED, "changed_by", "changed_at")
    return {**{name: getattr(rule, name) for name in names}, "unit": unit, "words": describe_approval_rule(rule)}
