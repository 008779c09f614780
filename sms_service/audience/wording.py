"""A segment's rule as a sentence, for people who read no JSON: "everybody in 东城区 and below who has the tag 退休"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.attribute_words import word_attribute
from sms_service.audience.attributes import Attribute
from sms_service.audience.grammar import (
    All,
    AnyOf,
    Everyone,
    HasRole,
    HasTag,
    InUnit,
    IsAmong,
    IsSuspect,
    Not,
    OfKind,
    OfLevel,
    Rule,
    list_leaves,
    parse_rule,
)
from sms_service.directory.models import Unit
from sms_service.errors import NotFound
from sms_service.said import Said, Word, say

_Names = Mapping[InUnit, str | None]


def describe_rule(session: Session, actor: Actor, unit_id: int, rule: object) -> Said:
    """Whom the rule finds within the unit, as one sentence. A unit that is not there any more is named by its number.

    Raises Invalid for a rule that cannot be read, NotFound (unit), Forbidden (the actor may not read it).
    """
    own = session.get(Unit, unit_id)
    if own is None:
        raise NotFound("unit", unit_id)
    actor.require(Permission.read, own.path)
    return describe_rules(session, [(own, rule)])[0]


def describe_rules(session: Session, rules: Sequence[tuple[Unit, object]]) -> list[Said]:
    """The same of several rules, each with its unit, in one statement. The caller has asked for the units' scope."""
    parsed = [(own, parse_rule(rule)) for own, rule in rules]
    leaves = [leaf for _, rule in parsed for leaf in list_leaves(rule) if isinstance(leaf, InUnit)]
    ids = {leaf.unit_id for leaf in leaves if leaf.unit_id is not None}
    codes = {leaf.code for leaf in leaves if leaf.code is not None}
    units: Sequence[Unit] = ()
    if leaves:
        units = session.scalars(select(Unit).where(or_(Unit.id.in_(ids), Unit.code.in_(codes)))).all()
    return [_describe(own, rule, units) for own, rule in parsed]


def _describe(own: Unit, rule: Rule, units: Sequence[Unit]) -> Said:
    leaves = [leaf for leaf in list_leaves(rule) if isinstance(leaf, InUnit)]
    # Only below the rule's own unit: of another, a rule that never worked would tell the name.
    known: dict[Any, str] = {}
    for unit in (own, *units):
        if unit.path.startswith(own.path):
            known |= {unit.id: unit.name, unit.code: unit.name}
    names = {leaf: known.get(leaf.code if leaf.unit_id is None else leaf.unit_id) for leaf in leaves}
    if isinstance(rule, Everyone):
        return say("everybody in {unit} and below", unit=own.name)
    return say("everybody in {unit} and below who {rule}", unit=own.name, rule=_word(rule, names, True))


def _word(rule: Rule, names: _Names, holds: bool, inner: bool = False) -> Said:
    """What is true of those whom the rule finds, or with `holds` False of the others: what follows "who"."""
    match rule:
        case All(rules) | AnyOf(rules):
            words = [_word(one, names, holds, inner=len(rules) > 1) for one in rules]
            if len(words) == 1:
                return words[0]
            # Who is not both lacks the one or the other.
            every = isinstance(rule, All) == holds
            if inner:
                return say("({rules: and })", rules=words) if every else say("({rules: or })", rules=words)
            return say("{rules: and }", rules=words) if every else say("{rules: or }", rules=words)
        case Not(other):
            return _word(other, names, not holds, inner)
        case Everyone():
            return say("is anybody") if holds else say("is nobody")
        case InUnit():
            return _word_unit(rule, names[rule], holds)
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
        case Attribute():
            return word_attribute(rule, holds)


def _word_unit(leaf: InUnit, name: str | None, holds: bool) -> Said:
    unit = say("a unit that is not there ({number})", number=leaf.code or leaf.unit_id) if name is None else name
    return say("is in {unit} or below", unit=unit) if holds else say("is not in {unit} or below", unit=unit)
