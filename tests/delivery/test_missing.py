"""Whom texts do not reach: when a branch is asked, what its answer does, and when no answer is needed any more."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.delivery import lost_checks, missing
from sms_service.delivery.models import LostCheck, MissedText
from sms_service.directory.models import Person, Unit
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.dispatch.city import ALL_DAY, City, ScriptedAdapter, ScriptedGateways, drain, make_city, make_run
from tests.factories import fictional_phone, make_actor, make_person, make_unit


@pytest.fixture
def city(database: Database) -> City:
    return make_city(database, 0, freeze_now=False)


@pytest.fixture
def branch(session: Session, city: City) -> Unit:
    branch = make_unit(session, name="第一支部", parent=session.get_one(Unit, city.unit.id), level="branch", **ALL_DAY)
    for name in ("张三", "李四"):
        make_person(session, branch, name)
    make_person(session, branch, "无号", phone=None)
    session.commit()
    return branch


def close_run(database: Database, unit: Unit, campaign_id: int | None = None, **became: tuple[str, str | None]) -> int:
    """A run to everybody that has closed, in which these people's texts became that (status, reason); the others'
    arrived.
    """
    with database.session() as session:
        run_id = make_run(session, session.get_one(Unit, unit.id)).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, ScriptedGateways({"main": ScriptedAdapter()}))
    with database.session() as session:
        names = {person.name: person.id for person in session.scalars(select(Person))}
        session.execute(
            text("UPDATE messages SET status = 'delivered' WHERE run_id = :run AND status <> 'skipped'"),
            {"run": run_id},
        )
        for name, (status, reason) in became.items():
            session.execute(
                text("UPDATE messages SET status = :status, reason = :reason WHERE run_id = :run AND person_id = :id"),
                {"run": run_id, "id": names[name], "status": status, "reason": reason},
            )
        session.execute(
            text("UPDATE runs SET status = 'closed', closed_at = sms_now() WHERE id = :run"), {"run": run_id}
        )
        if campaign_id is not None:
            session.execute(
                text("UPDATE runs SET campaign_id = :campaign, firing = id WHERE id = :run"),
                {"run": run_id, "campaign": campaign_id},
            )
    return run_id


def open_checks(session: Session) -> dict[str, tuple[str, int]]:
    session.expire_all()
    return {
        row.Person.name: (row.LostCheck.cause, row.LostCheck.campaigns)
        for row in session.execute(lost_checks.find_checks(["/"]))
    }


SILENT: dict[str, tuple[str, str | None]] = {"李四": ("undelivered", "unreachable")}


def test_three_campaigns_in_a_row_without_one_that_arrives(database: Database, session: Session, branch: Unit) -> None:
    for status in (("undelivered", "unreachable"), ("no_receipt", None)):
        close_run(database, branch, 李四=status)
        assert missing.look_for_missing(database).opened == 0
    close_run(database, branch)  # one arrives
    assert missing.look_for_missing(database).opened == 1, "who has no number is not reached by any"
    assert open_checks(session) == {"无号": ("not_reached", 3)}
    for count in (0, 0, 1):
        close_run(database, branch, **SILENT)
        assert missing.look_for_missing(database).opened == count
    assert open_checks(session) == {"无号": ("not_reached", 3), "李四": ("not_reached", 3)}
    assert missing.look_for_missing(database) == missing.Checked(0, 0), "a run is looked at once"
    close_run(database, branch, **SILENT)
    missing.look_for_missing(database)
    assert len(open_checks(session)) == 2, "nobody is asked for twice at once"
    close_run(database, branch)
    assert missing.look_for_missing(database).closed == 1, "a text arrived"
    assert list(open_checks(session)) == ["无号"]
    ended = session.scalars(select(LostCheck).where(LostCheck.answer.is_not(None))).one()
    assert (ended.answer, ended.answered_by) == ("reached", None)


def test_what_does_not_count(database: Database, session: Session, branch: Unit) -> None:
    """A fault of the gateway, a run of which nothing arrived, and a campaign that is sent again."""
    for _ in range(3):
        close_run(database, branch, 李四=("undelivered", "carrier"))
        close_run(database, branch, 张三=("no_receipt", None), 李四=("no_receipt", None))
    missing.look_for_missing(database)
    missing.look_for_missing(database)
    assert list(open_checks(session)) == ["无号"]
    campaign = None
    for _ in range(3):
        run_id = close_run(database, branch, campaign, **SILENT)
        campaign = (
            campaign or session.scalars(text("SELECT campaign_id FROM runs WHERE id = :i").bindparams(i=run_id)).one()
        )
    missing.look_for_missing(database)
    assert list(open_checks(session)) == ["无号"], "one campaign proves nothing"


def test_a_suspect_is_asked_for_at_once_and_forgotten_with_another_number(
    database: Database, session: Session, branch: Unit
) -> None:
    session.execute(text("UPDATE people SET suspect_since = sms_now() WHERE name = '李四'"))
    session.commit()
    assert missing.look_for_missing(database).opened == 1
    assert open_checks(session) == {"李四": ("dead_number", 0)}
    session.execute(text("UPDATE people SET suspect_since = NULL"))
    session.commit()
    assert missing.look_for_missing(database).closed == 1
    session.execute(text("UPDATE people SET suspect_since = sms_now()"))
    session.commit()
    assert missing.look_for_missing(database).opened == 3
    session.execute(text("UPDATE people SET lost_contact = true"))
    session.commit()
    assert missing.look_for_missing(database).closed == 3
    assert set(session.scalars(select(LostCheck.answer))) == {"reached", "gone"}


def asked(database: Database, session: Session) -> dict[str, int]:
    """Everybody is suspect and asked for: the checks by name."""
    session.execute(text("UPDATE people SET suspect_since = sms_now()"))
    session.commit()
    missing.look_for_missing(database)
    session.expire_all()
    return {row.Person.name: row.LostCheck.id for row in session.execute(lost_checks.find_checks(["/"]))}


def test_each_answer_does_what_it_says(database: Database, session: Session, branch: Unit) -> None:
    make_person(session, branch, "王五")
    make_person(session, branch, "退订", tags=["不接收短信"])
    checks = asked(database, session)
    session.add(
        MissedText(
            person_id=session.scalars(select(Person.id).filter_by(name="张三")).one(),
            run_id=1,
            campaign_id=1,
            at=session.scalar(text("SELECT sms_now()")),
        )
    )
    secretary, phone, other = make_actor(session, branch), fictional_phone(), fictional_phone()
    answers: list[tuple[str, str, str | None]] = [
        ("张三", "found", None), ("李四", "moved_away", None), ("王五", "lost", None),
        ("无号", "new_number", phone), ("退订", "new_number", other),
    ]  # fmt: skip
    for name, answer, given in answers:
        check = lost_checks.answer_check(session, secretary, checks[name], answer, given)
        assert (check.answer, check.answered_by) == (answer, secretary.account_id)
        assert check.answered_at is not None
    session.commit()
    session.expire_all()
    people = {person.name: person for person in session.scalars(select(Person))}
    assert all(person.suspect_since is None for person in people.values())
    assert people["李四"].left_at is not None
    assert people["王五"].lost_contact
    assert people["无号"].phone == phone
    assert session.scalars(select(MissedText)).all() == []
    assert session.scalar(text("SELECT reason FROM suppressions WHERE phone = :p").bindparams(p=other)) == "opted_out"
    assert missing.look_for_missing(database) == missing.Checked(0, 0)
    acts = session.scalars(select(TrailEntry).where(TrailEntry.act == "check.answer").order_by(TrailEntry.id)).all()
    assert [entry.details for entry in acts] == [{"answer": answer} for _, answer, _ in answers]
    assert {entry.account_id for entry in session.scalars(select(TrailEntry))} == {secretary.account_id}
    assert not any(phone[-8:] in str(entry.details) for entry in session.scalars(select(TrailEntry)))
    with pytest.raises(Conflict, match="was closed before"):
        lost_checks.answer_check(session, secretary, checks["张三"], "lost")


def test_what_is_no_answer_and_who_may_not(database: Database, session: Session, branch: Unit) -> None:
    checks = asked(database, session)
    secretary = make_actor(session, branch)
    wrong: tuple[tuple[str, Any], ...] = (
        ("reached", None), ("gone", None), ("x", None), ("found", "13800000000"), ("new_number", None),
        ("new_number", "123"),
    )  # fmt: skip
    for answer, phone in wrong:
        with pytest.raises(Invalid):
            lost_checks.answer_check(session, secretary, checks["张三"], answer, phone)
    with pytest.raises(Invalid, match="needs a number"):
        lost_checks.answer_check(session, secretary, checks["无号"], "found")
    with pytest.raises(NotFound):
        lost_checks.answer_check(session, secretary, 10**9, "found")
    neighbour = make_actor(session, make_unit(session, parent=session.get(Unit, branch.parent_id)))
    for actor in (neighbour, make_actor(session, branch, ("auditor", "approver", "operator"))):
        with pytest.raises(Forbidden, match="check_people"):
            lost_checks.answer_check(session, actor, checks["张三"], "lost")
    with pytest.raises(Forbidden):
        lost_checks.get_check(session, neighbour, checks["张三"])
    assert lost_checks.get_check(session, secretary, checks["张三"]).Person.name == "张三"


def test_counts_go_up_the_tree(database: Database, session: Session, city: City, branch: Unit) -> None:
    top = session.get_one(Unit, city.unit.id)
    make_person(session, top, "市里")
    district = make_unit(session, name="城东区", parent=top)
    make_person(session, make_unit(session, parent=district, level="branch"), "远处")
    checks = asked(database, session)
    lost_checks.answer_check(session, SYSTEM, checks["张三"], "lost")
    found = {unit.name: (unit.open, dict(unit.answers)) for unit in lost_checks.count_checks(session, SYSTEM, top.id)}
    assert found == {"第一支部": (2, {"lost": 1}), "城东区": (1, {}), top.name: (1, {})}
    assert [unit.id for unit in lost_checks.count_checks(session, SYSTEM, branch.id)] == [branch.id]
    with pytest.raises(Forbidden):
        lost_checks.count_checks(session, make_actor(session, branch), top.id)
    mine = lost_checks.count_open_checks(make_actor(session, branch))
    assert mine is not None
    assert session.scalar(mine) == 2
    assert lost_checks.count_open_checks(make_actor(session, branch, ("auditor",))) is None


def test_what_is_old_is_forgotten(database: Database, session: Session, branch: Unit) -> None:
    old, last = close_run(database, branch), close_run(database, branch)
    session.execute(text("UPDATE runs SET closed_at = closed_at - interval '2 days' WHERE id = :i").bindparams(i=old))
    session.commit()
    missing.look_for_missing(database)
    session.execute(text("UPDATE missed_texts SET at = at - interval '366 days' WHERE run_id = :i").bindparams(i=old))
    session.commit()
    missing.forget_missed(database)
    assert session.scalars(text("SELECT run_id FROM missed_runs")).all() == [last]
    assert session.scalars(select(MissedText.run_id)).all() == [last]
    assert missing.look_for_missing(database) == missing.Checked(0, 0)
