"""How far the people of a series are: every number is that of a list, and each list is within what one may read."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.ledger.models import Message
from sms_service.reports.progress import (
    HadChoice,
    ProgressLine,
    ReaderProgress,
    count_progress,
    describe_readers,
    find_readers,
    open_readers,
)
from tests.factories import make_actor, make_person, make_unit
from tests.schedules.eventful import EventTown
from tests.schedules.late import deliver_texts, fire_day, join_branch, make_readers_town


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_readers_town(database)


def read(
    session: Session,
    actor: Actor,
    town: EventTown,
    unit_id: int | None = None,
    had: str | None = None,
    subtree: bool = True,
) -> list[ReaderProgress]:
    readers = open_readers(session, actor, town.campaign_id, unit_id)
    return describe_readers(readers, session.execute(find_readers(readers, had, subtree=subtree)).all())


def test_each_number_is_that_of_a_list(database: Database, session: Session, town: EventTown) -> None:
    fire_day(town, 1)
    deliver_texts(session, "支部党员")
    session.commit()
    newcomer = join_branch(database, town, "新党员")
    fire_day(town, 2)
    deliver_texts(session, "支部党员")
    readers = open_readers(session, town.officer, town.campaign_id)
    assert (readers.gone, readers.count) == (2, 3)
    own, below = count_progress(session, readers)
    branch = session.scalars(select(Unit).where(Unit.name == "一支部")).one()
    assert own == ProgressLine(town.unit.id, town.unit.name, 4, 5, 2, 2, 1)
    assert sorted(below) == [
        ProgressLine(town.unit.id, town.unit.name, 3, 3, 0, 1, 1),
        ProgressLine(branch.id, "一支部", 1, 2, 2, 1, 0),
    ]
    people = read(session, town.officer, town)
    shown = {one.name: (one.firing, one.had, one.delivered, one.last and one.last.item, one.behind) for one in people}
    assert shown == {
        "无号码": (1, 0, 0, None, 2),
        "新党员": (2, 1, 0, 1, 1),
        "党员0": (1, 2, 0, 2, 0),
        "支部党员": (1, 2, 2, 2, 0),
    }
    assert next(one.person_id for one in people if one.name == "新党员") == newcomer
    for line in (own, *below):
        of_unit = read(session, town.officer, town, line.unit_id, subtree=line == own)
        assert (line.people, line.had, line.delivered) == (
            len(of_unit),
            sum(one.had for one in of_unit),
            sum(one.delivered for one in of_unit),
        )
    assert len(read(session, town.officer, town, had=HadChoice.all)) == own.had_all
    assert len(read(session, town.officer, town, had=HadChoice.none)) == own.had_none
    assert [one.behind for one in read(session, town.officer, town, had=HadChoice.behind)] == [2, 1]


def test_who_shares_a_phone_had_what_went_there(database: Database, session: Session, town: EventTown) -> None:
    with database.session() as own:
        make_person(own, town.unit, name="同号", phone=town.phones[0])
    fire_day(town, 1)
    deliver_texts(session, "党员0")
    had = {one.name: (one.had, one.delivered) for one in read(session, town.officer, town)}
    assert had["同号"] == had["党员0"] == (1, 1)


def test_who_moved_counts_where_they_were_found_last(database: Database, session: Session, town: EventTown) -> None:
    fire_day(town, 1)
    branch = session.scalars(select(Unit).where(Unit.name == "一支部")).one()
    session.execute(update(Person).where(Person.name == "党员0").values(unit_id=branch.id))
    session.commit()
    fire_day(town, 2)
    deliver_texts(session, "")
    (moved,) = (one for one in read(session, town.officer, town) if one.name == "党员0")
    assert (moved.unit_id, moved.had, moved.behind) == (branch.id, 2, 0)
    session.execute(update(Person).where(Person.name == "党员0").values(left_at=func.sms_now()))
    session.commit()
    fire_day(town, 3)
    (left,) = (one for one in read(session, town.officer, town) if one.name == "党员0")
    assert (left.had, left.behind) == (2, 1)


def test_one_sees_what_one_may_read(database: Database, session: Session, town: EventTown) -> None:
    fire_day(town, 1)
    deliver_texts(session, "")
    branch = session.scalars(select(Unit).where(Unit.name == "一支部")).one()
    secretary = make_actor(session, branch)
    assert [one.name for one in read(session, secretary, town)] == ["支部党员"]
    own, below = count_progress(session, open_readers(session, secretary, town.campaign_id))
    assert own is not None
    assert own.people == 1
    assert [one.unit_id for one in below] == [branch.id]
    with pytest.raises(Forbidden):
        open_readers(session, secretary, town.campaign_id, town.unit.id)
    stranger = make_actor(session, make_unit(session))
    with pytest.raises(Forbidden):
        open_readers(session, stranger, town.campaign_id)
    with pytest.raises(Invalid, match="unit of the series"):
        open_readers(session, SYSTEM, town.campaign_id, make_unit(session).id)
    other = make_unit(session, parent=session.merge(town.unit), name="二支部", level="branch")
    both = Actor(secretary.account_id, secretary.login, secretary.grants + make_actor(session, other).grants)
    session.execute(update(Message).where(Message.unit_id == town.unit.id).values(unit_id=other.id))
    own, below = count_progress(session, open_readers(session, both, town.campaign_id))
    assert own is None
    assert [(one.unit, one.people, one.had) for one in below] == [("一支部", 1, 1), ("二支部", 2, 1)]
    with pytest.raises(NotFound):
        open_readers(session, SYSTEM, 10**9)


def test_before_the_first_text_there_is_nobody(session: Session, town: EventTown) -> None:
    readers = open_readers(session, town.officer, town.campaign_id)
    assert (readers.gone, readers.count, read(session, town.officer, town)) == (0, 3, [])
    assert count_progress(session, readers) == (ProgressLine(town.unit.id, town.unit.name, 0, 0, 0, 0, 0), [])


def test_it_is_read_from_the_shell(
    database_url: str, redis_url: str, session: Session, town: EventTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire_day(town, 1)
    deliver_texts(session, "支部党员")
    session.commit()
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    lines = CliRunner().invoke(main, ["campaign", "progress", str(town.campaign_id)]).output.splitlines()
    assert lines[0] == "1 of 3 texts so far"
    assert lines[1] == f"{town.unit.name}: 3 people, 2 texts, 1 delivered, 2 had all, 1 had none"
    named = CliRunner().invoke(main, ["campaign", "progress", str(town.campaign_id), "--people", "--had", "none"])
    assert named.output.splitlines()[1:] == [
        f"无号码 (no phone), {town.unit.name}: 0 texts, 0 delivered, nothing yet, 1 behind"
    ]
