"""Segment rules: JSON into small checked objects. `rules.py` makes them one query; nothing here is evaluated in Python.

{"all": [rule, …]}    every rule holds          {"any": [rule, …]}    at least one holds
{"not": rule}         it does not hold          {"everyone": true}    always holds
{"unit": 17} or {"unit": {"code": "0101"}}      in this unit's subtree
{"role": "书记"}       holds this role in the unit: finds contacts, each for every unit where the role is held
{"tag": "退休"}        has this tag              {"kind": "member"}    a member, or "contact": an outside contact
{"suspect": true}     the phone seems dead, or with false: does not
{"people": [17, 23]}  is one of these, by id    {"level": "branch"}   the unit itself is a branch (or another level)
{"campaign": {"id": 17, "outcome": "not_delivered"}}    what became of the text of an earlier campaign: one of OUTCOMES;
                      with "item": 2 only of this text of its schedule
{"segment": 12}       is found by this segment; `nesting.py` writes its rule out
{"list": 5}           is on this list for one campaign, the only rule that finds guests
{"attribute": {"name": "gender", "is": "女"}}    has this attribute; `attributes.py` has the comparisons
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sms_service.audience.attributes import MAX_TEXT, Attribute, read_attribute, read_text
from sms_service.directory.models import LEVELS
from sms_service.directory.people import KINDS
from sms_service.errors import Invalid
from sms_service.said import say

MAX_DEPTH = 8
MAX_NODES = 100
MAX_PEOPLE = 500  # of "people"

# What became of a campaign's text to a person: they were in its audience; it was, or may be, handed over; it came;
# it did not, as the network says or keeps silent; it was not handed over for certain; somebody answered; nobody did;
# the last yes or no was a yes, was a no; to its last question nobody said anything. And of an event: they came, as
# somebody ticked off.
OUTCOMES = (
    "in_audience",
    "texted",
    "delivered",
    "not_delivered",
    "not_texted",
    "answered",
    "not_answered",
    "accepted",
    "declined",
    "unanswered",
    "came",
)
MOST_ITEMS = 10_000  # numbers of a schedule's items

_KEYS = (
    "all",
    "any",
    "not",
    "everyone",
    "unit",
    "level",
    "role",
    "tag",
    "kind",
    "suspect",
    "people",
    "segment",
    "list",
    "attribute",
)


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the rules holds."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the rules holds."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The rule does not hold."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Everyone:
    """Always holds."""


@dataclass(frozen=True, slots=True)
class InUnit:
    """In the subtree of the unit with this id or, where that is None, this code. `where` is the place in the rule."""

    unit_id: int | None
    code: str | None
    where: str


@dataclass(frozen=True, slots=True)
class HasRole:
    """Holds the role in the unit."""

    role: str


@dataclass(frozen=True, slots=True)
class HasTag:
    """Has the tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class OfKind:
    """Is a member or an outside contact."""

    kind: str


@dataclass(frozen=True, slots=True)
class IsSuspect:
    """The phone seems dead, or does not."""

    suspect: bool


@dataclass(frozen=True, slots=True)
class IsAmong:
    """Is one of the people with these ids. People outside the segment's subtree are not found."""

    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfLevel:
    """The unit is a city, a district, a street or a branch."""

    level: str


@dataclass(frozen=True, slots=True)
class InSegment:
    """The segment with this id finds the recipient. `where` is the place in the rule."""

    segment_id: int
    where: str


@dataclass(frozen=True, slots=True)
class OnList:
    """Is on the list for one campaign with this id. `where` is the place in the rule."""

    list_id: int
    where: str


@dataclass(frozen=True, slots=True)
class FromCampaign:
    """The text of the campaign with this id had this outcome; `item`: only that of this number, None: any of its texts.
    `where` is the place in the rule.
    """

    campaign_id: int
    outcome: str
    where: str
    item: int | None = None


Rule = (
    All
    | AnyOf
    | Not
    | Everyone
    | InUnit
    | OfLevel
    | HasRole
    | HasTag
    | OfKind
    | IsSuspect
    | IsAmong
    | InSegment
    | OnList
    | FromCampaign
    | Attribute
)


def parse_rule(rule: object, where: str = "rule") -> Rule:
    """The rule as checked objects. Raises Invalid, whose field is the place in the rule, such as `rule.all[1].tag`."""
    nodes = [0]
    return _parse(rule, where, 1, nodes)


def list_leaves(rule: Rule) -> Iterator[Rule]:
    """The parts of the rule that are not all, any or not."""
    if isinstance(rule, All | AnyOf):
        for inner in rule.rules:
            yield from list_leaves(inner)
    elif isinstance(rule, Not):
        yield from list_leaves(rule.rule)
    else:
        yield rule


def _parse(rule: object, where: str, depth: int, nodes: list[int]) -> Rule:
    nodes[0] += 1
    if depth > MAX_DEPTH:
        raise Invalid(where, None, say("is nested deeper than {most} levels", most=MAX_DEPTH))
    if nodes[0] > MAX_NODES:
        raise Invalid(where, None, say("is one of more than {most} rules", most=MAX_NODES))
    if not isinstance(rule, Mapping) or len(rule) != 1:
        raise Invalid(where, None, say("must be an object with one key, one of {keys}", keys=_KEYS))
    key, value = next(iter(rule.items()))
    here = f"{where}.{key}" if isinstance(key, str) else where
    match key:
        case "all" | "any":
            if not isinstance(value, list) or not value:
                raise Invalid(here, None, "must be a list of at least one rule")
            rules = tuple(_parse(inner, f"{here}[{i}]", depth + 1, nodes) for i, inner in enumerate(value))
            return All(rules) if key == "all" else AnyOf(rules)
        case "not":
            return Not(_parse(value, here, depth + 1, nodes))
        case "everyone":
            if value is not True:
                raise Invalid(here, value, "must be true")
            return Everyone()
        case "unit":
            return _unit(value, here)
        case "level":
            if value not in LEVELS:
                raise Invalid(here, value, say("must be one of {levels}", levels=LEVELS))
            return OfLevel(value)
        case "role":
            return HasRole(read_text(value, here))
        case "tag":
            return HasTag(read_text(value, here))
        case "kind":
            if value not in KINDS:
                raise Invalid(here, value, say("must be one of {kinds}", kinds=KINDS))
            return OfKind(value)
        case "suspect":
            if not isinstance(value, bool):
                raise Invalid(here, None, "must be true or false")
            return IsSuspect(value)
        case "people":
            return IsAmong(_people(value, here))
        case "segment":
            if not _is_id(value):
                raise Invalid(here, None, "must be a segment's id")
            return InSegment(value, here)
        case "list":
            if not _is_id(value):
                raise Invalid(here, None, "must be a list's id")
            return OnList(value, here)
        case "campaign":
            return _campaign(value, here)
        case "attribute":
            return read_attribute(value, here)
    raise Invalid(here[:MAX_TEXT], None, say("is not known; a rule has one key, one of {keys}", keys=_KEYS))


def _people(value: object, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PEOPLE:
        raise Invalid(where, None, say("must be a list of the ids of 1 to {most} people", most=MAX_PEOPLE))
    for i, person_id in enumerate(value):
        if not _is_id(person_id):
            raise Invalid(f"{where}[{i}]", None, "must be a person's id")
    return tuple(sorted(set(value)))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _unit(value: object, where: str) -> InUnit:
    if isinstance(value, int) and _is_id(value):
        return InUnit(value, None, where)
    if isinstance(value, Mapping) and set(value) == {"code"}:
        return InUnit(None, read_text(value["code"], f"{where}.code"), f"{where}.code")
    raise Invalid(where, None, 'must be a unit\'s id or {"code": …}')


def _campaign(value: object, where: str) -> FromCampaign:
    if not isinstance(value, Mapping) or not {"id", "outcome"} <= set(value) <= {"id", "outcome", "item"}:
        raise Invalid(where, None, say("must be an object with id and outcome, one of {outcomes}", outcomes=OUTCOMES))
    if not _is_id(value["id"]):
        raise Invalid(f"{where}.id", None, "must be a campaign's id")
    if value["outcome"] not in OUTCOMES:
        raise Invalid(f"{where}.outcome", None, say("must be one of {outcomes}", outcomes=OUTCOMES))
    item = value.get("item")
    if "item" in value and not (isinstance(item, int) and _is_id(item) and item <= MOST_ITEMS):
        raise Invalid(f"{where}.item", None, "must be the number of a text of the campaign's schedule")
    return FromCampaign(value["id"], value["outcome"], where, item)
