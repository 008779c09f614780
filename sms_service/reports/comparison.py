"""Units beside each other: whom texts reach, who answers, and what was done of the targets. The list that an office
works from: units that nothing reaches or that say nothing stand on top.

What was sent comes from the roll-ups, where days are added up; answers are counted from the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyroaring import BitMap
from sqlalchemy import BigInteger, ColumnElement, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from sms_service.directory.models import Unit
from sms_service.ledger.states import MessageStatus
from sms_service.reports.compared_answers import AnswerSums, sum_answers
from sms_service.reports.filters import Filter
from sms_service.reports.rates import find_share
from sms_service.reports.rolled import RolledCount, count_several_rolled
from sms_service.reports.sources import NO_ROLL_UPS, Source, choose_source
from sms_service.reports.target_models import TargetKind, UnitTarget
from sms_service.reports.targets import count_done
from sms_service.vocabulary import Words


class ComparedUnits(Words):
    """Which units stand beside each other."""

    below = "below"  # those right below the one that was chosen, each with all below it
    branches = "branches"  # every unit in its subtree by itself


class ComparisonOrder(Words):
    """Which units stand on top; those that have nothing to be ordered by stand last."""

    attention = "attention"  # no text arrived, nobody answered, then by the lower of both rates
    unreachable = "unreachable"  # most people whom no text reached
    delivery = "delivery"  # the lowest delivery rate
    reach = "reach"  # the lowest reach rate
    reply = "reply"  # the lowest reply rate
    quiz = "quiz"  # fewest right answers, of those who answered
    rsvp = "rsvp"  # the fewest who said that they come
    target = "target"  # least far towards a target
    name = "name"


@dataclass(slots=True)
class ComparedUnit:
    """A unit, and what came of the texts to its people. `is_own`: only what is its own, without the units below it.
    `messages`, of which so many `left` and so many were `delivered`; `people`: distinct persons, of whom no text
    reached the `unreachable`; None where this was not asked for (`complete_lines`). `answers`: None where too many rows
    would have to be read. `targets` of the year, and what was `done` towards each kind.
    """

    unit_id: int
    unit: str
    code: str
    path: str
    is_own: bool
    messages: int = 0
    left: int = 0
    delivered: int = 0
    people: int | None = None
    unreachable: int | None = None
    answers: AnswerSums | None = None
    targets: Mapping[TargetKind, int] = field(default_factory=dict)
    done: Mapping[TargetKind, int] = field(default_factory=dict)

    @property
    def delivery_rate(self) -> float | None:
        """Of the messages that left so many arrived, from 0 to 1; None if none left."""
        return find_share(self.delivered, self.left)

    @property
    def reach_rate(self) -> float | None:
        """Of all messages so many arrived; None if there is none."""
        return find_share(self.delivered, self.messages)

    @property
    def is_unreachable(self) -> bool:
        """Whether there were texts for its people, and none arrived."""
        return self.messages > 0 and self.delivered == 0

    @property
    def is_silent(self) -> bool:
        """Whether its people were asked something, and nobody answered."""
        return self.answers is not None and self.answers.asked > 0 and self.answers.answered == 0

    def share_of(self, kind: TargetKind) -> float | None:
        """How much of the target is reached, from 0; None without a target."""
        target = self.targets.get(kind)
        return None if target is None else self.done[kind] / target


@dataclass(frozen=True, slots=True)
class Comparison:
    """All lines in their order, and the total: that of the chosen unit with all below it. `rows`: which rows were
    counted, `source`: where they are. `year`: that of the targets.
    """

    unit: Unit
    rows: Filter
    compared: ComparedUnits
    lines: Sequence[ComparedUnit]
    total: ComparedUnit
    source: Source
    year: int

    @property
    def kinds(self) -> list[TargetKind]:
        """The kinds of which some unit has a target."""
        return [kind for kind in TargetKind if any(kind in line.targets for line in (*self.lines, self.total))]


def compare_units(
    session: Session, unit: Unit, rows: Filter, compared: ComparedUnits, order: ComparisonOrder, year: int
) -> Comparison:
    """Compare the units below one, whose rows the filter asks for with its path alone; the caller has asked for the
    scope. An open unit for which there was nothing has a line of zeros.

    What costs most is left to `complete_lines`, for the lines that are shown. Raises Invalid (`until`), and Conflict
    where rows that have to be read are archived.
    """
    known = list[Any]()
    asked = rows
    if compared == ComparedUnits.branches:
        known = _find_units(session, Unit.path.startswith(unit.path, autoescape=True), year)
        asked = replace(rows, each=[one.id for one in known])
    source = choose_source(session, rows, ()) or NO_ROLL_UPS
    with_people = compared == ComparedUnits.below or order == ComparisonOrder.unreachable
    [sent] = _count(session, [asked], source, with_people=with_people)
    answers = sum_answers(session, asked, needs_rows=source is NO_ROLL_UPS)
    if compared == ComparedUnits.below:
        found = sorted(sent.keys() | (answers or {}).keys())  # also those that have moved out since
        of_found = Unit.id == any_(literal(found, ARRAY(BigInteger)))
        known = _find_units(session, or_(Unit.parent_id == unit.id, Unit.id == unit.id, of_found), year)
    has_targets = any(one.targets for one in known)
    done = count_done(session, unit, year, each=compared == ComparedUnits.branches) if has_targets else None
    above = {one.parent_id for one in known}
    lines, total = [], ComparedUnit(unit.id, unit.name, unit.code, unit.path, False)
    for one in known:
        is_own = one.id in above and (compared == ComparedUnits.branches or one.id == unit.id)
        line = ComparedUnit(one.id, one.name, one.code, one.path, is_own)
        has_any = _fill(line, sent.get(one.id), with_people)
        if answers is not None:
            line.answers = answers.get(one.id, AnswerSums())
        if done is not None and one.targets:
            targets = {TargetKind(kind): target for kind, target in one.targets.items()}
            if one.id == unit.id:
                total.targets, total.done = targets, _sum_done(done.values())
            if not line.is_own:
                line.targets, line.done = targets, done[one.id]
        if has_any or one.id in (answers or {}) or (one.closed_at is None and not line.is_own):
            lines.append(line)
    if answers is not None:
        total.answers = sum(answers.values(), AnswerSums())
    if compared == ComparedUnits.below:
        _fill(total, _add(sent.values()), True)
    lines.sort(key=lambda line: place_line(line, order))
    return Comparison(unit, rows, compared, lines, total, source, year)


def complete_lines(session: Session, comparison: Comparison, lines: Sequence[ComparedUnit]) -> None:
    """Tell the people of these lines, and the total, where they are not told yet."""
    missing = [line for line in lines if line.people is None]
    asked = [replace(comparison.rows, each=[line.unit_id for line in missing])] if missing else []
    if comparison.total.people is None:
        asked.append(comparison.rows)
    if not asked:
        return
    sent = _count(session, asked, comparison.source)
    for line in missing:
        _fill(line, sent[0].get(line.unit_id), True)
    if comparison.total.people is None:
        _fill(comparison.total, _add(sent[-1].values()), True)


@dataclass(slots=True)
class _Sent:
    count: RolledCount = field(default_factory=RolledCount)
    reached: BitMap = field(default_factory=BitMap)


def _find_units(session: Session, which: ColumnElement[bool], year: int) -> list[Any]:
    """The units, each with the targets that it has of the year, by kind."""
    columns = Unit.id, Unit.code, Unit.name, Unit.path, Unit.parent_id, Unit.closed_at
    of_year = UnitTarget.unit_id == Unit.id, UnitTarget.year == year
    targets = select(func.jsonb_object_agg(UnitTarget.kind, UnitTarget.target)).where(*of_year).scalar_subquery()
    return list(session.execute(select(*columns, targets.label("targets")).where(which)))


def _count(
    session: Session, several: Sequence[Filter], source: Source, *, with_people: bool = True
) -> list[dict[int, _Sent]]:
    by = ("unit", "status") if with_people else ("unit",)
    found = []
    for counts in count_several_rolled(session, several, by, {}, source, with_people=with_people):
        of_rows: dict[int, _Sent] = {}
        for (unit_id, *status), count in counts.items():
            sent = of_rows.setdefault(unit_id, _Sent())
            sent.count.add(count)
            if status == [MessageStatus.delivered]:
                sent.reached |= count.people
        found.append(of_rows)
    return found


def _sum_done(several: Collection[Mapping[TargetKind, int]]) -> dict[TargetKind, int]:
    return {kind: sum(of_unit[kind] for of_unit in several) for kind in TargetKind}


def _add(several: Collection[_Sent]) -> _Sent:
    whole = _Sent()
    for one in several:
        whole.count.add(one.count)
        whole.reached |= one.reached
    return whole


def _fill(line: ComparedUnit, sent: _Sent | None, with_people: bool) -> bool:
    """Write down what was sent; whether there was any."""
    count = sent.count if sent else RolledCount()
    line.messages, line.left, line.delivered = count.messages, count.left, count.delivered
    if with_people:
        line.people = len(count.people)
        line.unreachable = len(count.people - sent.reached) if sent else 0
    return count.messages > 0


def place_line(line: ComparedUnit, order: ComparisonOrder) -> tuple[bool, float, int, str, int]:
    """By what lines are ordered: those without the number last, of equals those with most texts first."""
    number = 0.0 if order == ComparisonOrder.name else _NUMBERS[order](line)
    size = 0 if order == ComparisonOrder.name else -line.messages
    return number is None, 0.0 if number is None else number, size, line.unit, line.unit_id


def _attention(line: ComparedUnit) -> float | None:
    """None of the texts arrived, then nobody answered, then the lower of both rates."""
    if line.is_unreachable:
        return -2.0
    if line.is_silent:
        return -1.0
    rates = line.reach_rate, None if line.answers is None else line.answers.reply_rate
    return min((rate for rate in rates if rate is not None), default=None)


def _of_answers(name: str) -> Callable[[ComparedUnit], float | None]:
    return lambda line: None if line.answers is None else getattr(line.answers, name)


def _least_far(line: ComparedUnit) -> float | None:
    return min((share for kind in TargetKind if (share := line.share_of(kind)) is not None), default=None)


_NUMBERS: Mapping[ComparisonOrder, Callable[[ComparedUnit], float | None]] = {
    ComparisonOrder.attention: _attention,
    ComparisonOrder.unreachable: lambda line: -line.unreachable if line.unreachable else None,
    ComparisonOrder.delivery: lambda line: line.delivery_rate,
    ComparisonOrder.reach: lambda line: line.reach_rate,
    ComparisonOrder.reply: _of_answers("reply_rate"),
    ComparisonOrder.quiz: _of_answers("right_rate"),
    ComparisonOrder.rsvp: _of_answers("yes_rate"),
    ComparisonOrder.target: _least_far,
}
