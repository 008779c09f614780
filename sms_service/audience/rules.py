"""Rules to SQL: one select of recipients, (person_id, unit_id).

A recipient is a pair of a person and a unit. The unit is the person's own; if the rule asks for roles, also each unit
in which the person holds one of them. Every part of a rule tests this pair: `unit` tests the pair's unit, `role` the
roles held in that unit, the others the person. So `{"not": {"role": "书记"}}` excludes a secretary only in the unit
where they are secretary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    cast,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from sms_service.audience.attributes import Attribute
from sms_service.audience.comparing import compare_attribute
from sms_service.audience.earlier import resolve_campaigns
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
from sms_service.audience.listed import list_ids_of, require_lists, select_listed
from sms_service.audience.nesting import write_out_now
from sms_service.directory.models import GUEST, Contact, Person, Unit
from sms_service.errors import Invalid


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person for one unit, as a preview shows them. `phone` is whole: whoever shows it masks it."""

    person: Person
    unit: Unit

    @property
    def phone(self) -> str | None:
        """The person's phone in E.164."""
        return self.person.phone


def audience_select(session: Session, rule: object, unit_path: str) -> Select[int, int]:
    """The recipients that a rule finds, as a select of `person_id, unit_id`; it can be embedded as a subquery or CTE.

    Whatever the rule says, it finds only people who have not left, and the guests of the lists that it names, and only
    units within the subtree at `unit_path`. Each pair comes once. Raises Invalid (field: the place in the rule) if the
    rule is malformed or names a unit that does not exist or lies outside `unit_path`, or a segment or a list that
    cannot be used there.
    """
    written = write_out_now(session, rule, unit_path)
    with written.with_its_places():
        parsed = parse_rule(written.rule)
        units, campaigns = resolve_units(session, parsed, unit_path), resolve_campaigns(session, parsed)
        require_lists(session, parsed, unit_path)
        return _compile(parsed, _Place(unit_path, units, campaigns))


def audience_select_below(rule: object, unit_path: str) -> Select[int, int] | None:
    """The same for many units at once, as a LATERAL part of a query that has their paths in its column `unit_path`.

    Returns None for a rule that names units, segments, lists or campaigns: what they are now has to be asked first.
    """
    parsed = parse_rule(rule)
    if any(isinstance(leaf, InUnit | InSegment | OnList | FromCampaign) for leaf in list_leaves(parsed)):
        return None
    return _compile(parsed, _Place(literal_column(unit_path, Text), {}, {}))


def sample_audience(session: Session, rule: object, path: str, limit: int) -> list[Recipient]:
    """The first `limit` recipients by person and unit id. Raises Invalid as `audience_select` does."""
    found = audience_select(session, rule, path).subquery()
    rows = session.execute(
        select(Person, Unit)
        .join(found, found.c.person_id == Person.id)
        .join(Unit, Unit.id == found.c.unit_id)
        .order_by(Person.id, Unit.id)
        .limit(limit)
    )
    return [Recipient(person, unit) for person, unit in rows]


def resolve_units(session: Session, rule: Rule, unit_path: str) -> dict[InUnit, str]:
    """The present paths of the units that the rule names. Raises Invalid for one that does not exist or is outside."""
    paths: dict[InUnit, str] = {}
    for leaf in list_leaves(rule):
        if isinstance(leaf, InUnit) and leaf not in paths:
            named = Unit.code == leaf.code if leaf.unit_id is None else Unit.id == leaf.unit_id
            path = session.scalar(select(Unit.path).where(named))
            if path is None or not path.startswith(unit_path):
                raise Invalid(leaf.where, leaf.code or leaf.unit_id, "must be a unit within the segment's own unit")
            paths[leaf] = path
    return paths


class _Place(NamedTuple):
    """Where a rule is asked: the subtree, the paths of the units that it names, and whom it means by campaigns."""

    scope_path: str | ColumnElement[str]
    unit_paths: Mapping[InUnit, str]
    campaigns: Mapping[FromCampaign, Select[int]]


def _compile(rule: Rule, place: _Place) -> Select[int, int]:
    roles = sorted({leaf.role for leaf in list_leaves(rule) if isinstance(leaf, HasRole)})
    candidates: FromClause
    unit_id: ColumnElement[int]
    held: ColumnElement[Sequence[str]] | None = None
    if roles:  # everybody for their own unit, and the holders of these roles for the units where they hold them
        own = select(Person.id.label("person_id"), Person.unit_id, null().cast(Text).label("role"))
        holders = select(Contact.person_id, Contact.unit_id, Contact.role).where(Contact.role.in_(roles))
        every = own.union_all(holders).subquery("every")
        # The roles of each pair are gathered once; a look-up per role and person took minutes with many of them.
        named = func.array_agg(every.c.role).filter(every.c.role.is_not(None))
        pair = (every.c.person_id, every.c.unit_id)
        pairs = select(*pair, named.label("roles")).group_by(*pair).subquery("pairs")
        candidates, unit_id = pairs.join(Person, Person.id == pairs.c.person_id), pairs.c.unit_id
        held = cast(pairs.c.roles, ARRAY(Text))
    else:
        candidates, unit_id = Person.__table__, Person.__table__.c.unit_id
    return (
        select(Person.id.label("person_id"), unit_id.label("unit_id"))
        .select_from(candidates)
        .join(Unit, Unit.id == unit_id)
        .where(_is_there(rule), *_below(place.scope_path), _condition(rule, held, place))
    )


def _is_there(rule: Rule) -> ColumnElement[bool]:
    """Has not left, or is a guest of a list that the rule names."""
    ids = sorted(list_ids_of(rule))
    there = Person.left_at.is_(None)
    return or_(there, and_(Person.kind == GUEST, Person.id.in_(select_listed(ids)))) if ids else there


def _below(scope_path: str | ColumnElement[str]) -> Iterable[ColumnElement[bool]]:
    yield Unit.path.op("^@", is_comparison=True)(scope_path)
    if not isinstance(scope_path, str):  # only for a constant does the planner turn the prefix into an index range
        yield Unit.path.between(scope_path, scope_path + ":")  # ":" comes after every digit


def _condition(rule: Rule, held: ColumnElement[Sequence[str]] | None, place: _Place) -> ColumnElement[bool]:
    """The SQL condition; never NULL, since NOT NULL would not be true. `held`: those of the asked roles in the pair."""
    match rule:
        case All(rules) | AnyOf(rules):
            return _joined(rules, isinstance(rule, All), held, place)
        case Not(inner):
            return not_(_condition(inner, held, place))
        case Everyone():
            return true()
        case InUnit():
            return Unit.path.op("^@", is_comparison=True)(place.unit_paths[rule])
        case HasRole() | HasTag():
            return _joined((rule,), True, held, place)
        case OfKind(kind):
            return Person.kind == kind
        case IsSuspect(suspect):
            return Person.suspect_since.is_not(None) if suspect else Person.suspect_since.is_(None)
        case IsAmong(people):
            return Person.id == any_(literal(list(people), ARRAY(BigInteger)))
        case OfLevel(level):
            return Unit.level == level
        case OnList(list_id):
            return Person.id.in_(select_listed([list_id]))
        case FromCampaign():
            return Person.id.in_(place.campaigns[rule])
        case InSegment():
            raise AssertionError("segments that a rule uses are written out before")
        case Attribute():
            return compare_attribute(rule, place.scope_path)


def _joined(
    rules: tuple[Rule, ...],
    every: bool,
    held: ColumnElement[Sequence[str]] | None,
    place: _Place,
) -> ColumnElement[bool]:
    """All of the rules, or any of them. All roles that they name become one test, all tags another."""
    roles = sorted({rule.role for rule in rules if isinstance(rule, HasRole)})
    tags = sorted({rule.tag for rule in rules if isinstance(rule, HasTag)})
    found = [_condition(rule, held, place) for rule in rules if not isinstance(rule, HasRole | HasTag)]
    if roles and held is not None:
        wanted = cast(roles, ARRAY(Text))
        found.append(func.coalesce(held.contains(wanted) if every else held.overlap(wanted), False))
    if tags:
        found.append(Person.tags.contains(tags) if every else Person.tags.overlap(tags))
    return and_(*found) if every else or_(*found)
