"""What a rule may ask for: the units, roles, tags and attributes that there are, so that nobody has to type them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.comparing import DATE, NUMBER
from sms_service.audience.reach import MOST_UNITS
from sms_service.db.statements import Statement
from sms_service.directory.models import LEVELS

LIST_RULE_VALUES = Statement(__file__, "list_rule_values")

MOST = 100  # roles, tags and attributes, those of the most people
MOST_VALUES = 50  # of an attribute that lists its values; one with more is a date or a number of its own


class Choice(NamedTuple):
    """Something that a rule may ask for, and how many people it has."""

    name: str
    people: int


class UnitBelow(NamedTuple):
    """A unit right below, and how many people its subtree has."""

    id: int
    name: str
    people: int


class AttributeChoice(NamedTuple):
    """An attribute, how many people have it, and its values, most common first; None if it has more than 50. Of how
    many people it is a number, and of how many a date.
    """

    name: str
    people: int
    values: Sequence[Choice] | None
    numbers: int
    dates: int


@dataclass(frozen=True, slots=True)
class RuleValues:
    """What a rule within one unit may ask for. `suspect`: how many people have a number that seems dead."""

    units: Sequence[UnitBelow]
    roles: Sequence[Choice]
    tags: Sequence[Choice]
    kinds: Sequence[Choice]
    levels: Sequence[Choice]
    suspect: int
    attributes: Sequence[AttributeChoice]


def list_rule_values(session: Session, actor: Actor, unit_id: int) -> RuleValues:
    """What exists within the unit's subtree, for whoever builds a rule; people who have left do not count.

    Raises NotFound or Forbidden.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    found = defaultdict(list)
    shapes = {"number": NUMBER, "date": DATE}
    limits = {"most": MOST, "most_units": MOST_UNITS, "most_values": MOST_VALUES}
    for row in LIST_RULE_VALUES(session.connection(), path=path, unit_id=unit_id, **limits, **shapes):
        found[row.kind].append(row)
    values = defaultdict(list)
    for row in found["value"]:
        values[row.name].append(Choice(row.value, row.people))
    return RuleValues(
        units=[UnitBelow(row.id, row.name, row.people) for row in found["unit"]],
        roles=[Choice(row.name, row.people) for row in found["role"]],
        tags=[Choice(row.name, row.people) for row in found["tag"]],
        kinds=[Choice(row.name, row.people) for row in found["kind"]],
        levels=sorted(
            (Choice(row.name, row.people) for row in found["level"]), key=lambda choice: LEVELS.index(choice.name)
        ),
        suspect=sum(row.people for row in found["suspect"]),
        attributes=[
            AttributeChoice(row.name, row.people, None if row.many else values[row.name], row.numbers, row.dates)
            for row in found["attribute"]
        ],
    )
