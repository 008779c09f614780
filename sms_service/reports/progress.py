"""How far the people of a series are: what each of them had of its texts, and how many of a unit had all or none.

A *text so far* is one that fired for those who began with the series, once its run was frozen. Somebody *had* a text
that left for them, or may have; where it went to the same phone under another name, they had that. A person counts in
the unit for which they were found last, where that is in the tree now; whoever left or moved keeps what they had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.items import ITEMS, Item, read_items
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import child_id
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.replies.earlier import TEXTED
from sms_service.said import as_said, say
from sms_service.schedules.cohorts import FIRST
from sms_service.vocabulary import Words


class HadChoice(Words):
    """Which people of a series are listed."""

    all = "all"  # who had all texts so far
    behind = "behind"  # who lacks some
    none = "none"  # who had none


class SeriesText(NamedTuple):
    """A run of a series, with the label of its text."""

    item: int
    label: str
    firing: int
    day: date
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Readers:
    """A series with its `items` in their order, within what somebody may read of it: the subtrees at `paths`, of these
    `units`. `texts`: the runs of it that were frozen, by their ids; `gone`: how many texts fired so far, of how many
    (`count`); `people`: one row each.
    """

    campaign: Campaign
    items: Sequence[Item]
    paths: tuple[str, ...]
    units: tuple[Unit, ...]
    texts: Mapping[int, SeriesText]
    gone: int
    count: int
    people: Subquery


class ProgressLine(NamedTuple):
    """A unit with all below it: its people, the texts that they had together and how many of these were delivered, and
    how many people had all texts so far, and none.
    """

    unit_id: int
    unit: str
    people: int
    had: int
    delivered: int
    had_all: int
    had_none: int


class ReaderProgress(NamedTuple):
    """One person of a series. `last`: the text that they had last. `behind`: how many of the texts so far they did not
    have. `firing`: their cohort's; 1 of those who began with the series.
    """

    person_id: int
    name: str | None
    phone: str | None
    unit_id: int
    unit: str
    firing: int
    had: int
    delivered: int
    last: SeriesText | None
    behind: int


def open_readers(session: Session, actor: Actor, campaign_id: int, unit_id: int | None = None) -> Readers:
    """A series with its people within the unit's subtree; None: wherever the actor may read.

    Raises NotFound, also for a campaign that is no series, Forbidden, Invalid (`unit`) for a unit that is not below
    the series' own, and Conflict where rows of the series are archived.
    """
    campaign = session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    own = unit_path(session, campaign.unit_id)
    if unit_id is None:
        paths = _list_readable(actor, own)
        if not paths:
            message = "{login} holds no role on the unit of {kind} {name}, nor above or below it"
            raise Forbidden(say(message, login=actor.login, kind=as_said("campaign"), name=campaign_id))
    else:
        paths = (unit_path(session, unit_id),)
        actor.require(Permission.read, paths[0])
        if not paths[0].startswith(own):
            raise Invalid("unit", unit_id, "must be the unit of the series or one below it")
    if campaign.kind != CampaignKind.series:
        raise NotFound("series of campaign", campaign_id)
    require_unarchived(session, Run.campaign_id == campaign_id)
    items = read_items(session.scalar(select(ITEMS).select_from(Campaign).where(Campaign.id == campaign_id)))
    labels = {item.number: item.label for item in items}
    runs = session.execute(
        select(Run.id, Run.month, Run.item, Run.firing, Run.day, Run.due_at).where(
            Run.campaign_id == campaign_id, Run.kind == "campaign", Run.frozen_at.is_not(None)
        )
    ).all()
    texts = {run.id: SeriesText(run.item, labels.get(run.item, ""), run.firing, run.day, run.due_at) for run in runs}
    gone = {text.item for text in texts.values() if text.firing == FIRST}
    months = defaultdict[date, list[int]](list)
    for run in runs:
        months[run.month].append(run.id)
    units = tuple(session.scalars(select(Unit).where(Unit.path.in_(paths)).order_by(Unit.path)))
    count = len({item.number for item in items if not item.skipped} | gone)
    return Readers(campaign, items, paths, units, texts, len(gone), count, _people(months))


def count_progress(session: Session, readers: Readers) -> tuple[ProgressLine | None, list[ProgressLine]]:
    """All of them together under the one unit that is read, None where these are several; and by the units right below
    it, or by these.
    """
    people, paths = readers.people, readers.paths
    line: ColumnElement[Any] = child_id(paths[0])
    if len(paths) > 1:
        line = case(*((Unit.path.op("^@")(path), int(path.rstrip("/").rpartition("/")[2])) for path in paths))
    counted = (
        select(
            cast(line, BigInteger).label("unit_id"),
            func.count().label("people"),
            cast(func.sum(people.c.had), Integer).label("had"),
            cast(func.sum(people.c.delivered), Integer).label("delivered"),
            func.count().filter(people.c.had >= readers.gone).label("had_all"),
            func.count().filter(people.c.had == 0).label("had_none"),
        )
        .select_from(people)
        .join(Unit, Unit.id == people.c.unit_id)
        .where(_within(paths))
        .group_by(line)
        .subquery()
    )
    own = aliased(Unit)
    rows = session.execute(
        select(own.id, own.name, *(counted.c[name] for name in ProgressLine._fields[2:]))
        .join(counted, counted.c.unit_id == own.id)
        .order_by(own.id)
    )
    lines = [ProgressLine(*row) for row in rows]
    if len(paths) > 1:
        return None, lines
    (unit,) = readers.units
    sums = (sum(numbers) for numbers in zip(*(one[2:] for one in lines), strict=True)) if lines else (0,) * 5
    return ProgressLine(unit.id, unit.name, *sums), lines


def find_readers(
    readers: Readers, had: str | None = None, *, subtree: bool = True, firing: int | None = None
) -> Select[*tuple[Any, ...]]:
    """The people: a statement of rows for `describe_readers`, to be paged by its columns `had` and `person_id`. `had`:
    only those of a HadChoice; `firing`: only those of this cohort; without the `subtree`: only those of the units
    themselves.
    """
    people = readers.people
    wanted: dict[str | None, ColumnElement[bool]] = {
        HadChoice.all: people.c.had >= readers.gone,
        HadChoice.behind: people.c.had < readers.gone,
        HadChoice.none: people.c.had == 0,
    }
    statement: Select[*tuple[Any, ...]] = (
        select(people, Person.name, Person.phone, Unit.name.label("unit"))
        .select_from(people)
        .join(Unit, Unit.id == people.c.unit_id)
        .outerjoin(Person, Person.id == people.c.person_id)
        .where(_within(readers.paths) if subtree else Unit.path.in_(readers.paths))
    )
    if firing is not None:
        of_cohort = [run_id for run_id, text in readers.texts.items() if text.firing == firing]
        statement = statement.where(people.c.newest == any_(literal(of_cohort, ARRAY(BigInteger))))
    return statement if had is None else statement.where(wanted[had])


def describe_readers(readers: Readers, rows: Sequence[Any]) -> list[ReaderProgress]:
    """The rows of `find_readers` as people read them. Phones are whole: whoever shows them masks them."""
    return [
        ReaderProgress(
            row.person_id,
            row.name,
            row.phone,
            row.unit_id,
            row.unit,
            readers.texts[row.newest].firing,
            row.had,
            row.delivered,
            None if row.last is None else readers.texts[row.last],
            max(readers.gone - row.had, 0),
        )
        for row in rows
    ]


def _list_readable(actor: Actor, path: str) -> tuple[str, ...]:
    """The paths of the subtrees that the actor may read within the one at `path`."""
    held = actor.scope(Permission.read)
    return (path,) if actor.can(Permission.read, path) else tuple(one for one in held if one.startswith(path))


def _within(paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(Unit.path.op("^@")(path) for path in paths))


def _people(months: Mapping[date, Sequence[int]]) -> Subquery:
    """One row for each person of these runs: `had` and `delivered` texts, the unit of the newest run, that run and the
    last one of which they had the text. An item fires for a person once, so its rows are added up.
    """
    rows = union_all(*(_rows(month, ids) for month, ids in months.items()) if months else (_rows(date.min, ()),))
    row = rows.subquery("rows")
    has = row.c.status.in_(TEXTED)
    of_unit = (
        select(
            row.c.person_id,
            row.c.unit_id,
            func.count().filter(has).label("had"),
            func.count().filter(row.c.status == MessageStatus.delivered).label("delivered"),
            func.max(row.c.run_id).label("newest"),
            func.max(row.c.run_id).filter(has).label("last"),
        )
        .group_by(row.c.person_id, row.c.unit_id)
        .subquery("of_unit")
    )
    newest = aggregate_order_by(of_unit.c.unit_id, of_unit.c.newest.desc(), of_unit.c.unit_id)
    return (
        select(
            of_unit.c.person_id,
            func.array_agg(newest, type_=ARRAY(BigInteger))[1].label("unit_id"),
            cast(func.sum(of_unit.c.had), Integer).label("had"),
            cast(func.sum(of_unit.c.delivered), Integer).label("delivered"),
            func.max(of_unit.c.newest).label("newest"),
            func.max(of_unit.c.last).label("last"),
        )
        .group_by(of_unit.c.person_id)
        .subquery("readers")
    )


def _rows(month: date, run_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    """The rows of runs of one month. One that names another person's row has what became of that; one that names the
    same person's, for another unit, counts there and has nothing.
    """
    own, sent = aliased(Message), aliased(Message)
    of_sent = select(sent.status).where(
        sent.month == literal(month), sent.id == own.duplicate_of, sent.person_id != own.person_id
    )
    status = case((own.duplicate_of.is_(None), own.status), else_=of_sent.scalar_subquery())
    wanted = own.month == literal(month), own.run_id == any_(literal(list(run_ids), ARRAY(BigInteger)))
    return select(own.person_id, own.unit_id, own.run_id, status.label("status")).where(*wanted)
