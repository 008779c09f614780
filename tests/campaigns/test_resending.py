"""Retry, send again and settle as people do them: who may, what the trail keeps, what becomes of the campaign."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import resending
from sms_service.campaigns.closing import end_finished
from sms_service.campaigns.models import Campaign
from sms_service.db.engine import Database
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger import sweeps
from sms_service.ledger.models import Message, Run
from tests.dispatch.city import City, drain, make_city, statuses
from tests.factories import make_actor, make_unit
from tests.ledger.outcomes import hand_over
from tests.ledger.races import waiting, while_open
from tests.waiting import wait_until_blocked


def officer_of(database: Database, city: City | None = None) -> Actor:
    with database.session() as session:
        return make_actor(session, city.unit if city else make_unit(session))


def last_entry(database: Database) -> TrailEntry:
    with database.session() as session:
        return session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()


def test_a_finished_campaign_goes_on_with_what_is_retried(database: Database) -> None:
    city = make_city(database, 3)
    ids = hand_over(database, city, "refused", "balance")
    with database.transaction() as connection:
        sweeps.finish_runs(connection)
    end_finished(database)
    officer = officer_of(database, city)
    with database.session() as session:
        assert session.scalars(select(Campaign.status)).one() == "ended"
        run, gone = resending.retry_run(session, officer, city.run_id, "已充值", ["balance"])
        assert (run.status, gone.ids) == ("running", ids)
        assert session.scalars(select(Campaign.status)).one() == "active"
    entry = last_entry(database)
    assert (entry.act, entry.account_id, entry.target_id) == ("run.retry", officer.account_id, str(city.run_id))
    assert entry.details == {"why": "已充值", "again": {"balance": 3}, "left": {}}
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 3}
    end_finished(database)
    with database.transaction() as connection:
        assert sweeps.finish_runs(connection) == {city.run_id: "finished"}
    assert end_finished(database) != []


@pytest.mark.parametrize("first", ["retry", "end"])
def test_the_end_of_a_campaign_against_a_retry(database: Database, first: str) -> None:
    """Two real sessions, each first. The campaign of a run that goes on goes on."""
    city = make_city(database, 2)
    hand_over(database, city, "refused", "balance")
    with database.transaction() as connection:
        sweeps.finish_runs(connection)
    officer = officer_of(database, city)

    def retry(session: Session) -> object:
        return resending.retry_run(session, officer, city.run_id, "已充值", ["balance"])[1].ids

    def held(connection: Connection) -> object:
        return connection.execute(update(Campaign).values(status="ended"))  # as end_finished does, not committed yet

    with ThreadPoolExecutor(1) as pool:
        if first == "retry":
            with database.session() as session:
                retry(session)
                ending = pool.submit(end_finished, database)
                assert wait_until_blocked(database, unless=ending.done)
            assert ending.result(timeout=30) == []
        else:
            with while_open(database, held):
                again = waiting(database, lambda connection: retry(Session(connection)), pool)
            assert again.result(timeout=30)
    with database.session() as session:
        assert session.scalars(select(Campaign.status)).one() == "active"
        assert session.get_one(Run, city.run_id).status == "running"


def test_the_trail_names_the_messages_that_are_sent_again(database: Database) -> None:
    city = make_city(database, 3)
    ids = hand_over(database, city, "unknown")
    officer = officer_of(database, city)
    with database.session() as session:
        resending.send_run_again(session, officer, city.run_id, "都没有收到", ids[:2])
    entry = last_entry(database)
    assert (entry.act, entry.account_id) == ("run.send_again", officer.account_id)
    assert entry.details == {"why": "都没有收到", "messages": ids[:2], "left": {}}
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2, "unknown": 1}


def test_a_person_settles_and_the_service_itself_does_not(database: Database) -> None:
    city = make_city(database, 1)
    (message_id,) = hand_over(database, city, "unknown")
    officer = officer_of(database, city)
    with database.session() as session:
        with pytest.raises(Forbidden, match="a person must answer"):
            resending.settle_attempt(session, SYSTEM, message_id, "accepted", "有记录")
        resending.settle_attempt(session, officer, message_id, "accepted", "服务商有记录")
        with pytest.raises(Conflict, match=f"message {message_id} is accepted; only an unknown one can be settled"):
            resending.settle_attempt(session, officer, message_id, "refused", "没有")
        with pytest.raises(NotFound):
            resending.settle_attempt(session, officer, message_id + 1, "refused", "没有")
    entry = last_entry(database)
    assert (entry.act, entry.target_id, entry.account_id) == ("message.settle", str(message_id), officer.account_id)
    assert entry.details == {"verdict": "accepted", "why": "服务商有记录"}
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_several_texts_are_settled_all_or_none(database: Database) -> None:
    city = make_city(database, 4)
    ids = hand_over(database, city, "unknown")
    officer = officer_of(database, city)
    with database.transaction() as connection:
        connection.execute(update(Message).where(Message.id == ids[1]).values(status="delivered"))
    with database.session() as session:
        for wrong in ([], range(1, 102)):
            with pytest.raises(Invalid, match="1 to 100"):
                resending.settle_attempts(session, officer, wrong, "accepted", "有记录")
        with pytest.raises(NotFound):
            resending.settle_attempts(session, officer, [ids[0], ids[3] + 1], "refused", "没有")
    with pytest.raises(Conflict) as refused, database.session() as session:
        resending.settle_attempts(session, officer, ids[:3], "refused", "没有")
    assert str(refused.value) == (
        f"nothing was settled, since of the 3 messages these are not unknown any more: message {ids[1]} is delivered"
    )
    assert statuses(database, city.run_id) == {"unknown": 3, "delivered": 1}
    with database.session() as session:
        assert session.scalar(select(func.count()).where(TrailEntry.act == "message.settle")) == 0
        assert resending.settle_attempts(session, officer, [ids[0], ids[2], ids[0]], "refused", "没有") == 2
    assert statuses(database, city.run_id) == {"unknown": 1, "delivered": 1, "refused": 2}
    with database.session() as session:
        found = session.scalars(select(TrailEntry).where(TrailEntry.act == "message.settle").order_by(TrailEntry.id))
        assert [(entry.target_id, entry.details["verdict"]) for entry in found] == [
            (str(id_), "refused") for id_ in (ids[0], ids[2])
        ]


def test_two_people_who_settle_the_same_texts_do_not_deadlock(database: Database) -> None:
    """Two real sessions; the second waits, and is told what became of them."""
    city = make_city(database, 20)
    ids = hand_over(database, city, "unknown")
    officer = officer_of(database, city)

    def settle(session: Session, these: list[int]) -> object:
        return resending.settle_attempts(session, officer, these, "accepted", "有记录")

    with ThreadPoolExecutor(1) as pool:
        with while_open(database, lambda connection: settle(Session(connection), ids)):
            second = waiting(database, lambda connection: settle(Session(connection), ids[::-1]), pool)
        with pytest.raises(Conflict, match="of the 20 messages"):
            second.result(timeout=30)
    assert statuses(database, city.run_id) == {"accepted": 20}


def test_another_districts_officer_decides_nothing(database: Database) -> None:
    city = make_city(database, 1)
    (message_id,) = hand_over(database, city, "unknown")
    stranger = officer_of(database)
    with database.session() as session:
        for act in (
            lambda: resending.retry_run(session, stranger, city.run_id, "再试"),
            lambda: resending.send_run_again(session, stranger, city.run_id, "再发", None),
            lambda: resending.settle_attempt(session, stranger, message_id, "refused", "没有"),
            lambda: resending.settle_attempts(session, stranger, [message_id], "refused", "没有"),
        ):
            with pytest.raises(Forbidden):
                act()
    assert statuses(database, city.run_id) == {"unknown": 1}


@pytest.mark.parametrize("status", ["planned", "cancelled"])
def test_nothing_goes_again_of_a_run_that_is_over_or_was_never_frozen(database: Database, status: str) -> None:
    city = make_city(database, 1, freeze_now=status != "planned")
    with database.session() as session:
        session.execute(update(Run).values(status=status))
        for act in (
            lambda: resending.retry_run(session, SYSTEM, city.run_id, "再试"),
            lambda: resending.send_run_again(session, SYSTEM, city.run_id, "再发", None),
        ):
            with pytest.raises(Conflict, match=f"run {city.run_id} is {status}; nothing of it can go again"):
                act()
        assert session.scalars(select(TrailEntry)).all() == []


def test_what_cannot_be_asked_for_is_named(database: Database) -> None:
    city = make_city(database, 1)
    with database.session() as session:
        with pytest.raises(Invalid, match="classes: cannot be retried; these can: "):
            resending.retry_run(session, SYSTEM, city.run_id, "再试", ["content"])
        with pytest.raises(Invalid, match="why: "):
            resending.retry_run(session, SYSTEM, city.run_id, " ")
        for ids in ([], [1] * (resending.MOST_IDS + 1)):
            with pytest.raises(Invalid, match="messages: must name 1 to 10,000"):
                resending.send_run_again(session, SYSTEM, city.run_id, "再发", ids)
