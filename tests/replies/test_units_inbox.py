"""The units' inbox: what waits there, who may see to it, and that of two who act at once the second is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience.suppression import suppress_phone
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import quota_setting
from sms_service.content.models import ListKind
from sms_service.content.wordlists import add_words
from sms_service.controls.stops import stop_unit
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Message, Run
from sms_service.replies import inbox, inbox_answers
from sms_service.replies.answering import find_answer_texts
from sms_service.replies.listing import may_read_strangers
from sms_service.replies.models import ReplyRow
from sms_service.reports.acts import list_acts_on
from sms_service.reports.tasks import TaskKind, list_tasks
from tests.dispatch.city import City, drain, make_city
from tests.factories import fictional_phone, make_account, make_actor, make_unit
from tests.replies.replying import find_reply, write_in
from tests.waiting import wait_until_blocked

PHONE = fictional_phone(5)
STRANGER = fictional_phone(90_000_006)
ASKED = "请问几点开会"


@pytest.fixture
def city(database: Database) -> City:
    """One person, who has got a text."""
    city = make_city(database, 0, more=[{"phone": PHONE, "name": "张三"}])
    drain(database, city.gateways)
    return city


@pytest.fixture
def actor(session: Session, city: City) -> Actor:
    actor = make_actor(session, session.get_one(Unit, city.unit.id), login="lin")
    session.commit()
    return actor


def state(session: Session, reply_id: int) -> str:
    session.expire_all()
    return inbox.describe_state(find_reply(session, reply_id))


def listed(session: Session, actor: Actor, **kw: object) -> list[int]:
    strangers = may_read_strangers(session, actor)
    found = inbox.find_inbox(actor.scope("read"), strangers=strangers, **kw)  # type: ignore[arg-type]
    return [row.ReplyRow.id for row in session.execute(found.order_by(ReplyRow.id))]


def tasks(session: Session, actor: Actor) -> dict[str, int]:
    kinds = (TaskKind.unread_reply, TaskKind.assigned_reply)
    return {task.kind.value: task.number for task in list_tasks(session, actor, kinds)}


def test_free_words_wait_there_and_stops_do_not(database: Database, session: Session, city: City, actor: Actor) -> None:
    [asked] = write_in(database, PHONE, ASKED)
    [_stop] = write_in(database, PHONE, "R")
    assert listed(session, actor, status="unread") == [asked]
    assert tasks(session, actor) == {"unread_reply": 1}
    assert inbox.count_open_replies(session, actor.scope("read"), strangers=False, mine=actor.account_id) == {
        "unread": 1,
        "mine": 0,
    }


def test_strangers_are_for_whoever_writes_for_everybody(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    [reply_id] = write_in(database, STRANGER, "你是谁")
    unit = session.get_one(Unit, city.unit.id)
    assert listed(session, actor) == [reply_id]
    assert tasks(session, actor) == {"unread_reply": 1}
    below = make_actor(session, make_unit(session, parent=unit))
    assert listed(session, below) == []
    assert tasks(session, below) == {}
    for act in (
        lambda: inbox.get_inbox_reply(session, below, reply_id),
        lambda: inbox.close_reply(session, below, reply_id, "unread"),
    ):
        with pytest.raises(Forbidden):
            act()
    inbox.close_reply(session, actor, reply_id, "unread")
    assert state(session, reply_id) == "closed"


def test_it_is_assigned_closed_and_opened_again(database: Database, session: Session, city: City, actor: Actor) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    unit = session.get_one(Unit, city.unit.id)
    other = make_actor(session, unit)
    inbox.assign_reply(session, actor, reply_id, other.account_id, "unread")
    assert state(session, reply_id) == f"assigned:{other.account_id}"
    assert (tasks(session, actor), tasks(session, other)) == ({}, {"assigned_reply": 1})
    assert listed(session, other, assigned_to=other.account_id) == [reply_id]
    inbox.close_reply(session, other, reply_id, state(session, reply_id), "已电话答复")
    assert tasks(session, other) == {}
    with pytest.raises(Conflict, match="is closed now"):
        inbox.assign_reply(session, actor, reply_id, None, state(session, reply_id))
    inbox.reopen_reply(session, actor, reply_id, state(session, reply_id))
    assert state(session, reply_id) == f"assigned:{other.account_id}", "it is theirs again"
    inbox.assign_reply(session, actor, reply_id, None, state(session, reply_id))
    assert state(session, reply_id) == "unread"
    entries = list_acts_on(session, actor, "reply", reply_id)
    given, taken = ([None, other.account_id], [other.account_id, None])
    assert [(one.act, one.account_id, one.details) for one in entries] == [
        ("reply.assign", actor.account_id, {"to": other.account_id, "changes": {"assigned_to": given}}),
        ("reply.close", other.account_id, {"why": "已电话答复"}),
        ("reply.reopen", actor.account_id, {}),
        ("reply.assign", actor.account_id, {"to": None, "changes": {"assigned_to": taken}}),
    ]


def test_only_who_writes_for_the_unit_sees_to_it(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    unit = session.get_one(Unit, city.unit.id)
    auditor, below = make_actor(session, unit, ("auditor",)), make_actor(session, make_unit(session, parent=unit))
    row = inbox.get_inbox_reply(session, auditor, reply_id)
    assert not inbox.may_see_to(session, auditor, row)
    with pytest.raises(Forbidden):
        inbox.close_reply(session, auditor, reply_id, "unread")
    with pytest.raises(Forbidden):
        inbox.get_inbox_reply(session, below, reply_id)
    for account_id in (auditor.account_id, below.account_id, 999_999):
        with pytest.raises(Invalid, match="writes for the reply's unit"):
            inbox.assign_reply(session, actor, reply_id, account_id, "unread")
    assert [one.id for one in inbox.list_assignees(session, row)] == [actor.account_id]
    with pytest.raises(NotFound):
        inbox.close_reply(session, actor, 999_999, "unread")
    assert state(session, reply_id) == "unread"


def test_of_two_who_act_at_once_the_second_learns_what_changed(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    second = make_actor(session, session.get_one(Unit, city.unit.id))
    session.commit()

    def close() -> str:
        with database.session() as other, pytest.raises(Conflict) as refused:
            inbox.close_reply(other, second, reply_id, "unread")
        return str(refused.value)

    with ThreadPoolExecutor(1) as pool:
        with database.session() as first:
            inbox.assign_reply(first, actor, reply_id, actor.account_id, "unread")
            later = pool.submit(close)
            assert wait_until_blocked(database, unless=later.done)
        said = later.result(timeout=30)
    assert said.startswith("账号lin changed this reply at ")
    assert "it is assigned now" in said
    assert state(session, reply_id) == f"assigned:{actor.account_id}"


@pytest.mark.parametrize(
    ("wanted", "found"), [(PHONE, True), ("张", True), ("几点", True), ("三", False), ("%", False)]
)
def test_it_is_found_by_phone_name_and_words(
    database: Database, session: Session, city: City, actor: Actor, wanted: str, found: bool
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    assert listed(session, actor, wanted=wanted) == ([reply_id] if found else [])


def test_an_answer_has_the_signature_of_what_it_answers_and_is_the_replys_end(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    row = inbox.get_inbox_reply(session, actor, reply_id)
    outlook = inbox_answers.foresee_answer(session, row)
    assert (outlook.against, outlook.signature, outlook.leaves_at) == (None, "云州先锋", None)
    inbox_answers.answer_from_inbox(session, actor, reply_id, " 九点。 ", "unread")
    session.commit()
    drain(database, city.gateways)
    assert city.adapter.handed[-1].body == "【云州先锋】九点。"
    assert state(session, reply_id) == "answered"
    reply = find_reply(session, reply_id)
    [found] = find_answer_texts(session, [(reply.in_month, reply.id)]).values()
    assert (found.message.status, found.author) == ("accepted", "账号lin")
    inbox.reopen_reply(session, actor, reply_id, "answered")
    again = inbox_answers.foresee_answer(session, inbox.get_inbox_reply(session, actor, reply_id))
    assert again.against == "it has an answer; a reply gets one"
    with pytest.raises(Conflict, match="a reply gets one"):
        inbox_answers.answer_from_inbox(session, actor, reply_id, "十点。", "unread")


@pytest.mark.parametrize(
    ("words", "error"),
    [("", Invalid), ("答" * 501, Invalid), ("【别人】九点。", Invalid), ("今天免费入场", Conflict)],
)
def test_an_answer_that_cannot_be_sent_leaves_the_reply_unread(
    database: Database, session: Session, city: City, actor: Actor, words: str, error: type[Exception]
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    admin = make_actor(session, session.get_one(Unit, city.unit.id), ("administrator",))
    add_words(session, admin, city.unit.id, ListKind.block, ["免费"])
    session.commit()
    with pytest.raises(error), database.session() as acting:
        inbox_answers.answer_from_inbox(acting, actor, reply_id, words, "unread")
    assert state(session, reply_id) == "unread"
    assert session.scalars(select(Run.id).where(Run.kind == "answer")).all() == []


def test_what_keeps_an_answer_back_is_said_before(
    database: Database, session: Session, city: City, actor: Actor
) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    [strangers_id] = write_in(database, STRANGER, "你是谁")
    unit = session.get_one(Unit, city.unit.id)
    person = session.scalars(select(Person).where(Person.phone == PHONE)).one()

    def against(id_: int = reply_id) -> str:
        session.expire_all()
        said = inbox_answers.foresee_answer(session, inbox.get_inbox_reply(session, actor, id_)).against
        return str(said)

    assert "nobody is known" in against(strangers_id)
    assert against() == "None"
    quota_setting.set_quota(session, SYSTEM, unit.id, None, {"people": 1}, "年度安排")
    assert "quota" in against()
    session.rollback()
    person.lost_contact = True
    session.flush()
    assert against() == "this person gets no text: lost_contact"
    session.rollback()
    suppress_phone(session, SYSTEM, PHONE, "opted_out")
    assert against() == "this person gets no text: opted_out"
    session.rollback()
    person = session.scalars(select(Person).where(Person.phone == PHONE)).one()
    person.phone = fictional_phone(90_000_077)
    session.flush()
    assert "not the person's own now" in against()
    session.rollback()
    stop_unit(session, SYSTEM, unit.id, "查错")
    row = inbox.get_inbox_reply(session, actor, reply_id)
    assert inbox_answers.foresee_answer(session, row).waits is not None


def test_a_closed_window_says_when_it_opens(database: Database, session: Session) -> None:
    now = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()))).one()
    opens = (now.hour + 2) % 24 * 60
    city = make_city(database, 0, more=[{"phone": PHONE}], window_opens=opens, window_closes=opens + 60)
    actor = make_actor(session, session.get_one(Unit, city.unit.id))
    with database.transaction() as connection:
        connection.execute(text("UPDATE campaigns SET signature = '云州先锋'"))
    [reply_id] = write_in(database, PHONE, ASKED)
    outlook = inbox_answers.foresee_answer(session, inbox.get_inbox_reply(session, actor, reply_id))
    assert outlook.against is None
    assert outlook.leaves_at is not None
    hours = (outlook.leaves_at - session.scalars(select(func.sms_now())).one()).total_seconds() / 3600
    assert 1 < hours <= 2


def test_the_trail_has_no_words_of_the_reply(database: Database, session: Session, city: City, actor: Actor) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    inbox_answers.answer_from_inbox(session, actor, reply_id, "九点。", "unread")
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "reply.answer")).one()
    run_id = session.scalars(select(Message.run_id).where(Message.run_id != city.run_id)).one()
    assert entry.details == {"run": run_id}


def test_a_disabled_account_is_not_asked(database: Database, session: Session, city: City, actor: Actor) -> None:
    [reply_id] = write_in(database, PHONE, ASKED)
    gone = make_account(session, session.get_one(Unit, city.unit.id))
    assert load_actor(session, gone.id).account_id == gone.id
    gone.disabled_at = session.scalars(select(func.sms_now())).one()
    session.flush()
    with pytest.raises(Invalid):
        inbox.assign_reply(session, actor, reply_id, gone.id, "unread")
