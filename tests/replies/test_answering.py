"""Texts that answer replies: through the gate, once for each reply, within quota, and never round in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service import clock
from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience.suppression import suppress_phone
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import quota_setting
from sms_service.campaigns.quotas import find_reserved_runs
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict
from sms_service.gateways.base import Reply
from sms_service.gateways.config import AccountConfig, ConfiguredMember, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.gateways.simulator.adapter import Options
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_models import QuotaReservation
from sms_service.ledger.single import WrittenText
from sms_service.personal.erasure import erase_person
from sms_service.replies import matching
from sms_service.replies.answer_models import AnswerObstacle, AnswerUse, WithheldAnswer
from sms_service.replies.answering import (
    AnswerText,
    NewAnswer,
    answer_replies,
    answer_reply,
    find_answer_texts,
    find_answered_text,
    find_withheld,
    forget_old_answer_uses,
    limit_answers,
)
from sms_service.replies.models import ReplyRow
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.dispatch.city import City, drain, make_city
from tests.factories import fictional_phone, make_actor
from tests.gateways.simulator_process import SECRET, SimulatorProcess
from tests.replies.replying import ACCOUNT, find_reply, write_in
from tests.waiting import wait_until_blocked

PHONE = fictional_phone(5)
SIGNATURE = "云州先锋"


@pytest.fixture(autouse=True)
def _usual_limit() -> Iterator[None]:
    yield
    limit_answers(5)


@pytest.fixture
def city(database: Database) -> City:
    """One person, who has got a text."""
    city = make_city(database, 0, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    return city


def answer(
    session: Session, city: City, reply_id: int, words: str = "已收到，谢谢。", *, actor: Actor | None = None, **kw: Any
) -> WrittenText | None:
    unit = session.get_one(Unit, city.unit.id)
    route_id = session.get_one(Run, city.run_id).route_id
    reply = find_reply(session, reply_id)
    new = NewAnswer(reply, words, SIGNATURE, route_id, unit, find_answered_text(session, reply), **kw)
    if actor is not None:
        return answer_reply(session, actor, new)
    return next(iter(answer_replies(session, [new])), None)


def answered(session: Session, reply_id: int) -> AnswerText | None:
    reply = find_reply(session, reply_id)
    return find_answer_texts(session, [(reply.in_month, reply.id)]).get((reply.in_month, reply.id))


def withheld(session: Session, reply_id: int) -> AnswerObstacle | None:
    reply = find_reply(session, reply_id)
    return find_withheld(session, [(reply.in_month, reply.id)]).get((reply.in_month, reply.id))


def limit(database: Database, city: City, people: int) -> None:
    with database.session() as session:
        quota_setting.set_quota(session, SYSTEM, city.unit.id, None, {"people": people}, "年度安排")


def test_an_answer_goes_the_way_of_every_text_and_its_outcome_stands_by_the_reply(
    database: Database, city: City
) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        written = answer(session, city, reply_id)
        assert written is not None
    drain(database, city.gateways)
    assert city.adapter.handed[-1].body == f"【{SIGNATURE}】已收到，谢谢。"
    with database.session() as session:
        run = session.get_one(Run, written.run_id)
        assert (run.kind, run.class_, run.campaign_id, run.reply_id) == ("answer", "answer", None, reply_id)
        found = answered(session, reply_id)
        assert found is not None
        assert (found.message.status, found.author) == ("accepted", None)
        assert withheld(session, reply_id) is None


def test_a_reply_has_one_answer_whoever_writes_it(database: Database, city: City) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        actor = make_actor(session, session.get_one(Unit, city.unit.id))
        assert answer(session, city, reply_id, "九点。", actor=actor) is not None
    with database.session() as session:
        assert answer(session, city, reply_id) is None
        assert withheld(session, reply_id) is None, "it has an answer"
        assert session.scalars(select(AnswerUse.used)).all() == []
        with pytest.raises(Conflict, match="a reply gets one answer"):
            answer(session, city, reply_id, "十点。", actor=actor)
        found = answered(session, reply_id)
        assert found is not None
        assert (found.message.text, found.author) == (f"【{SIGNATURE}】九点。", f"账号{actor.login}")
        entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "reply.answer")).one()
        assert (entry.target_id, entry.account_id) == (str(reply_id), actor.account_id)


def test_of_two_sessions_that_answer_at_once_one_wins(database: Database, city: City) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")

    def second() -> bool:
        with database.session() as session:
            return answer(session, city, reply_id) is not None

    with ThreadPoolExecutor(1) as pool:
        with database.session() as session:
            assert answer(session, city, reply_id) is not None
            other = pool.submit(second)
            assert wait_until_blocked(database, unless=other.done)
        assert other.result(timeout=30) is False
    with database.session() as session:
        assert len(session.scalars(select(Run.id).where(Run.kind == "answer")).all()) == 1
        assert session.scalars(select(AnswerUse.used)).all() == [1], "the second took no place"


def test_a_phone_gets_so_many_on_a_day_and_a_persons_words_do_not_count(database: Database, city: City) -> None:
    limit_answers(2)
    ids = write_in(database, PHONE, *(f"第{n}个问题" for n in range(4)))
    with database.session() as session:
        actor = make_actor(session, session.get_one(Unit, city.unit.id))
        assert answer(session, city, ids[0], actor=actor) is not None
        assert [answer(session, city, one) is not None for one in ids[1:]] == [True, True, False]
        assert withheld(session, ids[3]) == AnswerObstacle.often
        assert answered(session, ids[3]) is None
    with ahead_by(database.url, "1 day") as tomorrow, tomorrow.session() as session:
        assert answer(session, city, ids[3]) is not None


def test_of_two_who_want_the_last_place_of_the_day_one_gets_it(database: Database, city: City) -> None:
    limit_answers(1)
    first_id, second_id = write_in(database, PHONE, "第一个问题", "第二个问题")

    def second() -> bool:
        with database.session() as session:
            return answer(session, city, second_id) is not None

    with ThreadPoolExecutor(1) as pool:
        with database.session() as session:
            assert answer(session, city, first_id) is not None
            other = pool.submit(second)
            assert wait_until_blocked(database, unless=other.done)
        assert other.result(timeout=30) is False
    with database.session() as session:
        assert withheld(session, second_id) == AnswerObstacle.often


def test_without_quota_there_is_no_answer_and_the_reply_stays(database: Database, city: City) -> None:
    limit(database, city, 1)  # the campaign's text has taken it
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        assert answer(session, city, reply_id) is None
    with database.session() as session:
        assert withheld(session, reply_id) == AnswerObstacle.quota
        assert session.scalars(select(WithheldAnswer.unit_path)).all() == [city.unit.path]
        assert find_reply(session, reply_id).text == "请问几点开会"
        assert session.scalars(select(Run.id).where(Run.kind == "answer")).all() == []
        assert session.scalars(select(AnswerUse.used)).all() == [], "the day's place is free again"
        with pytest.raises(Conflict, match="quota"):
            answer(session, city, reply_id, actor=SYSTEM)


def test_an_answer_is_reserved_and_stands_with_what_was_sent(database: Database, city: City) -> None:
    limit(database, city, 2)
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        written = answer(session, city, reply_id)
        assert written is not None
        assert session.get_one(QuotaReservation, written.run_id).people == 1
    drain(database, city.gateways)
    clock.tick(database, None, city.gateways)
    with database.session() as session:
        reserved = session.get_one(QuotaReservation, written.run_id)
        assert (reserved.state, reserved.people, reserved.parts) == ("used", 1, 1)
        unit = session.get_one(Unit, city.unit.id)
        rows = session.execute(find_reserved_runs(unit, written.month, written.month)).all()
        assert {(row.Run.id, row.campaign) for row in rows} == {(written.run_id, None), (city.run_id, "学习")}


@pytest.mark.parametrize(
    ("words", "change", "why"),
    [
        ("请问几点开会", {"person_id": None}, AnswerObstacle.nobody),
        ("请问几点开会", {"phone": "+8613900009999"}, AnswerObstacle.other_phone),
        ("【云州银行】您的来信我们已收到。", {}, AnswerObstacle.automatic),
        ("[自动回复] 您好，我在开会，稍后联系您。", {}, AnswerObstacle.automatic),
        ("[Auto-Reply] I am in a meeting.", {}, AnswerObstacle.automatic),
        ("此为系统短信，请勿回复。", {}, AnswerObstacle.automatic),
    ],
)
def test_what_keeps_an_answer_back(
    database: Database, city: City, words: str, change: dict[str, Any], why: AnswerObstacle
) -> None:
    [reply_id] = write_in(database, PHONE, words)
    with database.session() as session:
        reply = find_reply(session, reply_id)
        for name, value in change.items():
            setattr(reply, name, value)
        session.flush()
        assert answer(session, city, reply_id) is None
        assert withheld(session, reply_id) == why
        assert session.scalars(select(Run.id).where(Run.kind == "answer")).all() == []


def test_no_service_number_is_answered(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": "+862162345678"}])
    [reply_id] = write_in(database, "02162345678", "您好")
    with database.session() as session:
        assert answer(session, city, reply_id) is None
        assert withheld(session, reply_id) == AnswerObstacle.no_mobile


def test_our_own_text_that_comes_back_is_not_answered(database: Database, city: City) -> None:
    sent = city.adapter.handed[-1].body
    [reply_id] = write_in(database, PHONE, sent.partition("】")[2])
    with database.session() as session:
        assert answer(session, city, reply_id) is None
        assert withheld(session, reply_id) == AnswerObstacle.automatic


@pytest.mark.parametrize(
    ("reason", "passes", "status"),
    [
        ("opted_out", False, "skipped"),
        ("opted_out", True, "accepted"),
        ("complaint", True, "skipped"),
    ],
)
def test_only_what_confirms_an_opt_out_passes_it(
    database: Database, city: City, reason: str, passes: bool, status: str
) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        suppress_phone(session, SYSTEM, PHONE, reason)
        assert answer(session, city, reply_id, passes_opt_outs=passes) is not None
    drain(database, city.gateways)
    with database.session() as session:
        found = answered(session, reply_id)
        assert found is not None
        assert (found.message.status, found.message.reason) == (status, reason if status == "skipped" else None)


def test_a_stop_that_stands_beside_the_opt_out_holds(database: Database, city: City) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        suppress_phone(session, SYSTEM, PHONE, "opted_out")
        suppress_phone(session, SYSTEM, PHONE, "complaint", unit_id=city.unit.id)
        assert answer(session, city, reply_id, passes_opt_outs=True) is not None
    drain(database, city.gateways)
    with database.session() as session:
        found = answered(session, reply_id)
        assert found is not None
        assert (found.message.status, found.message.reason) == ("skipped", "complaint")


def test_outside_the_window_it_waits_and_leaves_when_that_opens(database: Database) -> None:
    with database.session() as session:
        now = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()))).one()
    opens = (now.hour + 2) % 24 * 60
    city = make_city(database, 0, more=[{"phone": PHONE}], window_opens=opens, window_closes=opens + 60)
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        assert answer(session, city, reply_id) is not None
    drain(database, city.gateways)
    assert city.adapter.handed == []
    with ahead_by(database.url, "2 hours") as later:
        drain(later, city.gateways)
    with database.session() as session:
        found = answered(session, reply_id)
        assert found is not None
        assert found.message.status == "accepted"


def test_what_a_phone_got_is_forgotten(database: Database, city: City) -> None:
    [reply_id] = write_in(database, PHONE, "请问几点开会")
    with database.session() as session:
        assert answer(session, city, reply_id) is not None
        assert forget_old_answer_uses(session) == 0
    with ahead_by(database.url, "10 days") as later, later.session() as session:
        assert forget_old_answer_uses(session) == 1
        session.rollback()
    with database.session() as session:
        session.execute(update(Message).values(status="cancelled"))
        erase_person(session, SYSTEM, session.scalars(select(Person.id)).one(), "本人要求")
        assert session.scalars(select(AnswerUse.used)).all() == []
        assert session.scalars(select(Message.text).where(Message.run_id != city.run_id)).all() == [None]


def serve(database: Database, city: City) -> int:
    """The service answers by itself whatever has no answer yet; returns how many texts it wrote."""
    with database.session() as session:
        ids = session.scalars(select(ReplyRow.id).where(ReplyRow.matched_at.is_not(None)).order_by(ReplyRow.id)).all()
        done = [one for one in ids if answered(session, one) is None and withheld(session, one) is None]
        return sum(answer(session, city, one) is not None for one in done)


@pytest.mark.parametrize(
    ("theirs", "most"), [("您好，来信已收到，我们会尽快联系您。", 5), ("【云州银行】来信已收到。", 0)]
)
def test_two_services_that_answer_each_other_come_to_an_end(
    database: Database, tmp_path: Path, theirs: str, most: int
) -> None:
    """The other one is a process of its own that answers each of our texts with a text."""
    with SimulatorProcess(tmp_path / "other.jsonl", callback_url="http://127.0.0.1:9") as other:
        other.behave(reply_share=1.0, reply_text=theirs, reply_delay_s=[0.0, 0.0], receipt_delay_s=[0.0, 0.0])
        options = Options(url=other.url, secret=SECRET, total_timeout_s=5.0)
        account = AccountConfig(ACCOUNT, "simulator", max_group=100, rate=None, in_flight=2, options=options)
        gateways = Gateways(
            GatewayConfig({ACCOUNT: account}, {"default": (ConfiguredMember(ACCOUNT, 1, 1),)}), "http://127.0.0.1:9"
        )
        city = make_city(database, 0, gateways=gateways, more=[{"phone": PHONE}])
        sent, heard = 1, 0

        def said() -> list[dict[str, Any]]:
            return [line for line in other.events() if line["event"] == "reply"]

        drain(database, gateways)
        for _ in range(2 * (most + 1)):
            other.until(lambda: len(said()) >= sent)  # noqa: B023 - it is asked before the loop goes on
            lines, heard = said()[heard:], len(said())
            replies = [Reply(line["from"], line["text"], "{}", provider_id=line["id"]) for line in lines]
            assert store_replies(database, ACCOUNT, replies) == len(lines)
            matching.match_waiting(database)
            new = serve(database, city)
            drain(database, gateways)
            sent += new
            if not new:
                break
        assert (sent, len(other.ledger())) == (1 + most, 1 + most)
        with database.session() as session:
            last = AnswerObstacle.often if most else AnswerObstacle.automatic
            assert session.scalars(select(WithheldAnswer.why)).all() == [last]
            assert len(session.scalars(select(ReplyRow.id)).all()) == 1 + most, "no reply is lost"
        gateways.close()
