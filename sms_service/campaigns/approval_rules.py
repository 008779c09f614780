"""How many approvals a campaign needs, and whose: rules by level, class and size, which units keep as data."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, func, literal, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from sms_service.audience.sizes import count_recipients
from sms_service.campaigns.contents import Content
from sms_service.campaigns.models import Decision
from sms_service.campaigns.rule_models import ApprovalRule, rank_level
from sms_service.directory.models import Unit
from sms_service.said import Said, as_said, say, to_json

USUAL_GROWTH_PERCENT = 20
LEAST_GROWTH = 10  # people, by which every run may grow
WITHOUT_RULE = as_said("no rule covers it: one approval")


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """What a campaign needs now, with this many `people`: so many `approvals` (0: self-service) by people who hold the
    right on a unit of `level` or of a higher one (None: on any that reaches it). `rule_id` and `words`: by which rule.
    `changed_by`: who made the rule. `by_self_up_to`: to how many people the unit sends the like by self-service, if at
    all.
    """

    people: int
    approvals: int
    level: str | None
    growth_percent: int
    rule_id: int | None
    words: Said
    changed_by: int | None
    by_self_up_to: int | None = None

    @property
    def by_others(self) -> int:
        """How many approvals it needs of other people, where self-service does not cover it."""
        return max(1, self.approvals)

    def as_json(self) -> dict[str, Any]:
        """As a decision keeps it."""
        return {
            "approvals": self.approvals,
            "level": self.level,
            "growth_percent": self.growth_percent,
            "rule": self.rule_id,
            "words": to_json(self.words),
        }


def ask_approval(
    session: Session,
    content: Content,
    path: str,
    people: int | None = None,
    rules: Sequence[ApprovalRule] | None = None,
) -> AskedApproval:
    """What the content needs, with as many people as it finds now. `people`: where they were counted just before;
    `rules`: where they were read with the campaign.

    Raises Invalid for a rule of its segment that cannot be used.
    """
    if people is None:
        people = count_recipients(session, content.segment_rule, path)
    if rules is None:
        rules = load_approval_rules(session, path)
    asked = [_ask(rules, class_, people) for class_ in _list_classes(content)]
    # Of several classes, that which needs most counts.
    return max(asked, key=lambda one: (one.approvals, -_rank(one.level)))


def find_asked(session: Session, path: str, class_: str, people: int) -> AskedApproval:
    """What a campaign of the unit at `path` needs with a text of this class to so many people.

    Of the rules that fit, one of the nearest unit counts; of these the one for this level, then the one for this class,
    then the one for the fewest people. Where none fits, it is one approval.
    """
    return _ask(load_approval_rules(session, path), class_, people)


def load_approval_rules(session: Session, path: str) -> list[ApprovalRule]:
    """The rules for campaigns of the unit at `path`, in the order in which they count."""
    own = aliased(Unit)
    found = session.scalars(
        select(select_approval_rules(own.path.expression, own.level.expression))
        .select_from(own)
        .where(own.path == path)
    ).first()
    return read_approval_rules(found)


def select_approval_rules(path: ColumnElement[str], level: ColumnElement[str]) -> ColumnElement[Any]:
    """The same as a column of a statement, for the unit at `path` of this level; see `read_approval_rules`."""
    owner, rule = aliased(Unit), aliased(ApprovalRule)
    names = ("id", "unit_id", "level", "class_", "up_to", "approvals", "approver_level", "growth_percent", "changed_by")
    columns: list[Any] = []
    for name in names:
        columns += [literal_column(f"'{name}'"), getattr(rule, name)]
    order = (func.length(owner.path).desc(), rule.level.is_(None), rule.class_.is_(None), rule.up_to.asc().nulls_last())
    return (
        select(func.json_agg(aggregate_order_by(func.json_build_object(*columns), *order), type_=JSON))
        .select_from(rule)
        .join(owner, owner.id == rule.unit_id)
        .where(path.op("^@")(owner.path), or_(rule.level.is_(None), rule.level == level))
        .scalar_subquery()
    )


def read_approval_rules(found: Sequence[Mapping[str, Any]] | None) -> list[ApprovalRule]:
    """What `select_approval_rules` found; the rules belong to no session."""
    return [ApprovalRule(**one) for one in found or ()]


def most_people_for(decision: Decision) -> int | None:
    """With how many recipients a run still is what was approved; None: of before they were counted."""
    if decision.people is None:
        return None
    asked = (decision.content or {}).get("asked", {})
    share: int = asked.get("growth_percent", USUAL_GROWTH_PERCENT)
    return decision.people + max(LEAST_GROWTH, math.ceil(decision.people * share / 100))


def find_most_people(session: Session, campaign_ids: Collection[int]) -> dict[int, int]:
    """The same by the latest approval of each of these campaigns; nothing for one of before they were counted."""
    last = (
        select(func.max(Decision.id))
        .where(Decision.campaign_id.in_(campaign_ids), Decision.decided == "approved")
        .group_by(Decision.campaign_id)
    )
    decisions = session.scalars(select(Decision).where(Decision.id.in_(last)))
    found = {one.campaign_id: most_people_for(one) for one in decisions}
    return {campaign_id: most for campaign_id, most in found.items() if most is not None}


def find_approval_rules(paths: Iterable[str]) -> Select[ApprovalRule, Unit]:
    """The rules that hold somewhere in the subtrees at `paths`, each with the unit that keeps it; not ordered."""
    overlaps = (or_(literal(path).op("^@")(Unit.path), Unit.path.op("^@")(path)) for path in paths)
    return select(ApprovalRule, Unit).join(Unit, Unit.id == ApprovalRule.unit_id).where(or_(*overlaps))


def describe_approval_rule(rule: ApprovalRule) -> Said:
    """The rule in words: for which campaigns, then what they need."""
    parts = [_say_level(rule.level)]
    if rule.class_ is not None:
        parts.append(as_said(rule.class_))
    parts += [say_size(rule.up_to), say_terms(rule.approvals, rule.approver_level)]
    return say("{parts: · }", parts=parts)


def say_size(up_to: int | None) -> Said:
    """To how many people."""
    return as_said("any number of people") if up_to is None else say("up to {people:,} people", people=up_to)


def say_terms(approvals: int, level: str | None) -> Said:
    """What is needed."""
    if approvals == 0:
        return as_said("self-service")
    if level is None:
        return as_said("one approval" if approvals == 1 else "two approvals by different people")
    word = as_said(level)  # no Word, which would not be translated once it is stored
    if approvals == 1:
        return say("one approval by the {level} or above", level=word)
    return say("two approvals by different people of the {level} or above", level=word)


def _ask(rules: Sequence[ApprovalRule], class_: str, people: int) -> AskedApproval:
    fit = [rule for rule in rules if rule.class_ in (None, class_)]
    rule, by_self = _choose_rule(fit, people), _find_most_by_self(fit)
    if rule is None:
        return AskedApproval(people, 1, None, USUAL_GROWTH_PERCENT, None, WITHOUT_RULE, None, by_self)
    words = describe_approval_rule(rule)
    terms = (rule.approvals, rule.approver_level, rule.growth_percent)
    return AskedApproval(people, *terms, rule.id, words, rule.changed_by, by_self)


def _choose_rule(rules: Sequence[ApprovalRule], people: int) -> ApprovalRule | None:
    """The first of the rules that covers so many people."""
    return next((rule for rule in rules if rule.up_to is None or rule.up_to >= people), None)


def _find_most_by_self(rules: Sequence[ApprovalRule]) -> int | None:
    """The largest number of people that self-service covers, where another rule does not come first."""
    numbers = [rule.up_to for rule in rules if rule.approvals == 0 and rule.up_to is not None]
    for number in sorted(numbers, reverse=True):
        chosen = _choose_rule(rules, number)
        if chosen is not None and chosen.approvals == 0:
            return number
    return None


def _say_level(level: str | None) -> Said:
    return as_said("any unit" if level is None else level)


def _list_classes(content: Content) -> list[str]:
    """Of all its texts; an item of a schedule may have a template of its own."""
    return sorted({content.class_, *(item.class_ for item in content.items if item.class_ and not item.skipped)})


def _rank(level: str | None) -> int:
    return 99 if level is None else rank_level(level)
