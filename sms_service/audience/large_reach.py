"""Whom a large audience reaches: one statement that goes through all recipients and keeps few rows of them.

`per_unit` counts them by unit and reason. `looked_at` are those who share a phone, each with its turn, and those on
whom a text may be tried. All else is summed from these two, and is exact. A CTE of all recipients that each sum read
anew took twice as long (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    case,
    cast,
    except_,
    func,
    literal,
    null,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.listed import select_listed_values
from sms_service.audience.reach import NAMED, Reach, UnitReach, Window, make_tried, recipient_value, sum_by_child
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.db.json_rows import rows_as_json
from sms_service.directory.models import Contact, Person, Unit
from sms_service.vocabulary import MessageReason

TRIED = 1_000  # people on whom a text is tried, beside those with the least and the most to say
TRIED_OF_ONE_TEXT = 200  # where all get the same: they are only compared with those who got it lately
EXTREMES = 20  # people with the least to say, and as many with the most, each of another unit
# The order in which people are tried: any order that has nothing to do with units or with who came first.
_PRIME, _FACTOR = 1_000_003, 7_919
_APART = 2**40  # more than any person's id, so that a length and an id are one number
# The planner expects as many groups of unit and reason as recipients, and with less memory would sort them all. They
# take a few megabytes.
_WORK_MEM = "64MB"
_NEVER_LACKING = ("name", "unit")

_Rows = Select[*tuple[Any, ...]]


def count_reach(
    session: Session,
    found: Select[int, int],
    path: str,
    own: Sequence[str],
    needed: Sequence[str],
    list_id: int | None = None,
    kind: TextKind = EVERY_TEXT,
) -> Reach:
    """The reach of the recipients that an `audience_select` finds; `list_id`: the list that has their rows, if a text
    asks for them. The rest is as `measure_reach` has it.
    """
    needed = [name for name in needed if name not in _NEVER_LACKING]
    asked = _Counting(found, path, own, needed, list_id, kind)
    answers = (
        asked.count_reasons(),
        asked.count_windows(),
        asked.count_units(path),
        asked.count_lacking(),
        asked.name_lacking(),
        asked.choose_tried(),
    )
    session.connection().exec_driver_sql(f"SET LOCAL work_mem = '{_WORK_MEM}'")
    row = session.execute(select(*(null() if one is None else rows_as_json(one) for one in answers))).one()
    reasons, windows, units, lacking, names, tried = (one or [] for one in row)
    people = {one["reason"]: one["people"] for one in reasons}
    shares = {Window(one["timezone"], one["window_opens"], one["window_closes"]): one["phones"] for one in windows}
    phones = sum(shares.values())
    skipped = {MessageReason(reason): number for reason, number in people.items() if reason is not None}
    if people.get(None, 0) > phones:
        skipped[MessageReason.duplicate_phone] = people[None] - phones
    numbers = zip(needed, lacking[0].values(), strict=True) if lacking else ()
    lack = {name: number for name, number in numbers if number}
    return Reach(
        people=sum(people.values()),
        phones=phones,
        skipped=skipped,
        named={},
        windows=shares,
        units=sorted((UnitReach(**one) for one in units), key=lambda unit: (unit.name, unit.id)),
        lacking=lack,
        without={name: [one["name"] for one in names if needed[one["place"]] == name] for name in lack},
        tried=[make_tried(one, own) for one in tried],
    )


class _Counting:
    """The parts of the statement, and the sums that are made of them."""

    def __init__(
        self,
        found: Select[int, int],
        path: str,
        own: Sequence[str],
        needed: Sequence[str],
        list_id: int | None,
        kind: TextKind,
    ) -> None:
        self._own, self._list_id = own, list_id
        self._lacks = [f"lacks_{number}" for number in range(len(needed))]
        lengths = (func.coalesce(func.char_length(recipient_value(name, list_id)), 0) for name in own)
        length = cast(sum(lengths, start=literal(0, Integer)), BigInteger)
        self._known: _Rows = join_reasons(found).add_columns(
            Person.phone,
            find_reason(path, kind).label("reason"),
            ((Person.id % _PRIME) * _FACTOR % _PRIME).label("mixed"),
            (length * _APART + Person.id).label("length_and_id"),
            *(
                recipient_value(name, list_id).is_(None).label(lack)
                for name, lack in zip(needed, self._lacks, strict=True)
            ),
        )
        self._per_unit = self._count_per_unit().cte("per_unit")
        self._wanted = TRIED if own else TRIED_OF_ONE_TEXT
        # Half as many again as are wanted have a lower number, and all of an audience that is hardly larger.
        number = cast(func.sum(self._per_unit.c.people), BigInteger)
        self._tried_below = (
            select(literal(_PRIME * self._wanted * 3 // 2, BigInteger) // func.nullif(number, 0, type_=BigInteger))
            .where(self._per_unit.c.reason.is_(None))
            .scalar_subquery()
        )
        self._looked_at = self._look_at_some().cte("looked_at")

    def _count_per_unit(self) -> _Rows:
        one = self._known.offset(0).subquery()  # so that no expression is computed once for each place that reads it
        ends = (func.min(one.c.length_and_id).label("shortest"), func.max(one.c.length_and_id).label("longest"))
        return select(
            one.c.reason,
            one.c.unit_id,
            func.count().label("people"),
            *(ends if self._own else ()),
            *(func.count().filter(one.c[lack]).label(lack) for lack in self._lacks),
            *(func.min(one.c.person_id).filter(one.c[lack]).label(f"first_{lack}") for lack in self._lacks),
        ).group_by(one.c.reason, one.c.unit_id)

    def _look_at_some(self) -> _Rows:
        """A turn after the first is of somebody whose phone another recipient's text goes to."""
        one, shared = self._known.subquery(), self._find_shared_phones().cte("shared").prefix_with("MATERIALIZED")
        turn = func.row_number().over(partition_by=one.c.phone, order_by=(one.c.person_id, one.c.unit_id))
        return select(
            one.c.person_id, one.c.unit_id, one.c.mixed, turn.label("turn"), *(one.c[lack] for lack in self._lacks)
        ).where(
            one.c.reason.is_(None),
            or_(one.c.mixed < self._tried_below, one.c.phone.in_(select(shared.c.phone))),
        )

    def _find_shared_phones(self) -> Select[str | None]:
        """Phones of several recipients. Unless a person may be found for several units, they are among those of several
        people; these the index of phones tells, without a hash of the whole audience.
        """
        phone, where = Person.phone.expression, Person.phone.is_not(None)
        if any(part is Contact.__table__ for part in visitors.iterate(self._known)):
            one = self._known.subquery()
            phone, where = one.c.phone, one.c.reason.is_(None)
        return select(phone).where(where).group_by(phone).having(func.count() > 1)

    def count_reasons(self) -> _Rows:
        """All recipients by why they are skipped; NULL: they are not, unless somebody has the same phone."""
        counted = self._per_unit.c
        return select(counted.reason, func.sum(counted.people).label("people")).group_by(counted.reason)

    def count_windows(self) -> _Rows:
        """The phones by the windows of the units of whom the text goes to."""
        counted, again = self._per_unit.c, self._count_again("unit_id").subquery()
        window = (Unit.timezone, Unit.window_opens, Unit.window_closes)
        phones = func.sum(counted.people - func.coalesce(again.c.people, 0))
        return (
            select(*window, phones.label("phones"))
            .select_from(self._per_unit)
            .join(Unit, Unit.id == counted.unit_id)
            .outerjoin(again, again.c.unit_id == counted.unit_id)
            .where(counted.reason.is_(None))
            .group_by(*window)
            .having(phones > 0)
        )

    def count_units(self, path: str) -> _Rows:
        """Columns of UnitReach."""
        counted = self._per_unit.c
        textable = case((counted.reason.is_(None), counted.people), else_=0)
        return sum_by_child(select(counted.unit_id, counted.people, textable.label("textable")), path)

    def count_lacking(self) -> _Rows | None:
        """One row with the number of people who would be texted and have no value, by variable."""
        if not self._lacks:
            return None
        counted, again = self._per_unit.c, self._count_again().subquery()
        every = (func.coalesce(func.sum(counted[lack]).filter(counted.reason.is_(None)), 0) for lack in self._lacks)
        return select(
            *(
                (number - select(again.c[lack]).scalar_subquery()).label(lack)
                for number, lack in zip(every, self._lacks, strict=True)
            )
        ).select_from(self._per_unit)

    def name_lacking(self) -> Select[int, str] | None:
        """Some people who would be texted and have no value, each of another unit, by the variable's `place`."""
        if not self._lacks:
            return None
        counted = self._per_unit.c
        chosen = []
        for place, lack in enumerate(self._lacks):
            first = counted[f"first_{lack}"]
            some = select(first.label("id")).where(counted.reason.is_(None), first.is_not(None))
            some_ids = some.order_by(first).limit(NAMED).subquery()
            chosen.append(select(literal(place).label("place"), some_ids.c.id))
        people = union_all(*chosen).subquery()
        named = select(people.c.place, Person.name).join(Person, Person.id == people.c.id)
        return named.order_by(people.c.place, Person.id)

    def _count_again(self, *by: str) -> _Rows:
        """Those whose turn is not the first."""
        looked_at = self._looked_at.c
        columns = [looked_at[name] for name in by]
        lacks = (func.count().filter(looked_at[lack]).label(lack) for lack in self._lacks)
        return select(*columns, func.count().label("people"), *lacks).where(looked_at.turn > 1).group_by(*columns)

    def choose_tried(self) -> _Rows:
        """People to try the text on, with what `make_tried` asks for."""
        looked_at, counted = self._looked_at.c, self._per_unit.c
        some = select(looked_at.person_id, looked_at.unit_id).where(looked_at.mixed < self._tried_below)
        chosen = [some.order_by(looked_at.mixed, looked_at.unit_id).limit(self._wanted)]
        if self._own:
            ends = ((counted.shortest, counted.shortest.asc()), (counted.longest, counted.longest.desc()))
            for end, order in ends:
                extreme = select((end % _APART).label("person_id"), counted.unit_id).where(counted.reason.is_(None))
                chosen.append(extreme.order_by(order).limit(EXTREMES))
        first, *others = (select(one.subquery()) for one in chosen)
        again = select(looked_at.person_id, looked_at.unit_id).where(looked_at.turn > 1)
        pairs = except_(union(first, *others), again).subquery()
        return (
            select(
                pairs,
                Person.name,
                Person.number,
                Person.attributes,
                Unit.name.label("unit"),
                select_listed_values(self._list_id).label("listed"),
            )
            .join(Person, Person.id == pairs.c.person_id)
            .join(Unit, Unit.id == pairs.c.unit_id)
            .order_by(pairs.c.person_id, pairs.c.unit_id)
        )
