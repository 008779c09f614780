"""What a rule asks for and nobody has, so that a wrong word does not find nobody in silence: names what there is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.attributes import Attribute
from sms_service.audience.choices import RuleValues, list_rule_values
from sms_service.audience.comparing import DATE, NUMBER
from sms_service.audience.grammar import HasRole, HasTag, IsAmong, list_leaves, parse_rule
from sms_service.audience.nesting import write_out_now
from sms_service.db.statements import Statement
from sms_service.directory.models import Contact, Person, Unit
from sms_service.said import Said, say

ASK_ATTRIBUTES = Statement(__file__, "ask_attributes")

MOST_NAMED = 20  # of what there is
_OF_DATES = ("before", "after", "age", "anniversary")


def find_cautions(session: Session, rule: object, unit: Unit, there: RuleValues | None = None) -> list[Said]:
    """What of the rule finds nobody within the unit because nobody has it, and whom its comparisons pass over. The
    caller has asked for the unit's scope. `there`: what a rule of the unit may ask for, where that is known already.
    Raises Invalid for a rule that cannot be used there.
    """
    parsed = parse_rule(write_out_now(session, rule, unit.path).rule)
    leaves = list(dict.fromkeys(list_leaves(parsed)))
    named = [leaf for leaf in leaves if isinstance(leaf, Attribute)]
    have = _ask_attributes(session, named, unit.path) if named else {}
    tags = {leaf.tag for leaf in leaves if isinstance(leaf, HasTag)}
    roles = {leaf.role for leaf in leaves if isinstance(leaf, HasRole)}
    tags -= _tags_held(session, tags, unit.path) if tags else set()
    roles -= set(session.scalars(_roles_held(roles, unit.path))) if roles else set()
    if there is None and (tags or roles or any(_lacks(leaf, have.get(leaf.name)) for leaf in named)):
        there = list_rule_values(session, SYSTEM, unit.id)
    found = [_of_attribute(leaf, have.get(leaf.name), there) for leaf in named]
    if there is not None:
        names = [choice.name for choice in there.tags[:MOST_NAMED]]
        found += [say("nobody has the tag {tag}; there are: {tags}", tag=tag, tags=names) for tag in sorted(tags)]
        names = [choice.name for choice in there.roles[:MOST_NAMED]]
        found += [
            say("nobody holds the role {role}; there are: {roles}", role=role, roles=names) for role in sorted(roles)
        ]
    found += [_of_people(session, leaf, unit.path) for leaf in leaves if isinstance(leaf, IsAmong)]
    return [said for said in found if said is not None]


def _ask_attributes(session: Session, named: Sequence[Attribute], path: str) -> dict[str, Any]:
    values = {value for leaf in named for value in _texts(leaf)}
    rows = ASK_ATTRIBUTES(
        session.connection(),
        path=path,
        names=sorted({leaf.name for leaf in named}),
        values=sorted(values),
        number=NUMBER if any(isinstance(leaf.value, Decimal) for leaf in named) else None,
        date=DATE if any(leaf.comparison in _OF_DATES for leaf in named) else None,
    )
    return {row.name: row for row in rows}


def _texts(leaf: Attribute) -> tuple[str, ...]:
    """The texts of which the attribute must have one."""
    if leaf.comparison == "is":
        return (str(leaf.value),)
    return leaf.value if isinstance(leaf.value, tuple) else ()


def _lacks(leaf: Attribute, have: Any) -> bool:
    return have is None or not set(_texts(leaf)) <= set(have.found or ())


def _of_attribute(leaf: Attribute, have: Any, there: RuleValues | None) -> Said | None:
    name = leaf.name
    if have is None:
        names = [one.name for one in there.attributes[:MOST_NAMED]] if there is not None else []
        return say("nobody has the attribute {name}; there are: {names}", name=name, names=names)
    missing = [value for value in _texts(leaf) if value not in (have.found or ())]
    if missing:
        choice = next((one for one in there.attributes if one.name == name), None) if there is not None else None
        if choice is None or choice.values is None:
            return say("nobody has {values: or } as {name}", values=missing, name=name)
        values = [value.name for value in choice.values[:MOST_NAMED]]
        return say("nobody has {values: or } as {name}; there are: {there}", values=missing, name=name, there=values)
    if isinstance(leaf.value, Decimal) and have.no_number:
        return say(
            "{number} people have a {name} that is no number, such as {value}; this rule passes over them",
            number=have.no_number,
            name=name,
            value=have.not_a_number,
        )
    if leaf.comparison in _OF_DATES and have.no_date:
        return say(
            "{number} people have a {name} that is no date, such as {value}; this rule passes over them",
            number=have.no_date,
            name=name,
            value=have.not_a_date,
        )
    return None


def _of_people(session: Session, leaf: IsAmong, path: str) -> Said | None:
    here = session.scalars(
        select(func.count())
        .select_from(Person)
        .join(Unit, Unit.id == Person.unit_id)
        .where(
            Person.id == any_(literal(list(leaf.people), ARRAY(BigInteger))),
            Person.left_at.is_(None),
            Unit.path.op("^@")(path),
        )
    ).one()
    if here == len(leaf.people):
        return None
    return say(
        "{number} of {chosen} chosen people have left, or belong to units elsewhere",
        number=len(leaf.people) - here,
        chosen=len(leaf.people),
    )


def _tags_held(session: Session, tags: set[str], path: str) -> set[str]:
    in_order = sorted(tags)
    held = [
        select(Person.id)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.tags.contains([tag]), Person.left_at.is_(None), Unit.path.op("^@")(path))
        .exists()
        for tag in in_order
    ]
    return {tag for tag, somebody in zip(in_order, session.execute(select(*held)).one(), strict=True) if somebody}


def _roles_held(roles: set[str], path: str) -> Any:
    return (
        select(Contact.role)
        .join(Unit, Unit.id == Contact.unit_id)
        .join(Person, Person.id == Contact.person_id)
        .where(Contact.role.in_(roles), Person.left_at.is_(None), Unit.path.op("^@")(path))
        .distinct()
    )
