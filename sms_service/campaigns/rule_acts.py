"""Writing the rules that say how many approvals campaigns need. They count from the next decision on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import read_before_after
from sms_service.campaigns.approval_rules import USUAL_GROWTH_PERCENT, AskedApproval, describe_approval_rule, find_asked
from sms_service.campaigns.rule_models import (
    FEWEST_APPROVALS,
    LARGEST_GROWTH,
    MOST_APPROVALS,
    MOST_BY_SELF_SERVICE,
    ApprovalRule,
    rank_level,
)
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.units import split_path
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say, to_json
from sms_service.vocabulary import TextClass

MOST_PEOPLE = 10_000_000  # that a rule may name
RULED = ("level", "class_", "up_to", "approvals", "approver_level", "growth_percent")


def add_approval_rule(
    session: Session,
    actor: Actor,
    *,
    unit_id: int,
    approvals: int,
    level: str | None = None,
    class_: str | None = None,
    up_to: int | None = None,
    approver_level: str | None = None,
    growth_percent: int = USUAL_GROWTH_PERCENT,
) -> ApprovalRule:
    """A new rule of the unit, for campaigns of its subtree; see ApprovalRule for its terms.

    Raises NotFound, Forbidden without `manage_accounts` over the unit, since it says whose right is needed, Invalid, or
    Conflict if the unit has a rule for just these campaigns.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    rule = ApprovalRule(unit_id=unit_id)
    terms = (level, class_, up_to, approvals, approver_level, growth_percent)
    _set_terms(session, rule, dict(zip(RULED, terms, strict=True)), path)
    _require_alone(session, rule)
    rule.changed_by = actor.account_id
    session.add(rule)
    session.flush()
    trail.record_act(session, actor.account_id, "approval_rule.add", "unit", unit_id, path, **_tell_rule(rule))
    return rule


def change_approval_rule(session: Session, actor: Actor, rule_id: int, changes: Mapping[str, Any]) -> ApprovalRule:
    """Change what is given of a rule. Raises as `add_approval_rule` does."""
    rule, path = _require_on_rule(session, actor, rule_id)
    before = {name: getattr(rule, name) for name in RULED}
    with session.no_autoflush:
        _set_terms(session, rule, before | {name: changes[name] for name in RULED if name in changes}, path)
        _require_alone(session, rule)
    if session.is_modified(rule):
        changes = read_before_after(rule, RULED)
        rule.changed_by, rule.changed_at = actor.account_id, func.now()
        session.flush()
        details = _tell_rule(rule) | {"changes": changes}
        trail.record_act(session, actor.account_id, "approval_rule.change", "unit", rule.unit_id, path, **details)
    return rule


def remove_approval_rule(session: Session, actor: Actor, rule_id: int) -> None:
    """Remove a rule. Raises NotFound, or Forbidden without `manage_accounts` over its unit."""
    rule, path = _require_on_rule(session, actor, rule_id)
    details = _tell_rule(rule)
    session.delete(rule)
    session.flush()
    trail.record_act(session, actor.account_id, "approval_rule.remove", "unit", rule.unit_id, path, **details)


def get_approval_rule(session: Session, actor: Actor, rule_id: int) -> tuple[ApprovalRule, Unit]:
    """The rule and its unit. Raises NotFound, or Forbidden where the actor may neither read the unit nor use what it
    keeps.
    """
    found = session.execute(
        select(ApprovalRule, Unit).join(Unit, Unit.id == ApprovalRule.unit_id).where(ApprovalRule.id == rule_id)
    ).first()
    if found is None:
        raise NotFound("approval rule", rule_id)
    if not actor.may_use(found[1].path):
        actor.require(Permission.read, found[1].path)
    return found[0], found[1]


def try_approval_rules(session: Session, actor: Actor, unit_id: int, class_: str, people: int) -> AskedApproval:
    """What a campaign of the unit with a text of this class to so many people would need. Raises NotFound, Forbidden or
    Invalid.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    if class_ not in list(TextClass):
        raise Invalid("class", class_, say("must be one of {classes}", classes=tuple(TextClass)))
    _check_number("people", people, 0, MOST_PEOPLE)
    return find_asked(session, path, class_, people)


def _require_on_rule(session: Session, actor: Actor, rule_id: int) -> tuple[ApprovalRule, str]:
    rule = session.get(ApprovalRule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None:
        raise NotFound("approval rule", rule_id)
    path = unit_path(session, rule.unit_id)
    actor.require(Permission.manage_accounts, path)
    return rule, path


def _set_terms(session: Session, rule: ApprovalRule, terms: Mapping[str, Any], path: str) -> None:
    for field in ("level", "approver_level"):
        if terms[field] is not None and terms[field] not in LEVELS:
            raise Invalid(field, terms[field], say("must be one of {levels}", levels=LEVELS))
    if terms["class_"] is not None and terms["class_"] not in list(TextClass):
        raise Invalid("class", terms["class_"], say("must be one of {classes}", classes=tuple(TextClass)))
    _check_number("approvals", terms["approvals"], FEWEST_APPROVALS, MOST_APPROVALS)
    _check_number("growth_percent", terms["growth_percent"], 0, LARGEST_GROWTH)
    if terms["up_to"] is not None:
        _check_number("up_to", terms["up_to"], 1, MOST_PEOPLE)
    if terms["approvals"] == 0:
        if terms["up_to"] is None or terms["up_to"] > MOST_BY_SELF_SERVICE:
            reason = say("self-service needs a number of people, at most {most:,}", most=MOST_BY_SELF_SERVICE)
            raise Invalid("up_to", terms["up_to"], reason)
        if terms["approver_level"] is not None:
            raise Invalid("approver_level", terms["approver_level"], "self-service has no approver; leave it out")
    elif terms["approver_level"] is not None:
        _require_reachable(session, terms["approver_level"], path)
    for name in RULED:
        setattr(rule, name, terms[name])


def _require_reachable(session: Session, level: str, path: str) -> None:
    """Raises Invalid where no unit of this level or of a higher one can lie above the owner's campaigns."""
    top = session.scalars(select(Unit.level).where(Unit.id == split_path(path)[0])).one()
    if rank_level(top) > rank_level(level):
        reason = say("no unit here is of this level or of a higher one; the highest is a {top}", top=top)
        raise Invalid("approver_level", level, reason)


def _check_number(field: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise Invalid(field, number, say("must be from {least} to {most:,}", least=least, most=most))


def _require_alone(session: Session, rule: ApprovalRule) -> None:
    """Raises Conflict where the unit has another rule for the same campaigns. Of two that are added at once, the unique
    index refuses one.
    """
    same = (
        getattr(ApprovalRule, name).is_not_distinct_from(getattr(rule, name))
        for name in ("unit_id", "level", "class_", "up_to")
    )
    others = select(ApprovalRule.id).where(*same)
    if rule.id is not None:
        others = others.where(ApprovalRule.id != rule.id)
    if session.scalar(others) is not None:
        raise Conflict("the unit has a rule for just these campaigns; change that one")


def _tell_rule(rule: ApprovalRule) -> dict[str, Any]:
    told = {name: getattr(rule, name) for name in RULED}
    return {"rule_id": rule.id, "terms": to_json(describe_approval_rule(rule)), **told}
