"""Segments that use other segments: `{"segment": 12}` in a rule stands for the rule of that segment.

A run, a preview and an approval have the rule with every other segment written out in it, so that a run reaches exactly
whom its approver saw, whatever becomes of the other segments. Written out, it keeps the bounds of every rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import JSON, ColumnElement, any_, literal_column, select
from sqlalchemy.orm import Session

from sms_service.audience.grammar import MAX_DEPTH, MAX_NODES, InSegment, list_leaves, parse_rule
from sms_service.audience.models import Segment
from sms_service.directory.models import Unit
from sms_service.directory.units import are_in_line
from sms_service.errors import Invalid
from sms_service.said import say

# Those that a segment of the statement uses, and those that they use, as `read_used` takes it.
USED_SEGMENTS: ColumnElement[Any] = literal_column(
    """(WITH RECURSIVE used AS (
        SELECT unnest(segments.uses) AS id
        UNION
        SELECT unnest(s.uses) FROM used JOIN segments s ON s.id = used.id
    )
    SELECT json_agg(json_build_array(s.id, s.name, s.rule, s.unit_id, u.path))
    FROM used JOIN segments s ON s.id = used.id JOIN units u ON u.id = s.unit_id)""",
    JSON,
)


class UsedSegment(NamedTuple):
    """A segment as a rule uses it; `path` is its unit's."""

    id: int
    name: str
    rule: Mapping[str, Any]
    unit_id: int
    path: str


@dataclass(slots=True)
class WrittenOut:
    """A rule without other segments, and how its places are called in the rule that was written."""

    rule: dict[str, Any]
    _places: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def with_its_places(self) -> Iterator[None]:
        """What is refused in this rule is refused at its place in the rule that was written."""
        try:
            yield
        except Invalid as error:
            raise Invalid(self._place(error.field), error.value, error.reason) from None

    def _place(self, place: str) -> str:
        for inner, written in reversed(self._places):
            if place.startswith(inner) and place[len(inner) : len(inner) + 1] in ("", ".", "["):
                return written + place[len(inner) :]
        return place


def list_used(rule: object) -> list[int]:
    """The ids of the segments that the rule names. Raises Invalid for what is no rule."""
    return sorted({leaf.segment_id for leaf in list_leaves(parse_rule(rule)) if isinstance(leaf, InSegment)})


def load_used(session: Session, ids: Collection[int], *, held: bool = False) -> dict[int, UsedSegment]:
    """These segments and all that they use. `held`: their rows are locked and cannot change before the commit."""
    found: dict[int, UsedSegment] = {}
    wanted = set(ids)
    while wanted:
        statement = select(Segment.id, Segment.name, Segment.rule, Segment.unit_id, Unit.path, Segment.uses).join(
            Unit, Unit.id == Segment.unit_id
        )
        statement = statement.where(Segment.id.in_(wanted)).order_by(Segment.id)
        if held:
            statement = statement.with_for_update(read=True, of=Segment)
        rows = session.execute(statement).all()
        found |= {row.id: UsedSegment(*row[:5]) for row in rows}
        wanted = {used for row in rows for used in row.uses} - found.keys()
    return found


def read_used(rows: Collection[Any] | None) -> dict[int, UsedSegment]:
    """What `USED_SEGMENTS` found."""
    return {row[0]: UsedSegment(*row) for row in rows or ()}


def find_users(session: Session, segment_id: int) -> dict[int, UsedSegment]:
    """The segments that use this one, directly or by others."""
    users = select(Segment.id).where(Segment.uses.contains([segment_id])).cte("users", recursive=True)
    further = select(Segment.id).join(users, users.c.id == any_(Segment.uses))
    users = users.union(further)
    rows = session.execute(
        select(Segment.id, Segment.name, Segment.rule, Segment.unit_id, Unit.path)
        .join(Unit, Unit.id == Segment.unit_id)
        .where(Segment.id.in_(select(users.c.id)))
        .order_by(Segment.name, Segment.id)
    )
    return {row.id: UsedSegment(*row) for row in rows}


def write_out(
    rule: Mapping[str, Any], used: Mapping[int, UsedSegment], unit_path: str, within: tuple[UsedSegment, ...] = ()
) -> WrittenOut:
    """The rule with the segments that it uses written out, for an audience within the subtree at `unit_path`.

    A segment of a unit below never reaches outside that unit. `within`: the segment whose rule it is, and those that
    use that. Raises Invalid (field: the place in the rule as it was written) for a segment that is not there or belongs
    to another part of the tree, for one that uses itself, and for more rules or levels than a rule may have.
    """
    writing = _Writing(used, unit_path)
    rule = writing.write(rule, "rule", "rule", 1, within)
    return WrittenOut(rule, writing.places)


def write_out_now(session: Session, rule: object, unit_path: str) -> WrittenOut:
    """The same with the segments as they stand now. Raises Invalid for what is no rule, too."""
    used = list_used(rule)
    assert isinstance(rule, Mapping)
    return write_out(rule, load_used(session, used) if used else {}, unit_path)


@dataclass(slots=True)
class _Writing:
    used: Mapping[int, UsedSegment]
    unit_path: str
    places: list[tuple[str, str]] = field(default_factory=list)
    rules: int = 0

    def write(
        self, rule: Mapping[str, Any], written: str, here: str, depth: int, within: tuple[UsedSegment, ...]
    ) -> dict[str, Any]:
        """`written` is the place in the rule as it was written, `here` in the one that is being made."""
        key, value = next(iter(rule.items()))
        if key == "segment":
            return self._write_segment(value, f"{written}.segment", here, depth, within)
        self._count(written, depth)
        if key in ("all", "any"):
            inner = [
                self.write(one, f"{written}.{key}[{i}]", f"{here}.{key}[{i}]", depth + 1, within)
                for i, one in enumerate(value)
            ]
            return {key: inner}
        if key == "not":
            return {key: self.write(value, f"{written}.not", f"{here}.not", depth + 1, within)}
        return dict(rule)

    def _write_segment(
        self, segment_id: int, written: str, here: str, depth: int, within: tuple[UsedSegment, ...]
    ) -> dict[str, Any]:
        found = self.used.get(segment_id)
        if found is None or not are_in_line(found.path, self.unit_path):
            raise Invalid(written, segment_id, "must be a segment of this unit, of one above it or of one below it")
        line = (*within, found)
        if segment_id in (one.id for one in within):
            names = [one.name for one in line]
            raise Invalid(written, segment_id, say("uses itself: {segments: → }", segments=names))
        parse_rule(found.rule, written)
        if self.unit_path.startswith(found.path):
            self.places.append((here, written))
            return self.write(found.rule, written, here, depth, line)
        self._count(written, depth)
        self._count(written, depth + 1)
        self.places.append((f"{here}.all[1]", written))
        own = self.write(found.rule, written, f"{here}.all[1]", depth + 1, line)
        return {"all": [{"unit": found.unit_id}, own]}

    def _count(self, written: str, depth: int) -> None:
        self.rules += 1
        if depth > MAX_DEPTH:
            reason = say("is nested deeper than {most} levels, with the segments that it uses", most=MAX_DEPTH)
            raise Invalid(written, None, reason)
        if self.rules > MAX_NODES:
            reason = say("is one of more than {most} rules, with those of the segments that it uses", most=MAX_NODES)
            raise Invalid(written, None, reason)
