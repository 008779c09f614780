"""What a file of units makes of the tree, checked as a whole. A unit that moves takes its whole subtree with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.db.statements import Statement
from sms_service.directory.columns import UNIT_COLUMNS, ColumnHeader
from sms_service.directory.import_models import RowOutcome
from sms_service.directory.models import Unit
from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells
from sms_service.directory.text import plain_text
from sms_service.directory.unit_rows import Place, UnitRow, check_tree, read_units
from sms_service.said import say

_upsert_units = Statement(__file__, "upsert_units")
_PLACED_OUTSIDE = "would be placed outside the scope of this import"


@dataclass(frozen=True, slots=True)
class _Node:
    """A unit as it is or will be; the fields are the table's."""

    id: int
    parent: str | None
    code: str
    name: str
    level: str
    path: str
    timezone: str
    window_opens: int
    window_closes: int
    redact_after_days: int | None
    demonstration: bool
    closed: bool = False


@dataclass(frozen=True, slots=True)
class UnitsPlan:
    """What the rows of a file would do: `outcomes` as number and outcome, and the tree that comes of it."""

    outcomes: list[tuple[int, RowOutcome]]
    changed: list[_Node]
    planned: Mapping[str, _Node]


def plan_units(
    session: Session,
    cells: Iterable[tuple[int, Cells]],
    numbers: Iterable[int],
    header: ColumnHeader,
    scope_path: str,
    findings: Findings,
    *,
    demonstration: bool = False,
) -> UnitsPlan:
    """What the rows would make of the tree. Each creates, changes, moves or confirms one unit, or is refused in
    `findings`. Only for the scope "/", the service's own, there may be a new top; `demonstration` marks its units.

    `numbers` are those of all rows, `cells` those of the rows that can be read.
    """
    rows = {row.code: row for row in read_units(cells, header, findings)}
    present = _present(session)
    rows = _within_scope(rows, present, scope_path, findings)
    planned = _plan(rows, present, demonstration)
    findings.settle()
    _check_full_names({code: row for code, row in rows.items() if code in planned}, planned, findings)
    would = {row.row: _outcome(present.get(code), planned[code]) for code, row in rows.items()}
    would |= dict.fromkeys(findings.refused_rows, RowOutcome.refused)
    outcomes = [(number, would.get(number, RowOutcome.unchanged)) for number in numbers]
    changed = [node for code, node in planned.items() if node != present.get(code)]
    return UnitsPlan(outcomes, changed, planned)


def write_units(session: Session, plan: UnitsPlan) -> None:
    """Make the tree what the plan says; new units get their ids now."""
    new = [node.id for node in plan.changed if node.id < 0]
    next_id = func.nextval(func.pg_get_serial_sequence("units", "id"))
    given = session.scalars(select(next_id).select_from(func.generate_series(1, len(new)))).all()
    ids = {str(old): str(own) for old, own in zip(new, given, strict=True)}

    def placed(node: _Node) -> _Node:
        path = "/".join(ids.get(step, step) for step in node.path.split("/"))
        return replace(node, id=int(ids.get(str(node.id), node.id)), path=path)

    planned = {code: placed(node) for code, node in plan.planned.items()}
    _write(session, [planned[node.code] for node in plan.changed], planned)


def _outcome(present: _Node | None, planned: _Node) -> RowOutcome:
    if present is None:
        return RowOutcome.created
    if present.parent != planned.parent:
        return RowOutcome.moved
    return (
        RowOutcome.changed if (present.name, present.level) != (planned.name, planned.level) else RowOutcome.unchanged
    )


def _present(session: Session) -> dict[str, _Node]:
    """The whole tree by code, locked against changes: a move may concern any part of it."""
    units = session.scalars(
        select(Unit).order_by(Unit.id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).all()
    codes = {unit.id: unit.code for unit in units}
    return {
        unit.code: _Node(
            unit.id,
            codes[unit.parent_id] if unit.parent_id is not None else None,
            unit.code,
            unit.name,
            unit.level,
            unit.path,
            unit.timezone,
            unit.window_opens,
            unit.window_closes,
            unit.redact_after_days,
            unit.demonstration,
            unit.closed_at is not None,
        )
        for unit in units
    }


def _within_scope(
    rows: dict[str, UnitRow], present: Mapping[str, _Node], scope_path: str, findings: Findings
) -> dict[str, UnitRow]:
    """The rows that make a tree and touch nothing outside the scope: each unit is inside, before and after."""
    # Refuse what is plainly outside first, so that no reason reveals which levels and codes exist outside.
    outside = {code: reason for code, row in rows.items() if (reason := _outside(row, present, scope_path))}
    for code, reason in outside.items():
        findings.refuse(rows[code].row, UNIT_COLUMNS["code"].header, code, reason)
    kept = {code: row for code, row in rows.items() if code not in outside}
    places = {code: Place(node.level, node.parent) for code, node in present.items()}
    while True:
        kept = check_tree(kept, places, findings)
        wrong = {code: reason for code, row in kept.items() if (reason := _obstacle(row, kept, present, scope_path))}
        for code, reason in wrong.items():
            findings.refuse(kept[code].row, UNIT_COLUMNS["code"].header, code, reason)
        if not wrong:
            return kept
        kept = {code: row for code, row in kept.items() if code not in wrong}


def _outside(row: UnitRow, present: Mapping[str, _Node], scope_path: str) -> str | None:
    """Why this import may not touch the unit itself, or the unit that the row puts directly above it."""
    here = present.get(row.code)
    if here is not None and not here.path.startswith(scope_path):
        return "lies outside the scope of this import"
    above = present.get(row.parent or "")
    stays = here is not None and here.parent == row.parent
    if above is not None and not stays and not above.path.startswith(scope_path):
        return _PLACED_OUTSIDE
    return None


def _obstacle(row: UnitRow, rows: Mapping[str, UnitRow], present: Mapping[str, _Node], scope_path: str) -> str | None:
    """Why this import must not create the unit there or move it there."""
    here = present.get(row.code)
    if here is not None and here.closed:
        return "is a unit that was closed; open it again, or leave the row out"
    if here is not None and here.parent == row.parent:
        return None
    if row.parent is not None and row.parent in present and present[row.parent].closed:
        return "would lie below a unit that was closed"
    above = row.parent
    while above is not None and above not in present:  # a new unit lies where the first known unit above it lies
        above = rows[above].parent
    if not (present[above].path.startswith(scope_path) if above is not None else scope_path == "/"):
        return _PLACED_OUTSIDE
    if here is not None and above is not None and here.demonstration != present[above].demonstration:
        return "cannot move between the demonstration and real units: the demonstration's numbers are invented"
    return None


def _plan(rows: Mapping[str, UnitRow], present: Mapping[str, _Node], demonstration: bool) -> dict[str, _Node]:
    """The whole tree as it will be, parents first. New units have ids below 0 as long as nothing is written."""
    ids = {code: -number for number, code in enumerate((code for code in rows if code not in present), start=1)}
    planned: dict[str, _Node] = {}

    def place(code: str) -> _Node:
        if code in planned:
            return planned[code]
        row, node = rows.get(code), present.get(code)
        parent = row.parent if row else node.parent if node else None
        above = place(parent) if parent is not None else None
        if node is None:
            assert row is not None
            node = _Node(
                ids[code], parent, code, row.name, row.level, "", "Asia/Shanghai", 480, 1200, None, demonstration
            )
            if above is not None:
                node = replace(
                    node,
                    timezone=above.timezone,
                    window_opens=above.window_opens,
                    window_closes=above.window_closes,
                    redact_after_days=above.redact_after_days,
                    demonstration=above.demonstration,
                )
        elif row is not None:
            node = replace(node, parent=parent, name=row.name, level=row.level)
        planned[code] = replace(node, path=f"{above.path if above else '/'}{node.id}/")
        return planned[code]

    for code in [*present, *rows]:
        place(code)
    return planned


def _check_full_names(rows: Mapping[str, UnitRow], planned: Mapping[str, _Node], findings: Findings) -> None:
    for code, row in rows.items():
        if row.full_name is None:
            continue
        names, step = [], planned.get(code)
        while step is not None:
            names.append(step.name)
            step = planned[step.parent] if step.parent is not None else None
        full_name = "/".join(reversed(names))
        if plain_text(row.full_name).strip("/") != plain_text(full_name):
            reason = say(
                "differs from the unit's place in the tree, {place}; the code of the unit above counts", place=full_name
            )
            findings.note(row.row, UNIT_COLUMNS["full_name"].header, row.full_name, reason)


def _write(session: Session, nodes: list[_Node], planned: Mapping[str, _Node]) -> None:
    if nodes:
        _upsert_units(
            session.connection(),
            ids=[node.id for node in nodes],
            parent_ids=[planned[node.parent].id if node.parent is not None else None for node in nodes],
            codes=[node.code for node in nodes],
            names=[node.name for node in nodes],
            levels=[node.level for node in nodes],
            paths=[node.path for node in nodes],
            timezones=[node.timezone for node in nodes],
            opens=[node.window_opens for node in nodes],
            closes=[node.window_closes for node in nodes],
            redactions=[node.redact_after_days for node in nodes],
            demonstrations=[node.demonstration for node in nodes],
        )
        session.expire_all()  # the session does not know what hand-written SQL has changed
