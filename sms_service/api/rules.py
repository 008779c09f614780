"""What a rule is and may ask for, and how it is told: for the routes that take or show one."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience.cautions import find_cautions
from sms_service.audience.choices import RuleValues, list_rule_values
from sms_service.audience.wording import describe_rules
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import Said
from sms_service.web.schemas import MaskedText, Out, SaidMessage

blueprint = Blueprint("rules", description="What the rule of a segment may ask for.")

_RULE = (
    'One of `{"all": [rules]}`, `{"any": [rules]}`, `{"not": rule}`, `{"everyone": true}`, `{"unit": id}`, '
    '`{"unit": {"code": "0101"}}`, `{"role": "书记"}`, `{"tag": "退休"}`, `{"kind": "member"}` (or contact), '
    '`{"segment": 12}` (found by that segment of this unit, of one above or of one below), '
    '`{"campaign": {"id": 17, "outcome": "not_delivered"}}` (what became of the text of an earlier campaign that '
    "you may read: in_audience, texted, delivered, not_delivered, not_texted, answered, not_answered, "
    "accepted or declined (the last yes or no), unanswered (its last question) or, of an event, came; with "
    '`"item": 2` only of this text of its schedule), '
    '`{"level": "branch"}` (of the unit itself: city, district, street or branch), '
    '`{"suspect": true}` (the phone seems dead), `{"people": [17, 23]}` (at most 500 ids of people), '
    '`{"attribute": {"name": "gender", "is": "女"}}`, or instead of `is` one of `in: [texts]`, `exists: true`, as '
    'numbers `less`, `more`, `at_least`, `at_most: 60`, as dates `before` or `after: "1985-03-01"` or '
    '`{"years_ago": 1}` (months_ago, days_ago, days_ahead), `age: {"at_least": 60}` (whole years since the date), '
    '`anniversary: "this_month"` (its day or month: today, tomorrow, this_month, next_month)'
)


def rule_field(**kwargs: Any) -> fields.Raw:
    """The field for a rule."""
    return fields.Raw(metadata={"type": "object", "description": _RULE}, **kwargs)


class RuleWarningOut(Out):
    """What of a rule finds nobody, or whom it passes over."""

    sentence = MaskedText(metadata={"description": "It in words, with what there is"})
    said = SaidMessage(attribute="sentence", metadata={"description": "The sentence for saying it in another language"})


class RuleTold(Out):
    """A rule in words, and what is odd about it; see `tell_rule`."""

    sentence = MaskedText(metadata={"description": "Whom the rule finds, in words"})
    said = SaidMessage(attribute="sentence", metadata={"description": "The sentence for saying it in another language"})
    warnings = fields.List(
        fields.Nested(RuleWarningOut),
        metadata={
            "description": "Attributes, values, tags and roles of the rule that nobody has, with those that there are; "
            "people whose attribute cannot be compared so; chosen people who are not there"
        },
    )


class ChoiceOut(Out):
    """Something that a rule may ask for."""

    name = MaskedText(metadata={"description": "What to write into the rule"})
    people = fields.Integer(metadata={"description": "How many people have it"})


class UnitChoiceOut(Out):
    """A unit that a rule may name."""

    id = fields.Integer(metadata={"description": "The unit"})
    name = fields.String(metadata={"description": "Its name"})
    people = fields.Integer(metadata={"description": "How many people it has with all below it"})


class AttributeChoiceOut(ChoiceOut):
    """An attribute that a rule may ask for."""

    values = fields.List(
        fields.Nested(ChoiceOut),
        allow_none=True,
        metadata={"description": "Its values, most common first; null if there are more than 50"},
    )
    numbers = fields.Integer(metadata={"description": "Of how many people it is a number"})
    dates = fields.Integer(metadata={"description": "Of how many people it is a date like 1985-03-01"})


class RuleValuesOut(Out):
    """What a rule within the unit may ask for, with counts of people who have not left."""

    units = fields.List(fields.Nested(UnitChoiceOut), metadata={"description": "The units right below, at most 500"})
    roles = fields.List(
        fields.Nested(ChoiceOut), metadata={"description": "The 100 roles with the most holders in these units"}
    )
    tags = fields.List(fields.Nested(ChoiceOut), metadata={"description": "The 100 most common tags"})
    kinds = fields.List(fields.Nested(ChoiceOut), metadata={"description": "`member` and `contact`"})
    levels = fields.List(
        fields.Nested(ChoiceOut), metadata={"description": "The levels of the units that people belong to"}
    )
    suspect = fields.Integer(metadata={"description": "How many people have a number that seems dead"})
    attributes = fields.List(
        fields.Nested(AttributeChoiceOut), metadata={"description": "The 100 most common attributes"}
    )


@blueprint.route("/units/<int:unit_id>/rule-values")
class RuleChoices(MethodView):
    """What a rule may ask for."""

    @endpoint(Permission.read)
    @blueprint.response(200, RuleValuesOut)
    def get(self, unit_id: int) -> RuleValues:
        """List the units, roles, tags and attributes that a rule of this unit may ask for, with counts of people"""
        return list_rule_values(g.session, g.actor, unit_id)


def tell_rule(unit_id: int, rule: object) -> dict[str, Any]:
    """The rule of the unit in words, and what is odd about it, for RuleTold."""
    unit = g.session.get_one(Unit, unit_id)
    (sentence,) = describe_rules(g.session, g.actor, [(unit, rule)])
    return {"sentence": sentence, "warnings": [{"sentence": caution} for caution in _cautions(unit, rule)]}


def _cautions(unit: Unit, rule: object) -> list[Said]:
    if not g.actor.can(Permission.read, unit.path):  # who only uses the segment is told nothing of that unit's people
        return []
    try:
        return find_cautions(g.session, rule, unit)
    except Invalid:  # a saved rule that cannot be used any more is shown all the same
        return []
