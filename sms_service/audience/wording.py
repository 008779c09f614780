"""A segment's rule as a sentence, for people who read no JSON: "everybody in 东城区 and below who has the tag 退休"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.attribute_words import word_attribute
from sms_service.audience.attributes import Attribute
from sms_service.audience.earlier import load_campaigns
from sms_service.audience.grammar import (
    All,
    AnyOf,
    Everyone,
    FromCampaign,
    HasRole,
    HasTag,
    InSegment,
    InUnit,
    IsAmong,
    IsSuspect,
    Not,
    OfKind,
    OfLevel,
    OnList,
    Rule,
    list_leaves,
    parse_rule,
)
from sms_service.audience.listed import UsedList, load_used_lists
from sms_service.audience.nesting import UsedSegment, load_used
from sms_service.directory.models import Unit
from sms_service.directory.units import are_in_line
from sms_service.errors import NotFound
from sms_service.said import Said, Word, say

_MOST_WITHIN = 8  # segments within segments that are told; a rule has no more levels


_OUTCOMES = {
    ("in_audience", True): "was in the audience of the campaign {campaign}",
    ("in_audience", False): "was not in the audience of the campaign {campaign}",
    ("texted", True): "was texted by the campaign {campaign}",
    ("texted", False): "was not texted by the campaign {campaign}",
    ("delivered", True): "got the text of the campaign {campaign}",
    ("delivered", False): "did not get, for all that is known, the text of the campaign {campaign}",
    ("not_delivered", True): "was texted by the campaign {campaign} in vain",
    ("not_delivered", False): "was not texted by the campaign {campaign} in vain",
    ("not_texted", True): "was in the audience of the campaign {campaign} and got no text",
    ("not_texted", False): "was not left without a text by the campaign {campaign}",
    ("answered", True): "answered the campaign {campaign}",
    ("answered", False): "sent no answer to the campaign {campaign}",
    ("not_answered", True): "was texted by the campaign {campaign} and did not answer",
    ("not_answered", False): "does not owe the campaign {campaign} an answer",
    ("accepted", True): "said yes to the campaign {campaign}",
    ("accepted", False): "did not say yes to the campaign {campaign}",
    ("unanswered", True): "was asked by the campaign {campaign} and said nothing",
    ("unanswered", False): "does not owe the question of the campaign {campaign} an answer",
    ("declined", True): "said no to the campaign {campaign}",
    ("declined", False): "did not say no to the campaign {campaign}",
    ("came", True): "came to the event of the campaign {campaign}",
    ("came", False): "is not ticked as having come to the event of the campaign {campaign}",
}


class _Known(NamedTuple):
    """What a sentence may name: units by id and by code, segments by id with what they say, campaigns by id, and lists
    by id.
    """

    units: Mapping[Any, str]
    segments: Mapping[int, UsedSegment]
    campaigns: Mapping[int, str]
    lists: Mapping[int, UsedList]


def describe_rule(session: Session, actor: Actor, unit_id: int, rule: object) -> Said:
    """Whom the rule finds within the unit, as one sentence. A unit that is not there any more is named by its number.

    Raises Invalid for a rule that cannot be read, NotFound (unit), Forbidden (the actor may not read it).
    """
    own = session.get(Unit, unit_id)
    if own is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.read, own.path)
    return describe_rules(session, actor, [(own, rule)])[0]


def describe_rules(session: Session, actor: Actor, rules: Sequence[tuple[Unit, object]]) -> list[Said]:
    """The same of several rules, each with its unit, in a few statements for all. The caller has asked for the units'
    scope.
    """
    parsed = [(own, parse_rule(rule)) for own, rule in rules]
    leaves = [leaf for _, rule in parsed for leaf in list_leaves(rule)]
    used: Mapping[int, UsedSegment] = {}
    if ids := {leaf.segment_id for leaf in leaves if isinstance(leaf, InSegment)}:
        used = load_used(session, ids)
        leaves += [leaf for one in used.values() for leaf in list_leaves(parse_rule(one.rule))]
    campaigns = load_campaigns(session, {leaf.campaign_id for leaf in leaves if isinstance(leaf, FromCampaign)})
    titles = {one.id: one.name for one in campaigns.values() if actor.can(Permission.read, one.path)}
    lists = load_used_lists(session, {leaf.list_id for leaf in leaves if isinstance(leaf, OnList)})
    named = [leaf for leaf in leaves if isinstance(leaf, InUnit)]
    units: Sequence[Unit] = ()
    if named:
        by_id = Unit.id.in_({leaf.unit_id for leaf in named if leaf.unit_id is not None})
        by_code = Unit.code.in_({leaf.code for leaf in named if leaf.code is not None})
        units = session.scalars(select(Unit).where(or_(by_id, by_code))).all()
    return [_describe(own, rule, units, _Known({}, used, titles, lists)) for own, rule in parsed]


def _describe(own: Unit, rule: Rule, units: Sequence[Unit], known: _Known) -> Said:
    # Only below the rule's own unit: of another, a rule that never worked would tell the name.
    names: dict[Any, str] = {}
    for unit in (own, *units):
        if unit.path.startswith(own.path):
            names |= {unit.id: unit.name, unit.code: unit.name}
    usable = {one.id: one for one in known.segments.values() if are_in_line(one.path, own.path)}
    lists = {one.id: one for one in known.lists.values() if are_in_line(one.path, own.path)}
    if isinstance(rule, Everyone):
        return say("everybody in {unit} and below", unit=own.name)
    words = _word(rule, _Known(names, usable, known.campaigns, lists), True)
    return say("everybody in {unit} and below who {rule}", unit=own.name, rule=words)


def _word(rule: Rule, known: _Known, holds: bool, inner: bool = False, within: int = 0) -> Said:
    """What is true of those whom the rule finds, or with `holds` False of the others: what follows "who"."""
    match rule:
        case All(rules) | AnyOf(rules):
            words = [_word(one, known, holds, len(rules) > 1, within) for one in rules]
            if len(words) == 1:
                return words[0]
            # Who is not both lacks the one or the other.
            every = isinstance(rule, All) == holds
            if inner:
                return say("({rules: and })", rules=words) if every else say("({rules: or })", rules=words)
            return say("{rules: and }", rules=words) if every else say("{rules: or }", rules=words)
        case Not(other):
            return _word(other, known, not holds, inner, within)
        case Everyone():
            return say("is anybody") if holds else say("is nobody")
        case InUnit():
            name = known.units.get(rule.code if rule.unit_id is None else rule.unit_id)
            return _word_unit(rule, name, holds)
        case OfLevel(level):
            word = Word(level, {})
            own = say("belongs to a unit of the level {level}", level=word)
            return own if holds else say("does not belong to a unit of the level {level}", level=word)
        case HasRole(role):
            return say("holds the role {role}", role=role) if holds else say("does not hold the role {role}", role=role)
        case HasTag(tag):
            return say("has the tag {tag}", tag=tag) if holds else say("does not have the tag {tag}", tag=tag)
        case OfKind(kind):
            return say("is a member") if (kind == "member") == holds else say("is an outside contact")
        case IsSuspect(suspect):
            dead = suspect == holds
            return say("has a number that seems dead") if dead else say("has no number that seems dead")
        case IsAmong(people):
            number = len(people)
            among = say("is one of {number} chosen people", number=number)
            return among if holds else say("is none of {number} chosen people", number=number)
        case FromCampaign(campaign_id, outcome, _, item):
            title: object = known.campaigns.get(campaign_id, str(campaign_id))
            if item is not None:
                title = say("{campaign} (text {item})", campaign=title, item=item)
            return say(_OUTCOMES[outcome, holds], campaign=title)
        case OnList(list_id):
            name = known.lists[list_id].name if list_id in known.lists else str(list_id)
            return say("is on the list {list}", list=name) if holds else say("is not on the list {list}", list=name)
        case InSegment():
            return _word_segment(rule, known, holds, within)
        case Attribute():
            return word_attribute(rule, holds)


def _word_unit(leaf: InUnit, name: str | None, holds: bool) -> Said:
    unit = say("a unit that is not there ({number})", number=leaf.code or leaf.unit_id) if name is None else name
    return say("is in {unit} or below", unit=unit) if holds else say("is not in {unit} or below", unit=unit)


def _word_segment(leaf: InSegment, known: _Known, holds: bool, within: int) -> Said:
    found = known.segments.get(leaf.segment_id)
    if found is None or within == _MOST_WITHIN:
        number = leaf.segment_id
        gone = say("is in the segment {number}, which cannot be used here", number=number)
        return gone if holds else say("is not in the segment {number}, which cannot be used here", number=number)
    rule = _word(parse_rule(found.rule), known, True, within=within + 1)
    own = say("is in the segment {segment} ({rule})", segment=found.name, rule=rule)
    return own if holds else say("is not in the segment {segment} ({rule})", segment=found.name, rule=rule)
