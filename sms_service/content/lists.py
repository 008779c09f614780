"""Reference lists: who may change them, who may use them, and their rows.

A list belongs to a unit. Changing it needs `manage_templates` over that unit; everybody who holds a role on the unit,
below it or above it may read it, and campaigns of the unit and of those below pick rows of it. Where two lists of one
name can be used, that of the nearer unit counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, column, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.reach import is_dotted
from sms_service.audit import trail
from sms_service.content.grammar import LONGEST_PART
from sms_service.content.language import find_place
from sms_service.content.library import find_templates
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.values import LONGEST_VALUE, RECIPIENT_FIELDS
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line, visible_text
from sms_service.directory.units import split_path, usable_from
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import Said, say

LONGEST_LABEL = 50  # characters
MOST_ROWS = 20_000  # of one list
MOST_COLUMNS = 20
NAME = "name"  # the column that names the rows
_RESERVED = {*RECIPIENT_FIELDS, "row", "self", "super", "loop", "caller", "varargs", "kwargs"}


class ListColumn(NamedTuple):
    """A column: as templates call it, `{{ venue.address }}`, and as people do."""

    name: str
    label: str


def add_reference_list(session: Session, actor: Actor, unit_id: int, name: str, label: str) -> ReferenceList:
    """A new list of a unit, without rows. `name`: as templates call it, such as venue or 场地.

    Raises NotFound, Forbidden without `manage_templates` over the unit, Invalid (name, label), or Conflict if the unit
    has a list of this name.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_templates, path)
    check_part("name", name)
    if name in _RESERVED:
        raise Invalid("name", name, "means something else in templates; choose another name")
    made: ReferenceList | None = session.scalar(
        insert(ReferenceList)
        .values(unit_id=unit_id, name=name, label=required_line("label", label, LONGEST_LABEL))
        .values(columns=[[NAME, "名称"]], created_by=actor.account_id)
        .on_conflict_do_nothing()
        .returning(ReferenceList)
    )
    if made is None:
        raise Conflict("the unit already has a list of this name")
    trail.record_act(session, actor.account_id, "reference.add", "unit", unit_id, path, list=made.label)
    return made


def rename_reference_list(session: Session, actor: Actor, list_id: int, label: str) -> ReferenceList:
    """Give it another label; templates call it as before. Raises NotFound, Forbidden or Invalid."""
    found, path = own_list(session, actor, list_id)
    before, found.label = found.label, required_line("label", label, LONGEST_LABEL)
    session.flush()
    details = {"list": found.label, "changes": {"name": [before, found.label]}}
    trail.record_act(session, actor.account_id, "reference.rename", "unit", found.unit_id, path, **details)
    return found


def remove_reference_list(session: Session, actor: Actor, list_id: int) -> None:
    """Take a list away, with its rows; campaigns keep what they took of it. Raises NotFound or Forbidden."""
    found, path = own_list(session, actor, list_id)
    session.delete(found)
    session.flush()
    trail.record_act(session, actor.account_id, "reference.remove", "unit", found.unit_id, path, list=found.label)


def keep_row(
    session: Session, actor: Actor, list_id: int, row_id: int | None, name: str, values: Mapping[str, str]
) -> ReferenceRow:
    """Change a row, or add one (`row_id` None). `values`: all its cells by column but the name; empty ones count as
    not there.

    Raises NotFound, Forbidden, Invalid (`name`, `values.<column>`), or Conflict if another row has this name or the
    list is full.
    """
    found, path = own_list(session, actor, list_id)
    known = {one.name for one in columns_of(found)} - {NAME}
    for given in values:
        if given not in known:
            raise Invalid(f"values.{given}", values[given], say("is no column; these are: {names}", names=known))
    name = visible_text(name)
    cells = {one: text for one, value in values.items() if (text := visible_text(value))}
    for at, wrong in ((at, find_wrong_cell(text)) for at, text in [(NAME, name), *cells.items()]):
        if wrong:
            raise Invalid(at if at == NAME else f"values.{at}", cells.get(at, name)[:LONGEST_VALUE], wrong)
    if not name:
        raise Invalid(NAME, name, "is missing: the row needs a name")
    row = get_row(session, found.id, row_id) if row_id is not None else None
    twin = session.scalar(select(ReferenceRow).where(ReferenceRow.list_id == list_id, ReferenceRow.name == name))
    if twin is not None and twin is not row:
        if twin.archived_at is None or row is not None:
            raise Conflict("the list already has a row of this name")
        row = twin
    if row is None:
        _require_room(session, list_id)
        row = ReferenceRow(list_id=list_id, place=_next_place(session, list_id))
        session.add(row)
    row.name, row.values, row.archived_at = name, cells, None
    mark_changed(session, found)
    trail.record_act(
        session, actor.account_id, "reference.row", "unit", found.unit_id, path, list=found.label, row=row.name
    )
    return row


def archive_row(session: Session, actor: Actor, list_id: int, row_id: int, *, archived: bool = True) -> ReferenceRow:
    """Let no campaign pick the row any more, or let them again. Raises NotFound, Forbidden, or Conflict (full)."""
    found, path = own_list(session, actor, list_id)
    row = get_row(session, found.id, row_id)
    if archived == (row.archived_at is not None):
        return row
    if not archived:
        _require_room(session, list_id)
    row.archived_at = session.scalars(select(func.sms_now())).one() if archived else None
    mark_changed(session, found)
    details = {"list": found.label, "row": row.name}
    if archived:
        trail.record_act(session, actor.account_id, "reference.archive", "unit", found.unit_id, path, **details)
    else:
        trail.record_act(session, actor.account_id, "reference.restore", "unit", found.unit_id, path, **details)
    return row


def get_reference_list(session: Session, actor: Actor, list_id: int) -> tuple[ReferenceList, Unit]:
    """A list that the actor may read and use, and its unit. Raises NotFound or Forbidden."""
    row = session.execute(
        select(ReferenceList, Unit).join(Unit, Unit.id == ReferenceList.unit_id).where(ReferenceList.id == list_id)
    ).one_or_none()
    if row is None:
        raise NotFound("reference list", list_id)
    actor.require_use(row.Unit.path, say("list {list}", list=list_id))
    return row.ReferenceList, row.Unit


def own_list(session: Session, actor: Actor, list_id: int) -> tuple[ReferenceList, str]:
    """A list that the actor may change, locked, and its unit's path. Raises NotFound or Forbidden."""
    found = session.scalar(select(ReferenceList).where(ReferenceList.id == list_id).with_for_update())
    if found is None:
        raise NotFound("reference list", list_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_templates, path)
    return found, path


def get_row(session: Session, list_id: int, row_id: int) -> ReferenceRow:
    """A row of a list that the actor may read. Raises NotFound."""
    row = session.get(ReferenceRow, row_id)
    if row is None or row.list_id != list_id:
        raise NotFound("row of the list", row_id)
    return row


def find_reference_lists(scope: tuple[str, ...]) -> Select[ReferenceList, Unit, int]:
    """The lists that can be used on the unit paths of `scope`, each with its unit and number of rows; not ordered."""
    number = (
        select(func.count())
        .where(ReferenceRow.list_id == ReferenceList.id, ReferenceRow.archived_at.is_(None))
        .correlate(ReferenceList)
        .scalar_subquery()
    )
    statement = select(ReferenceList, Unit, number.label("rows")).join(Unit, Unit.id == ReferenceList.unit_id)
    return statement.where(usable_from(scope))


def find_rows(list_id: int, wanted: str = "", *, archived: bool = False) -> Select[ReferenceRow]:
    """The rows of a list that hold `wanted` in some cell; not ordered. `archived`: the archived ones instead."""
    statement = select(ReferenceRow).where(ReferenceRow.list_id == list_id)
    statement = statement.where(
        ReferenceRow.archived_at.is_not(None) if archived else ReferenceRow.archived_at.is_(None)
    )
    return statement.where(row_holds(wanted)) if wanted else statement


def row_holds(wanted: str) -> ColumnElement[bool]:
    """SQL over rows: a cell holds this text."""
    cell = func.jsonb_each_text(ReferenceRow.values).table_valued(column("key", Text), column("value", Text)).alias()
    in_cells = exists(select(1).select_from(cell).where(cell.c.value.icontains(wanted, autoescape=True)))
    return or_(ReferenceRow.name.icontains(wanted, autoescape=True), in_cells)


def usable_lists(session: Session, path: str, names: Collection[str] | None = None) -> dict[str, ReferenceList]:
    """The lists that a campaign of the unit at `path` picks from, by name: of the nearest unit that has one. `names`:
    only these.
    """
    ids = split_path(path)
    statement = (
        select(ReferenceList)
        .join(Unit, Unit.id == ReferenceList.unit_id)
        .where(Unit.id.in_(ids))
        .order_by(func.length(Unit.path))
    )
    if names is not None:
        statement = statement.where(ReferenceList.name.in_(names))
    return {one.name: one for one in session.scalars(statement)}


def label_columns(session: Session, path: str, variables: Collection[str]) -> dict[str, str]:
    """What people call those of these variables that are columns of lists which the unit at `path` can use: 场地·名称
    of venue.name.
    """
    names = {name.partition(".")[0] for name in variables if is_dotted(name)}
    found = usable_lists(session, path, names) if names else {}
    labels = {f"{name}.{one.name}": f"{of.label}·{one.label}" for name, of in found.items() for one in columns_of(of)}
    return {name: labels[name] for name in variables if name in labels}


def find_naming_templates(found: ReferenceList, path: str) -> Select[Template, TemplateVersion]:
    """The templates whose newest version names the list; `path` is its unit's. Not ordered."""
    named = func.array_to_string(TemplateVersion.variables, "\n").op("~", is_comparison=True)(f"(^|\n){found.name}[.]")
    return find_templates((path,)).where(named)


def columns_of(found: ReferenceList) -> list[ListColumn]:
    """The columns of a list, in order; the first names the rows."""
    return [ListColumn(*one) for one in found.columns]


def describe_row(row: ReferenceRow) -> dict[str, str]:
    """A row's cells by column, its name among them."""
    return {**row.values, NAME: row.name}


def check_part(field: str, name: str) -> None:
    """Raises Invalid(field) for what cannot stand on one side of the dot in `{{ venue.address }}`."""
    plain = unicodedata.normalize("NFKC", name) == name
    if not (name.isidentifier() and plain and len(name) <= LONGEST_PART and not name.startswith("_")):
        message = "must be a word of at most {most} letters, Chinese characters and digits, such as venue or 场地"
        raise Invalid(field, name[:200], say(message, most=LONGEST_PART))


def find_wrong_cell(text: str) -> Said | None:
    """Why a text cannot stand in a cell."""
    if len(text) > LONGEST_VALUE:
        return say("has {number} characters; at most {most} are allowed", number=len(text), most=LONGEST_VALUE)
    if mark := find_place(text):
        return say("holds {mark}, which would be sent as it stands; write what is meant", mark=mark)
    return None


def count_list_rows(session: Session, list_id: int) -> int:
    """How many rows can be picked."""
    return session.scalars(select(func.count()).select_from(find_rows(list_id).subquery())).one()


def mark_changed(session: Session, found: ReferenceList) -> None:
    """Note that its rows changed, for whoever has an older state before them."""
    session.flush()
    session.execute(
        update(ReferenceList)
        .where(ReferenceList.id == found.id)
        .values(version=ReferenceList.version + 1, changed_at=func.now())
    )
    session.refresh(found)


def _require_room(session: Session, list_id: int) -> None:
    if count_list_rows(session, list_id) >= MOST_ROWS:
        raise Conflict(say("the list has {most} rows; it can have no more", most=MOST_ROWS))


def _next_place(session: Session, list_id: int) -> int:
    last = select(func.coalesce(func.max(ReferenceRow.place), 0)).where(ReferenceRow.list_id == list_id)
    return session.scalars(last).one() + 1
