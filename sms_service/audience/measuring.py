"""Whom a rule would reach if it was sent now. A small audience is read person by person, a large one is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.large_reach import count_reach
from sms_service.audience.listed import find_row_list_now, select_listed_values
from sms_service.audience.reach import (
    MOST_UNITS,
    NAMED,
    Reach,
    Skipped,
    UnitReach,
    Window,
    make_tried,
)
from sms_service.audience.rules import audience_select
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import child_id
from sms_service.vocabulary import MessageReason

NAMED_UP_TO = 1_000  # recipients; of a larger audience those who are skipped are counted and not named


def measure_reach(
    session: Session,
    rule: object,
    path: str,
    own: Sequence[str] = (),
    needed: Sequence[str] = (),
    kind: TextKind = EVERY_TEXT,
) -> Reach:
    """Find the recipients of the rule within the subtree at `path`, and say what freeze would write down of them.

    `own`: the variables that each recipient fills; `needed`: those of them that a text cannot do without; `kind`: of
    which kind it is, where that is known. Of at most 1,000 recipients the skipped ones are named, the first 30 of each
    reason by person and unit id, and the others are all tried. Raises Invalid as `audience_select` does.
    """
    found, list_id = audience_select(session, rule, path), find_row_list_now(session, rule, path, own)
    pairs = session.execute(found.limit(NAMED_UP_TO + 1)).all()
    if len(pairs) > NAMED_UP_TO:
        return count_reach(session, found, path, own, needed, list_id, kind)
    return _read_reach(_read_recipients(session, pairs, path, list_id, kind) if pairs else (), own, needed)


def _read_recipients(
    session: Session, pairs: Sequence[Any], path: str, list_id: int | None, kind: TextKind
) -> Sequence[Mapping[str, Any]]:
    """These pairs of person and unit by their ids, in the order in which freeze goes through them."""
    people, units = (literal(list(ids), ARRAY(BigInteger)) for ids in zip(*pairs, strict=True))
    columns = (column("person_id", BigInteger), column("unit_id", BigInteger))
    asked = func.unnest(people, units).table_valued(*columns, name="asked").render_derived()
    child = aliased(Unit)
    rows = session.execute(
        join_reasons(
            select(
                asked.c.person_id,
                asked.c.unit_id,
                Person.name,
                Person.number,
                Person.attributes,
                Person.phone,
                Unit.name.label("unit"),
                Unit.timezone,
                Unit.window_opens,
                Unit.window_closes,
                child.id.label("child_id"),
                child.name.label("child"),
                find_reason(path, kind).label("reason"),
                select_listed_values(list_id).label("listed"),
            )
            .select_from(asked)
            .join(Person, Person.id == asked.c.person_id)
            .join(Unit, Unit.id == asked.c.unit_id)
            .join(child, child.id == child_id(path))
        ).order_by(asked.c.person_id, asked.c.unit_id)
    )
    return [row._asdict() for row in rows]


def _read_reach(rows: Sequence[Mapping[str, Any]], own: Sequence[str], needed: Sequence[str]) -> Reach:
    people: Counter[tuple[str, int]] = Counter()
    textable: Counter[tuple[str, int]] = Counter()
    windows: Counter[Window] = Counter()
    skipped: defaultdict[MessageReason, list[Skipped]] = defaultdict(list)
    texted: set[str] = set()
    tried = []
    for row in rows:
        unit, reason = (row["child"], row["child_id"]), row["reason"]
        people[unit] += 1
        if reason is None:
            textable[unit] += 1
            if row["phone"] in texted:  # the first of several who share a phone is sent, as at freeze
                reason = MessageReason.duplicate_phone
        if reason is not None:
            one = Skipped(row["person_id"], row["name"], row["unit_id"], row["unit"])
            skipped[MessageReason(reason)].append(one)
            continue
        texted.add(row["phone"])
        windows[Window(row["timezone"], row["window_opens"], row["window_closes"])] += 1
        tried.append(make_tried(row, own))
    without = {name: [one.name for one in tried if one.values[name] is None] for name in needed}
    most = sorted(people, key=lambda unit: (-people[unit], unit))[:MOST_UNITS]
    return Reach(
        people=len(rows),
        phones=len(texted),
        skipped={reason: len(found) for reason, found in skipped.items()},
        named={reason: found[:NAMED] for reason, found in skipped.items()},
        windows=windows,
        units=[UnitReach(id_, name, people[name, id_], textable[name, id_]) for name, id_ in sorted(most)],
        lacking={name: len(names) for name, names in without.items() if names},
        without={name: names[:NAMED] for name, names in without.items() if names},
        tried=tried,
    )
