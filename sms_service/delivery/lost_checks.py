"""Checks of people whom texts do not reach: the list of a branch, its answers, and counts up the tree.

An answer changes the person within the transaction that closes the check, and the trail has who gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, false, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, Grant, unit_path
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import SYSTEM_ROLE, Permission
from sms_service.audience.intake import change_taken_in_person
from sms_service.audit import trail
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.delivery.models import GIVEN_ANSWERS, CheckAnswer, LostCheck, MissedText
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import child_id
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say

MOST_UNITS = 500


class UnitChecks(NamedTuple):
    """A unit with all below it: how many checks are open, and how many ended with each answer."""

    id: int
    name: str
    open: int
    answers: Mapping[str, int]


def find_checks(paths: Sequence[str], *, answered: bool | None = False) -> Select[*tuple[Any, ...]]:
    """The checks of people of the units that are now within the subtrees at `paths`, open ones or `answered` ones
    (None: both), as rows (LostCheck, Person, unit, path, login, by_name), to be ordered and paged. Phones are whole:
    whoever shows them masks them.
    """
    answerer = aliased(Account)
    statement: Select[*tuple[Any, ...]] = (
        select(LostCheck, Person, Unit.name.label("unit"), Unit.path.label("path"))
        .add_columns(answerer.login.label("login"), answerer.name.label("by_name"))
        .join(Person, Person.id == LostCheck.person_id)
        .join(Unit, Unit.id == Person.unit_id)
        .outerjoin(answerer, answerer.id == LostCheck.answered_by)
        .where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    )
    if answered is None:
        return statement
    return statement.where(LostCheck.answer.is_not(None) if answered else LostCheck.answer.is_(None))


def get_check(session: Session, actor: Actor, check_id: int) -> Any:
    """One check as a row of `find_checks`. Raises NotFound or Forbidden."""
    row = session.execute(find_checks(["/"], answered=None).where(LostCheck.id == check_id)).one_or_none()
    if row is None:
        raise NotFound("check", check_id)
    actor.require(Permission.read, row.path)
    return row


def answer_check(session: Session, actor: Actor, check_id: int, answer: str, phone: str | None = None) -> LostCheck:
    """Close the check with what the branch found out, and do what follows from it:

    `found`: the number is right, and the person knows of the texts. `new_number`: `phone` is the person's from now on.
    `moved_away`: the person has left. `lost`: texts to the person are skipped until somebody finds them.

    Raises Invalid (`answer`, `phone`), NotFound, Forbidden without check_people over the person's unit, or Conflict if
    it was answered before.
    """
    if answer not in GIVEN_ANSWERS:
        raise Invalid("answer", answer, say("must be one of {words}", words=GIVEN_ANSWERS))
    if (answer == CheckAnswer.new_number) != (phone is not None):
        raise Invalid("phone", None, "is needed with a new number, and with nothing else")
    check = session.get(LostCheck, check_id, with_for_update=True, populate_existing=True)
    if check is None:
        raise NotFound("check", check_id)
    person = session.get_one(Person, check.person_id)
    path = unit_path(session, person.unit_id)
    actor.require(Permission.check_people, path)
    if check.answer is not None:
        raise Conflict(say("the check was closed before: {answer}", answer=check.answer))
    match answer:
        case CheckAnswer.new_number:
            _change(session, actor, person, path, phone=phone)
        case CheckAnswer.moved_away:
            _change(session, actor, person, path, left=True)
        case CheckAnswer.lost:
            _change(session, actor, person, path, lost_contact=True)
        case CheckAnswer.found:
            if person.phone is None:
                raise Invalid("answer", answer, "needs a number: the person has none, so give the new one")
    # Somebody has spoken of the person, whatever else changes: who vanished from a file (directory.vanished) is there.
    session.execute(update(Person).where(Person.id == person.id).values(suspect_since=None, updated_at=func.now()))
    session.execute(delete(MissedText).where(MissedText.person_id == person.id))
    ended = {"answer": answer, "answered_by": actor.account_id, "answered_at": func.sms_now()}
    session.execute(update(LostCheck).where(LostCheck.id == check_id).values(ended))
    session.refresh(check)
    trail.record_act(session, actor.account_id, "check.answer", "person", person.id, path, answer=answer)
    return check


def count_open_checks(actor: Actor) -> Waiting | None:
    """How many open checks the actor may answer, as a task; None: the actor may answer none anywhere."""
    paths = actor.scope(Permission.check_people)
    if not paths:
        return None
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    return (
        select_waiting(LostCheck.id, LostCheck.opened_at.expression)
        .join(Person, Person.id == LostCheck.person_id)
        .join(Unit, Unit.id == Person.unit_id)
        .where(LostCheck.answer.is_(None), within)
    )


def count_checks(session: Session, actor: Actor, unit_id: int) -> list[UnitChecks]:
    """The checks of the unit's own people, and those of each unit right below it with all that is below that: those
    with the most open ones first, units without a check left out.

    Raises NotFound or Forbidden.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    group = child_id(path).label("id")
    answer = func.coalesce(LostCheck.answer, literal("")).label("answer")
    counted = (
        select(group, answer, func.count().label("number"))
        .select_from(LostCheck)
        .join(Person, Person.id == LostCheck.person_id)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Unit.path.op("^@")(path))
        .group_by(group, answer)
        .subquery()
    )
    top = aliased(Unit)
    rows = session.execute(
        select(top.id, top.name, counted.c.answer, counted.c.number).join(top, top.id == counted.c.id)
    )
    found: dict[int, UnitChecks] = {}
    for row in rows:
        unit = found.setdefault(row.id, UnitChecks(row.id, row.name, 0, {}))
        if row.answer:
            found[row.id] = unit._replace(answers={**unit.answers, row.answer: row.number})
        else:
            found[row.id] = unit._replace(open=row.number)
    return sorted(found.values(), key=lambda unit: (-unit.open, unit.name))[:MOST_UNITS]


def _change(session: Session, actor: Actor, person: Person, path: str, **changes: Any) -> None:
    """Change the person for whoever may answer the check, though they may not change people otherwise."""
    lent = Actor(actor.account_id, actor.login, (Grant(SYSTEM_ROLE, person.unit_id, path),))
    change_taken_in_person(session, lent, person.id, **changes)
