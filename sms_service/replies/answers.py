"""Which answer of a person counts, and how many people of each unit gave which.

Of what somebody said before the question closed, the last yes, no or choice counts; if there is none, the last text
that was not understood. What came later is late and counts nothing. People are counted, not texts: who was reminded is
one person, and who shares a phone with somebody has answered what that phone answered. A person counts in the unit for
which they were asked first, where that is in the tree now.

Asked = yes + no + not this person + a choice + not understood + silent + not reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    case,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import child_id
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.gathering import gather_people
from sms_service.said import as_said, say
from sms_service.vocabulary import AnswerGroup, Meaning


@dataclass(frozen=True, slots=True)
class Respondents:
    """A question within what somebody may read of it: the subtrees at `paths`, of these `units`; `path` is that of the
    campaign's unit. `people`: one row for each who was asked.
    """

    question: QuestionRow
    path: str
    paths: tuple[str, ...]
    units: tuple[Unit, ...]
    people: Subquery


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """A unit with all below it, in people. `coming`: how many come by the yes of those who said so, one where they did
    not say how many; a number that a shared phone said counts once. `options`: how many chose each answer of a survey.
    """

    unit_id: int
    unit: str
    asked: int
    reached: int
    yes: int
    coming: int
    no: int
    choice: int
    wrong_person: int
    free_text: int
    silent: int
    unreached: int
    late: int
    options: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether nobody is missing."""
        said = self.yes + self.no + self.choice + self.wrong_person + self.free_text
        return self.asked == said + self.silent + self.unreached


def find_question(session: Session, question_id: int) -> tuple[QuestionRow, str]:
    """A question, and where the unit of its campaign is now. Raises NotFound."""
    found = session.execute(
        select(QuestionRow, Unit.path)
        .join(Campaign, Campaign.id == QuestionRow.campaign_id)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(QuestionRow.id == question_id)
    ).one_or_none()
    if found is None:
        raise NotFound("question of a campaign", question_id)
    return found[0], found[1]


def open_respondents(session: Session, actor: Actor, question_id: int, unit_id: int | None = None) -> Respondents:
    """A question with the people whom it asks, within the unit's subtree; None: wherever the actor may read.

    Raises NotFound, Forbidden, Invalid (`unit`) for a unit that is not below that of the question, and Conflict where
    rows of it are archived.
    """
    question, own = find_question(session, question_id)
    if unit_id is None:
        paths = list_readable(actor, own, question_id)
    else:
        paths = (unit_path(session, unit_id),)
        actor.require(Permission.read, paths[0])
        if not paths[0].startswith(own):
            raise Invalid("unit", unit_id, "must be the unit of the question or one below it")
    require_unarchived(session, Run.question_id == question_id)
    runs = session.execute(
        select(Run.id, Run.month).where(
            Run.question_id == question_id, Run.kind == "campaign", Run.frozen_at.is_not(None)
        )
    )
    months = defaultdict[date, list[int]](list)
    for run_id, month in runs:
        months[month].append(run_id)
    units = tuple(session.scalars(select(Unit).where(Unit.path.in_(paths)).order_by(Unit.path)))
    return Respondents(question, own, paths, units, gather_people(question, months))


def list_readable(actor: Actor, path: str, question_id: int) -> tuple[str, ...]:
    """The paths of the subtrees that the actor may read within that of the question's unit, at `path`. Raises Forbidden
    if there is none.
    """
    held = actor.scope(Permission.read)
    paths = (path,) if actor.can(Permission.read, path) else tuple(one for one in held if one.startswith(path))
    if not paths:
        message = "{login} holds no role on the unit of {kind} {name}, nor above or below it"
        raise Forbidden(say(message, login=actor.login, kind=as_said("question of a campaign"), name=question_id))
    return paths


def count_answers(
    session: Session, actor: Actor, question_id: int, unit_id: int | None = None
) -> tuple[AnswerLine | None, list[AnswerLine]]:
    """What `count_respondents` says of `open_respondents`, which see."""
    return count_respondents(session, open_respondents(session, actor, question_id, unit_id))


def count_respondents(session: Session, respondents: Respondents) -> tuple[AnswerLine | None, list[AnswerLine]]:
    """All together under the one unit that is read, None where these are several; and by the units right below it, or
    by these. The lines add up to the whole.
    """
    people, paths = respondents.people.c, respondents.paths
    line: ColumnElement[Any] = child_id(paths[0])
    if len(paths) > 1:
        line = case(*((Unit.path.op("^@")(path), int(path.rstrip("/").rpartition("/")[2])) for path in paths))
    said = (Meaning.yes, Meaning.no, Meaning.choice, Meaning.wrong_person, Meaning.free_text)
    numbers = {one.value: func.count().filter(people.said == one) for one in said} | {
        "asked": func.count(),
        "reached": func.count().filter(people.reached),
        "coming": func.coalesce(cast(func.sum(people.coming), Integer), 0),
        "silent": func.count().filter(people.said.is_(None), people.reached),
        "unreached": func.count().filter(people.said.is_(None), ~people.reached),
        "late": func.count().filter(people.is_late),
    }
    options = [
        func.count().filter(people.choices == str(place)).label(f"option_{place}")
        for place, _ in enumerate(list_survey_options(respondents.question), start=1)
    ]
    counted = (
        select(
            cast(line, BigInteger).label("unit_id"), *(number.label(name) for name, number in numbers.items()), *options
        )
        .select_from(respondents.people)
        .join(Unit, Unit.id == people.unit_id)
        .where(_within(paths))
        .group_by(line)
        .subquery()
    )
    own = aliased(Unit)
    columns = *(counted.c[name] for name in numbers), *(counted.c[option.name] for option in options)
    rows = session.execute(
        select(own.id, own.name, *columns).join(counted, counted.c.unit_id == own.id).order_by(own.path)
    )
    first = 2 + len(numbers)
    lines = [
        AnswerLine(row[0], row[1], **dict(zip(numbers, row[2:first], strict=True)), options=tuple(row[first:]))
        for row in rows
    ]
    return (add_lines(respondents.units[0], lines, len(options)) if len(paths) == 1 else None), lines


def add_lines(unit: Unit, lines: Sequence[AnswerLine], options: int) -> AnswerLine:
    """The lines of disjoint units together, under the unit's name; `options`: how many answers the survey has."""
    names = [field.name for field in fields(AnswerLine) if field.name not in ("unit_id", "unit", "options")]
    sums = {name: sum(getattr(line, name) for line in lines) for name in names}
    chosen = tuple(sum(line.options[place] for line in lines) for place in range(options))
    return AnswerLine(unit.id, unit.name, **sums, options=chosen)


def list_survey_options(question: QuestionRow) -> Sequence[str]:
    """The answers among which a survey lets people choose; none of any other question."""
    found: Sequence[str] = question.asks.get("options", ())
    return found


def find_respondents(
    respondents: Respondents, group: str = AnswerGroup.all, *, option: int | None = None, subtree: bool = True
) -> Select[*tuple[Any, ...]]:
    """The people of an AnswerGroup, to be paged by `Respondents.name` and `people.c.person_id`: rows of
    `people` with `name`, `phone`, `unit`. `option`: only those who chose this answer; without the `subtree`: only those
    of the units themselves.
    """
    people = respondents.people.c
    wanted: Mapping[str, Sequence[ColumnElement[bool]]] = {
        AnswerGroup.all: (),
        AnswerGroup.reached: (people.reached,),
        AnswerGroup.silent: (people.said.is_(None), people.reached),
        AnswerGroup.unreached: (people.said.is_(None), ~people.reached),
        AnswerGroup.late: (people.is_late,),
    }
    statement: Select[*tuple[Any, ...]] = (
        select(respondents.people, Person.name, Person.phone, Unit.name.label("unit"), Unit.path.label("path"))
        .select_from(respondents.people)
        .join(Unit, Unit.id == people.unit_id)
        .outerjoin(Person, Person.id == people.person_id)
        .where(_within(respondents.paths) if subtree else Unit.path.in_(respondents.paths))
        .where(*wanted.get(group, (people.said == group,)))
    )
    return statement if option is None else statement.where(people.choices == str(option))


def name_of_respondent() -> ColumnElement[str]:
    """By what `find_respondents` is ordered: the name, "" of somebody erased."""
    return func.coalesce(Person.name, "")


def _within(paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(Unit.path.op("^@")(path) for path in paths))
