"""Pushes: once for each thing that is new, bundled, bounded, by day, and by one clock of two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.accounts.models import Account
from sms_service.catalogues import get_catalogue
from sms_service.channels.models import ChannelPost
from sms_service.clock import Clock
from sms_service.controls.stops import stop_unit
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Message, Run
from sms_service.own_texts import pushing
from sms_service.own_texts.models import PushWay
from sms_service.own_texts.phones import end_own_phone
from sms_service.own_texts.pushing import push_tasks
from sms_service.reports.tasks import TaskKind
from sms_service.said import say, translate
from tests.channels.chat import free_channels, make_channel, post_due
from tests.dispatch.city import City, drain, make_city
from tests.factories import make_account, make_unit
from tests.hostile_receiver import HostileReceiver
from tests.own_texts.own_phones import give_own_phone

PHONE, URL = "+8613912345678", "https://sms.example.cn"
APPROVER = (TaskKind.approval, TaskKind.held_run)


@pytest.fixture
def city(database: Database) -> City:
    """Its campaign's run is frozen, and nothing waits for anybody."""
    return make_city(database, 1)


@pytest.fixture
def actor(session: Session, city: City) -> Actor:
    account = make_account(session, session.get_one(Unit, city.unit.id), "wang", ("approver", "officer"))
    give_own_phone(session, account, PHONE)
    session.commit()
    return load_actor(session, account.id)


@pytest.fixture
def wanted(session: Session, actor: Actor) -> Actor:
    """Who wants to be told."""
    pushing.set_pushes(session, actor, PushWay.text, APPROVER)
    session.commit()
    return actor


def waits(session: Session, number: int) -> None:
    """So many campaigns wait for a decision."""
    session.execute(text("UPDATE campaigns SET status = 'ended'"))
    session.execute(
        text(
            "INSERT INTO campaigns"
            " (unit_id, name, status, template_version_id, segment_id, signature, route_id, updated_at)"
            " SELECT unit_id, 'x', 'submitted', template_version_id, segment_id, signature, route_id, sms_now()"
            " FROM campaigns, generate_series(1, :number) WHERE campaigns.id = 1"
        ),
        {"number": number},
    )
    session.commit()


def pass_time(session: Session, minutes: int) -> None:
    """As if the last look and all that was told were so long ago."""
    session.execute(text("UPDATE push_settings SET look_at = look_at - make_interval(mins => :n)"), {"n": minutes})
    session.execute(text("UPDATE told_tasks SET told_at = told_at - make_interval(mins => :n)"), {"n": minutes})
    session.execute(text("UPDATE own_texts SET created_at = created_at - make_interval(mins => :n)"), {"n": minutes})
    session.commit()


def pushed(session: Session) -> list[str]:
    session.expire_all()
    rows = select(Message.text).join(Run, Run.id == Message.run_id).where(Run.kind == "notice").order_by(Message.id)
    return [row or "" for row in session.scalars(rows)]


def in_chinese(message: str, **values: Any) -> str:
    return translate(say(message, **values), get_catalogue("zh"))


def test_it_says_what_waits_and_where(database: Database, session: Session, city: City, wanted: Actor) -> None:
    assert push_tasks(database, URL) == 0  # nothing waits
    waits(session, 2)
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'x'"))
    pass_time(session, 1)
    assert push_tasks(database, URL) == 1
    what = [say("{count} to approve", count=2), say("{count} runs held", count=1)]
    (said,) = pushed(session)
    assert said == "【云州先锋】" + in_chinese("To do: {what}. {link}", what=what, link=f"{URL}/")
    drain(database, city.gateways)
    (handed,) = [one for one in city.adapter.handed if one.phone == PHONE]
    assert handed.body == said
    run = session.scalars(select(Run).where(Run.kind == "notice")).one()
    assert (run.campaign_id, run.class_, run.lane) == (None, "notice", "urgent")


def test_a_single_approval_leads_to_its_own_page(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)
    assert push_tasks(database, URL) == 1
    assert pushed(session)[-1].endswith(f"{URL}/campaigns/2/decision")
    waits(session, 2)
    pass_time(session, 61)
    assert push_tasks(database, URL) == 1
    assert pushed(session)[-1].endswith(f"{URL}/decisions")


def test_each_thing_is_told_once(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)
    assert push_tasks(database, URL) == 1
    for _ in range(3):
        pass_time(session, 61)
        assert push_tasks(database, URL) == 0
    waits(session, 1)  # the first was decided, and another one came: as many as before, and yet news
    pass_time(session, 61)
    assert push_tasks(database, URL) == 1
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'x'"))
    pass_time(session, 1)
    assert push_tasks(database, URL) == 1  # another kind, which was not told within the hour
    assert in_chinese("{count} to approve", count=1) not in pushed(session)[-1]


def test_one_more_after_one_less_is_news(database: Database, session: Session, wanted: Actor) -> None:
    """Also where nobody wrote down since when a thing waits."""
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'x'"))
    pass_time(session, 1)
    assert push_tasks(database, URL) == 1
    session.execute(text("UPDATE runs SET status = 'paused', held_for = NULL WHERE kind = 'campaign'"))
    pass_time(session, 61)
    assert push_tasks(database, URL) == 0
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'x' WHERE kind = 'campaign'"))
    pass_time(session, 1)
    assert push_tasks(database, URL) == 1


def test_not_more_than_once_an_hour_and_kind(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)
    assert push_tasks(database, URL) == 1
    waits(session, 3)
    pass_time(session, 30)
    assert push_tasks(database, URL) == 0
    pass_time(session, 31)
    assert push_tasks(database, URL) == 1
    assert in_chinese("{count} to approve", count=3) in pushed(session)[-1]


def test_an_account_is_looked_at_once_a_minute(database: Database, session: Session, wanted: Actor) -> None:
    assert push_tasks(database, URL) == 0
    waits(session, 1)
    assert push_tasks(database, URL) == 0
    pass_time(session, 1)
    assert push_tasks(database, URL) == 1


def test_two_clocks_push_once(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _: push_tasks(database, URL), range(2))) == 1
    assert len(pushed(session)) == 1


def test_the_other_clock_passes_over_what_one_is_at(database: Database, session: Session, wanted: Actor) -> None:
    """Two sessions: the first has looked and not committed."""
    waits(session, 1)
    with database.session() as first:
        assert pushing._push_next(first, URL) is True
        with database.session() as second:
            assert pushing._push_next(second, URL) is None
    with database.session() as second:
        assert pushing._push_next(second, URL) is None
    assert len(pushed(session)) == 1


def test_a_clock_that_died_before_its_commit_told_nothing(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)

    def die() -> None:
        with database.session() as session:
            assert pushing._push_next(session, URL) is True
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()
    assert pushed(session) == []
    assert push_tasks(database, URL) == 1
    pass_time(session, 61)
    assert push_tasks(database, URL) == 0  # as the next clock finds it after a restart


def test_the_clock_does_it(database: Database, session: Session, city: City, wanted: Actor) -> None:
    waits(session, 1)
    clock = Clock(database, None, city.gateways, public_url=URL)
    clock.tick()
    clock.resign()
    assert len(pushed(session)) == 1


def test_none_at_night(database: Database, session: Session, wanted: Actor) -> None:
    waits(session, 1)
    hour = session.execute(text("SELECT (extract(hour FROM sms_now() AT TIME ZONE 'UTC')::int + 12) % 24")).scalar_one()
    closed = "UPDATE units SET timezone = 'UTC', window_opens = :opens, window_closes = :opens + 30"
    session.execute(text(closed), {"opens": hour * 60})
    session.commit()
    assert push_tasks(database, URL) == 0
    looks = session.execute(text("SELECT extract(hour FROM look_at AT TIME ZONE 'UTC')::int FROM push_settings"))
    assert looks.scalar_one() == hour
    assert pushed(session) == []


def test_what_keeps_it_back_loses_nothing(database: Database, session: Session, city: City, wanted: Actor) -> None:
    waits(session, 1)
    stop_id, _ = stop_unit(session, SYSTEM, city.unit.id, "查错")
    session.commit()
    assert push_tasks(database, URL) == 0
    session.execute(text("UPDATE stops SET released_at = now(), release_why = 'x'"))
    pass_time(session, 10)
    assert push_tasks(database, URL) == 1
    account = session.get_one(Account, wanted.account_id)
    end_own_phone(session, wanted)
    waits(session, 3)
    pass_time(session, 61)
    assert push_tasks(database, URL) == 0
    give_own_phone(session, account)
    pass_time(session, 61)
    assert push_tasks(database, URL) == 1
    assert stop_id


def test_who_is_disabled_or_has_lost_the_right_is_told_nothing(
    database: Database, session: Session, wanted: Actor
) -> None:
    waits(session, 1)
    session.execute(text("UPDATE accounts SET disabled_at = now()"))
    session.commit()
    assert push_tasks(database, URL) == 0
    session.execute(text("UPDATE accounts SET disabled_at = NULL"))
    session.execute(text("DELETE FROM role_grants"))
    pass_time(session, 61)
    assert push_tasks(database, URL) == 0
    assert pushed(session) == []


def test_what_one_chooses(session: Session, city: City, actor: Actor) -> None:
    assert pushing.get_pushes(session, actor.account_id).way == PushWay.none
    chosen = pushing.set_pushes(session, actor, PushWay.text, [TaskKind.unknown, TaskKind.approval])
    assert chosen.kinds == (TaskKind.approval, TaskKind.unknown)
    with pytest.raises(Invalid):
        pushing.set_pushes(session, actor, PushWay.text, [])
    assert pushing.set_pushes(session, actor, PushWay.none, []).way == PushWay.none
    with pytest.raises(Forbidden):
        pushing.set_pushes(session, SYSTEM, PushWay.none, [])
    end_own_phone(session, actor)
    with pytest.raises(Conflict):
        pushing.set_pushes(session, actor, PushWay.text, [TaskKind.approval])


def test_a_channel_is_told_instead(database: Database, session: Session, city: City) -> None:
    unit = session.get_one(Unit, city.unit.id)
    account = make_account(session, unit, "zhao", ("officer", "approver"))
    with HostileReceiver() as receiver:
        channel = make_channel(session, unit, receiver.address())
        session.commit()
        actor = load_actor(session, account.id)
        for way, channel_id in ((PushWay.webhook, None), (PushWay.none, channel.id)):
            with pytest.raises(Invalid):
                pushing.set_pushes(session, actor, way, APPROVER, channel_id)
        chosen = pushing.set_pushes(session, actor, PushWay.webhook, APPROVER, channel.id)
        assert chosen.channel_id == channel.id
        session.commit()
        waits(session, 2)
        assert push_tasks(database, URL) == 1
        assert pushed(session) == []
        free_channels(database)
        assert post_due(database, receiver)
        assert len(receiver.wait_for(1)) == 1
    (post,) = session.scalars(select(ChannelPost)).all()
    session.refresh(post)
    assert (post.run_id, post.status, post.created_by) == (None, "posted", account.id)
    assert in_chinese("{count} to approve", count=2) in post.content["text"]
    pass_time(session, 61)
    assert push_tasks(database, URL) == 0


def test_only_to_a_channel_of_ones_own_units(database: Database, session: Session, city: City) -> None:
    unit = session.get_one(Unit, city.unit.id)
    channel = make_channel(session, unit)
    for role, place in (("approver", unit), ("officer", make_unit(session))):
        account = make_account(session, place, roles=(role,))
        with pytest.raises(Forbidden):
            pushing.set_pushes(session, load_actor(session, account.id), PushWay.webhook, APPROVER, channel.id)
    account = make_account(session, unit)
    pushing.set_pushes(session, load_actor(session, account.id), PushWay.webhook, (TaskKind.held_run,), channel.id)
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'x'"))
    session.execute(text("UPDATE channels SET state = 'removed', sealed = NULL"))
    session.commit()
    assert push_tasks(database, URL) == 0  # it is told once another channel is chosen
    assert session.scalars(select(ChannelPost)).all() == []
