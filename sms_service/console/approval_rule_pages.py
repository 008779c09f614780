"""审批规则: how many approvals a campaign needs, by level, class and size, and what would count for one."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.models import Delegation
from sms_service.accounts.permissions import Permission
from sms_service.campaigns import delegations, rule_acts
from sms_service.campaigns.approval_rules import (
    LEAST_GROWTH,
    USUAL_GROWTH_PERCENT,
    describe_approval_rule,
    find_approval_rules,
    say_size,
    say_terms,
)
from sms_service.campaigns.rule_models import LARGEST_GROWTH, MOST_BY_SELF_SERVICE, ApprovalRule
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import LEVELS, Unit
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, Whole
from sms_service.web.validators import OneOfWords, WithinRange
from sms_service.web.words import name_word

_MOST_LENT = 50  # delegations in force that the page names
_people = WithinRange(0, rule_acts.MOST_PEOPLE)


class RulesQuery(ScopedPageQuery):
    """Which rules hold for a unit, and what would count for a campaign of it."""

    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(tuple(TextClass)))
    people = Whole(load_default=None, validate=_people)


class RuleForm(In):
    """A rule but for its unit; what is left empty is any."""

    level = fields.String(load_default=None, validate=OneOfWords(LEVELS))
    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(tuple(TextClass)))
    up_to = Whole(load_default=None)
    approvals = Whole(required=True)
    approver_level = fields.String(load_default=None, validate=OneOfWords(LEVELS))
    growth_percent = Whole(load_default=USUAL_GROWTH_PERCENT)


class NewRuleForm(RuleForm):
    """A rule of a unit."""

    unit_id = Id(required=True)


@page_view("/approval-rules", Permission.read)
def list_approval_rules() -> str:
    """How many approvals campaigns need, and what one of a unit to so many people would need."""
    query = read_query(RulesQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = find_approval_rules(scope.paths)
    rows, following = fetch_page(g.session, statement, query, sort="path", key=Unit.path, id_=ApprovalRule.id)
    managed = g.actor.scope(Permission.manage_accounts)
    place = choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True)
    tried = None
    if place.unit is not None and query["class_"] and query["people"] is not None:
        tried = rule_acts.try_approval_rules(g.session, g.actor, place.unit.id, query["class_"], query["people"])
    lent = delegations.find_delegations(managed, None).order_by(Delegation.id.desc()).limit(_MOST_LENT)
    lent_now = [delegations.name_delegation(row) for row in g.session.execute(lent)] if managed else []
    return render_page(
        "approval_rules.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        place=place,
        tried=tried,
        choice=choose_unit(g.session, g.actor, Permission.manage_accounts, None, top=True) if managed else None,
        may_change=lambda path: g.actor.can(Permission.manage_accounts, path),
        lent=[one for one in lent_now if one.state == delegations.DelegationState.active],
        rule=None,
        **_words(),
    )


@act_view("/approval-rules", Permission.manage_accounts, again=list_approval_rules)
def add_one_approval_rule() -> Response:
    """Add a rule of a unit."""
    made = rule_acts.add_approval_rule(g.session, g.actor, **read_form(NewRuleForm))
    said = say("The rule counts from now on: {rule}.", rule=describe_approval_rule(made))
    return go_to("console.list_approval_rules", said=said)


@page_view("/approval-rules/<int:rule_id>", Permission.manage_accounts)
def show_approval_rule(rule_id: int) -> str:
    """One rule, to be changed or removed."""
    rule, unit = rule_acts.get_approval_rule(g.session, g.actor, rule_id)
    g.actor.require(Permission.manage_accounts, unit.path)
    return render_page("approval_rule.html", rule=rule, unit=unit, words=describe_approval_rule(rule), **_words())


@act_view("/approval-rules/<int:rule_id>", Permission.manage_accounts, again=show_approval_rule)
def change_one_approval_rule(rule_id: int) -> Response:
    """Change a rule."""
    rule = rule_acts.change_approval_rule(g.session, g.actor, rule_id, read_form(RuleForm))
    said = say("The rule counts from now on: {rule}.", rule=describe_approval_rule(rule))
    return go_to("console.list_approval_rules", said=said)


@act_view("/approval-rules/<int:rule_id>/remove", Permission.manage_accounts)
def remove_one_approval_rule(rule_id: int) -> Response:
    """Remove a rule."""
    rule_acts.remove_approval_rule(g.session, g.actor, rule_id)
    return go_to("console.list_approval_rules", said=as_said("The rule is removed."))


@act_view("/approval-rules/delegations/<int:delegation_id>/end", Permission.manage_accounts)
def end_delegation_of_others(delegation_id: int) -> Response:
    """End a delegation over a unit of one's own, as its administrator."""
    delegations.end_delegation(g.session, g.actor, delegation_id)
    return go_to("console.list_approval_rules", said=as_said("The delegation is over."))


def _words() -> dict[str, Any]:
    """What the forms offer, in the page's language."""
    return {
        "levels": [(level, translate_here(name_word("level", level))) for level in LEVELS],
        "classes": [(one.value, name_here(one)) for one in TextClass],
        "numbers": [(number, translate_here(say_terms(number, None))) for number in (0, 1, 2)],
        "say_size": say_size,
        "say_terms": say_terms,
        "usual_growth": USUAL_GROWTH_PERCENT,
        "least_growth": LEAST_GROWTH,
        "largest_growth": LARGEST_GROWTH,
        "most_by_self": MOST_BY_SELF_SERVICE,
    }
