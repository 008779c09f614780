"""What the service answers by itself to a batch of replies, all in one go: each as if it were alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import quota_setting
from sms_service.db.engine import Database
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import Person, Unit
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_models import QuotaReservation
from sms_service.personal.erasure import erase_person
from sms_service.replies import matching
from sms_service.replies.answer_models import AnswerObstacle, AnswerUse, WithheldAnswer
from sms_service.replies.answering import NewAnswer, answer_replies, limit_answers
from sms_service.replies.models import ReplyRow
from sms_service.replies.storing import store_replies
from tests.dispatch.city import City, drain, make_city
from tests.factories import fictional_phone
from tests.replies.replying import ACCOUNT, find_reply, write_in
from tests.waiting import wait_until_blocked

PHONES = sorted(fictional_phone(place) for place in range(1, 5))


@pytest.fixture(autouse=True)
def _usual_limit() -> Iterator[None]:
    yield
    limit_answers(5)


@pytest.fixture
def city(database: Database) -> City:
    """People who have got a study text, of which a stop is confirmed."""
    city = make_city(database, 0, class_="study", more=[{"phone": phone} for phone in PHONES])
    drain(database, city.gateways)
    return city


def limit_quota(database: Database, city: City, **most: int) -> None:
    with database.session() as session:
        quota_setting.set_quota(session, SYSTEM, city.unit.id, None, most, "年度安排")


def store(database: Database, *said: tuple[str, str]) -> None:
    assert store_replies(database, ACCOUNT, [Reply(phone, text, "{}") for phone, text in said]) == len(said)


def answered(database: Database) -> list[str]:
    """The phones that are answered, by the replies that were answered."""
    with database.session() as session:
        own = select(Message.phone).join(Run, Run.id == Message.run_id).where(Run.kind == "answer")
        return [phone or "" for phone in session.scalars(own.order_by(Run.reply_id))]


def withheld(database: Database) -> Counter[tuple[str, str]]:
    """By phone, what kept how many texts back."""
    with database.session() as session:
        rows = select(ReplyRow.phone, WithheldAnswer.why).join(WithheldAnswer, WithheldAnswer.reply_id == ReplyRow.id)
        return Counter((row.phone or "", row.why) for row in session.execute(rows))


def used(database: Database) -> dict[str, int]:
    with database.session() as session:
        return {row.phone: row.used for row in session.execute(select(AnswerUse.phone, AnswerUse.used))}


def draft(session: Session, city: City, reply_id: int, words: str = "收到。") -> NewAnswer:
    run = session.get_one(Run, city.run_id)
    unit = session.get_one(Unit, city.unit.id)
    return NewAnswer(find_reply(session, reply_id), words, run.signature, run.route_id, unit)


def test_one_for_which_no_quota_is_left_keeps_no_other_back(database: Database, city: City) -> None:
    limit_quota(database, city, people=len(PHONES) + 3)  # the campaign's texts have taken theirs
    store(database, *((phone, "退订") for phone in reversed(PHONES)))
    matching.match_waiting(database)
    assert sorted(answered(database)) == PHONES[:3], "in the order of the phones"
    assert withheld(database) == {(PHONES[3], AnswerObstacle.quota): 1}
    assert used(database) == dict.fromkeys(PHONES[:3], 1), "the fourth took no place of its day"
    with database.session() as session:
        reserved = select(QuotaReservation.people).join(Run, Run.id == QuotaReservation.run_id)
        assert session.scalars(reserved.where(Run.kind == "answer")).all() == [1, 1, 1]


def test_what_lacks_quota_leaves_the_place_of_its_day_to_the_next(database: Database, city: City) -> None:
    limit_answers(1)
    limit_quota(database, city, parts=len(PHONES) + 1)
    first_id, second_id, third_id = write_in(database, PHONES[0], "一", "二", "三")
    with database.session() as session:
        answers = [draft(session, city, first_id, "长" * 100), draft(session, city, second_id)]
        [written] = answer_replies(session, [draft(session, city, third_id), *answers])
        assert session.get_one(Run, written.run_id).reply_id == second_id
        why = {row.reply_id: row.why for row in session.scalars(select(WithheldAnswer))}
        assert why == {first_id: AnswerObstacle.quota, third_id: AnswerObstacle.often}
    assert used(database) == {PHONES[0]: 1}


def test_many_replies_of_one_phone_in_one_batch_get_no_more_than_the_day_allows(database: Database, city: City) -> None:
    limit_answers(3)
    store(database, *((PHONES[0], word) for word in ["退订", "恢复"] * 4), (PHONES[1], "退订"))
    matching.match_waiting(database)
    assert answered(database) == [*[PHONES[0]] * 3, PHONES[1]]
    assert withheld(database) == {(PHONES[0], AnswerObstacle.often): 5}
    store(database, (PHONES[0], "退订"))
    matching.match_waiting(database)
    assert withheld(database) == {(PHONES[0], AnswerObstacle.often): 6}
    assert used(database) == {PHONES[0]: 3, PHONES[1]: 1}


def test_a_reply_that_has_an_answer_takes_no_place_from_another_of_its_batch(database: Database, city: City) -> None:
    limit_answers(2)
    first_id, second_id = write_in(database, PHONES[0], "一", "二")
    with database.session() as session:
        assert len(answer_replies(session, [draft(session, city, first_id)])) == 1
    with database.session() as session:
        [written] = answer_replies(session, [draft(session, city, one) for one in (first_id, second_id)])
        assert session.get_one(Run, written.run_id).reply_id == second_id
        assert session.scalars(select(WithheldAnswer)).all() == []
    assert used(database) == {PHONES[0]: 2}


def test_the_phones_of_a_batch_are_locked_in_one_order(database: Database, city: City) -> None:
    ids = [write_in(database, phone, "您好")[0] for phone in PHONES]
    with database.session() as session:
        today = func.timezone("Asia/Shanghai", func.sms_now()).cast(AnswerUse.day.type)
        session.execute(insert(AnswerUse).values([{"day": today, "phone": phone, "used": 1} for phone in PHONES]))

    def answer() -> int:
        with database.session() as session:
            return len(answer_replies(session, [draft(session, city, one) for one in reversed(ids)]))

    def lock(session: Session, phone: str) -> None:
        session.execute(select(AnswerUse).where(AnswerUse.phone == phone).with_for_update(nowait=True))

    with ThreadPoolExecutor(1) as pool:
        with database.session() as holder:
            lock(holder, PHONES[1])
            other = pool.submit(answer)
            assert wait_until_blocked(database, unless=other.done)
            for phone in PHONES[2:]:
                lock(holder, phone)  # it waits before these, whatever the order of the replies is
        assert other.result(timeout=30) == len(PHONES)


def test_workers_whose_batches_share_phones_never_wait_in_a_circle(database: Database, city: City) -> None:
    limit_answers(2)
    by_phone = [write_in(database, phone, "一", "二", "三", "四") for phone in PHONES]
    together = Barrier(4)

    def work(ids: list[int]) -> int:
        with database.session() as session:
            answers = [draft(session, city, one) for one in ids]
            together.wait(30)
            return len(answer_replies(session, answers))

    batches = [[*ids] if place % 2 else [*reversed(ids)] for place, ids in enumerate(zip(*by_phone, strict=True))]
    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, ids) for ids in batches]
        assert sum(worker.result(timeout=60) for worker in workers) == 2 * len(PHONES)
    assert used(database) == Counter(answered(database)) == dict.fromkeys(PHONES, 2)
    assert withheld(database) == dict.fromkeys([(phone, AnswerObstacle.often) for phone in PHONES], 2)


def test_a_batch_and_an_erasure_never_wait_in_a_circle(database: Database, city: City) -> None:
    store(database, (PHONES[0], "退订"))
    with database.session() as session:
        session.execute(update(Message).values(status="cancelled"))
        person_id = session.scalars(select(Person.id).where(Person.phone == PHONES[0])).one()

    def erase() -> None:
        with database.session() as session:
            erase_person(session, SYSTEM, person_id, "本人要求")

    with ThreadPoolExecutor(2) as pool:
        with database.session() as holder:
            lock_name(holder, LockedName.stopped_phone, PHONES[0])
            worker = pool.submit(matching.match_waiting, database)
            assert wait_until_blocked(database, unless=worker.done)  # it has locked the reply
            erasure = pool.submit(erase)
            assert wait_until_blocked(database, 2, unless=erasure.done)
        worker.result(timeout=30)
        erasure.result(timeout=30)
    with database.session() as session:
        assert session.scalars(select(ReplyRow.text)).all() == [None]
        assert answered(database) == [""]
