"""Stops and words that let texts come again, from the reply to the gate: what they are about, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.models import StopRequest, Suppression
from sms_service.content.classes import class_rules
from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.gateways.config import AccountConfig, ConfiguredMember, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.gateways.simulator.adapter import Options
from sms_service.ledger.models import Message, Run
from sms_service.replies import matching
from sms_service.replies.confirming import switch_confirmations
from sms_service.replies.models import ReplyRow
from sms_service.replies.stops import withdraw_stop
from sms_service.replies.storing import store_replies
from sms_service.vocabulary import TextClass
from tests.dispatch.city import City, drain, make_city, make_run
from tests.factories import fictional_phone
from tests.gateways.simulator_process import SECRET, SimulatorProcess
from tests.replies.replying import ACCOUNT, find_reply, write_in

PHONE = fictional_phone(5)
US = "云州先锋"


@pytest.fixture(autouse=True)
def _usual() -> Iterator[None]:
    yield
    switch_confirmations(True)


def make_place(database: Database, class_: str = "study", **columns: object) -> City:
    """One person, who has got a text of this class, signed by us."""
    city = make_city(database, 0, class_=class_, more=[{"phone": PHONE, **columns}], freeze_now=False)
    with database.session() as session:
        session.execute(update(Run).values(signature=US))
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    drain(database, city.gateways)
    assert len(city.adapter.handed) == 1
    return city


def send(database: Database, city: City, class_: str, signature: str = US) -> str:
    """One more text to everybody; what became of it, and why."""
    with database.session() as session:
        run_id = make_run(session, session.merge(city.unit), class_=class_).id
        session.execute(update(Run).where(Run.id == run_id).values(signature=signature))
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    with database.session() as session:
        message = session.scalars(select(Message).where(Message.run_id == run_id)).one()
        return message.reason or message.status


def kept_back(database: Database) -> set[TextKind]:
    with database.session() as session:
        standing = select(Suppression).where(Suppression.lifted_at.is_(None))
        return {TextKind(one.class_, one.signature) for one in session.scalars(standing)}


def answers(database: Database, city: City) -> list[str]:
    """The texts by which the service answered, after they left."""
    drain(database, city.gateways)
    with database.session() as session:
        own = select(Message.text, Message.status).join(Run, Run.id == Message.run_id).where(Run.kind == "answer")
        rows = session.execute(own.order_by(Message.id)).all()
    assert {row.status for row in rows} <= {"accepted"}
    return [row.text or "" for row in rows]


def test_a_stop_is_of_the_class_and_signature_of_the_text_that_it_answers(database: Database) -> None:
    city = make_place(database)
    write_in(database, PHONE, "ｔｄ！")
    assert kept_back(database) == {TextKind("study", US)}
    assert answers(database, city) == [f"【{US}】我们不再给您发学习类短信，其他短信照常。想恢复接收请回复：恢复"]
    assert send(database, city, "study") == "opted_out"
    assert send(database, city, "study", "西城区委") == "accepted"
    assert send(database, city, "notice") == "accepted"


@pytest.mark.parametrize("class_", list(TextClass))
@pytest.mark.parametrize("said", ["R", "全部退订"])
def test_what_a_stop_covers_by_class(database: Database, class_: str, said: str) -> None:
    city = make_place(database, class_)
    write_in(database, PHONE, said)
    of_class = class_ in ("study", "invitation", "survey") and said == "R"
    assert kept_back(database) == {TextKind(class_, US) if of_class else EVERY_TEXT}
    assert len(answers(database, city)) == (1 if class_rules(class_).confirms_stop else 0)


def test_until_it_is_read_and_where_no_text_is_known_it_is_of_everything(database: Database) -> None:
    city = make_place(database)
    store_replies(database, ACCOUNT, [Reply(PHONE, "退订", "{}")])
    assert kept_back(database) == {EVERY_TEXT}
    assert send(database, city, "notice") == "opted_out"
    other = fictional_phone(90_000_006)
    write_in(database, other, "R")
    with database.session() as session:
        entry = session.scalars(select(Suppression).where(Suppression.phone == other)).one()
        assert (entry.class_, entry.signature) == (None, None)
    assert kept_back(database) == {TextKind("study", US), EVERY_TEXT}


def test_over_a_shared_account_it_is_of_every_signature(database: Database) -> None:
    city = make_place(database)
    with database.session() as session:
        session.execute(update(GatewayAccount).values(shared=True))
    write_in(database, PHONE, "R")
    assert kept_back(database) == {TextKind("study", None)}
    assert answers(database, city) == [f"【{US}】各单位不再给您发学习类短信，其他短信照常。想恢复接收请回复：恢复"]
    assert send(database, city, "study", "西城区委") == "opted_out"
    write_in(database, PHONE, "恢复")
    assert kept_back(database) == set()


def test_who_resumes_gets_texts_again_and_is_told(database: Database) -> None:
    city = make_place(database)
    write_in(database, PHONE, "R")
    answers(database, city)  # the confirmation is the last text that they got
    write_in(database, PHONE, "START")
    assert kept_back(database) == set()
    assert answers(database, city)[1:] == [f"【{US}】已恢复给您发短信。拒收请回复R"]
    assert send(database, city, "study") == "accepted"
    with database.session() as session:
        lifted = session.scalars(select(Suppression)).one()
        resumed = session.scalars(select(StopRequest).where(StopRequest.resumes)).one()
        assert resumed.reply_id == lifted.lifted_by_reply


def test_a_resume_of_one_signature_leaves_what_was_said_to_another(database: Database) -> None:
    city = make_place(database)
    write_in(database, PHONE, "R")
    answers(database, city)  # it leaves before the next text, which is then the last
    assert send(database, city, "invitation", "西城区委") == "accepted"
    write_in(database, PHONE, "R")
    assert kept_back(database) == {TextKind("study", US), TextKind("invitation", "西城区委")}
    write_in(database, PHONE, "恢复")
    assert kept_back(database) == {TextKind("study", US)}


def test_who_says_it_twice_is_told_once(database: Database) -> None:
    city = make_place(database)
    write_in(database, PHONE, "R", "退订")
    assert len(answers(database, city)) == 1


def test_no_confirmation_leaves_where_they_are_turned_off(database: Database) -> None:
    city = make_place(database)
    switch_confirmations(False)
    write_in(database, PHONE, "R")
    assert kept_back(database) == {TextKind("study", US)}
    assert answers(database, city) == []


def test_a_confirmation_passes_the_opt_out_and_no_other_entry(database: Database) -> None:
    city = make_place(database)
    write_in(database, PHONE, "全部退订")
    with database.session() as session:
        session.add(Suppression(phone=PHONE, reason="complaint", source="api", class_="answer"))
    drain(database, city.gateways)
    with database.session() as session:
        own = select(Message).join(Run, Run.id == Message.run_id).where(Run.kind == "answer")
        message = session.scalars(own).one()
        assert (message.status, message.reason) == ("skipped", "complaint")


def test_n_stops_where_the_text_offered_it_and_means_nothing_else_there(database: Database) -> None:
    make_place(database)
    write_in(database, PHONE, "N")
    assert kept_back(database) == set()
    with database.session() as session:
        session.execute(update(Message).values(text="【云州先锋】请学习。拒收请回复N"))
    write_in(database, PHONE, "ｎ。")
    assert kept_back(database) == {TextKind("study", US)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_replies_that_come_in_late_count_by_when_they_were_said(database: Database, order: tuple[int, ...]) -> None:
    make_place(database)
    noon = datetime.now(UTC)
    said = [
        replace(Reply(PHONE, word, "{}"), occurred_at=noon - timedelta(minutes=3 - number), provider_id=str(number))
        for number, word in enumerate(("R", "恢复", "退订"))
    ]
    # The text left before, though the replies are made to have been said in the minutes before now.
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE runs SET launched_at = launched_at - interval '1 hour'")
        connection.exec_driver_sql("UPDATE attempts SET started_at = started_at - interval '1 hour'")
    for number in order:
        store_replies(database, ACCOUNT, [said[number]])
        while matching.match_waiting(database):
            pass
    assert kept_back(database) == {TextKind("study", US)}
    with database.session() as session:
        proof = session.scalars(select(Suppression).where(Suppression.lifted_at.is_(None))).one().proof_id
        assert find_reply(session, proof or 0).text == "退订"


def test_a_stop_that_was_none_is_withdrawn(database: Database, session: Session) -> None:
    make_place(database)
    [reply_id] = write_in(database, PHONE, "R")
    withdraw_stop(session, session.scalars(select(ReplyRow).where(ReplyRow.id == reply_id)).one())
    session.commit()
    assert kept_back(database) == set()


def take_in(database: Database, lines: list[dict[str, Any]]) -> None:
    """Store and read what phones of a simulator sent, as its ledger has it."""
    replies = [Reply(line["from"], line["text"], "{}", provider_id=line["id"]) for line in lines]
    assert store_replies(database, ACCOUNT, replies) == len(lines)
    while matching.match_waiting(database):
        pass


def send_all(database: Database, city: City, class_: str) -> dict[str, bool]:
    """One more text to everybody; whether each phone got it."""
    with database.session() as session:
        run_id = make_run(session, session.merge(city.unit), class_=class_).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    with database.session() as session:
        rows = session.execute(select(Message.phone, Message.status).where(Message.run_id == run_id))
        return {row.phone: row.status == "accepted" for row in rows}


def test_stops_of_a_simulated_city_keep_back_what_they_say_and_no_more(database: Database, tmp_path: Path) -> None:
    """Texts go over the simulator, people answer there in dirty spellings, and the next texts meet what they said."""
    truth = {  # what they send to a study text: what they get afterwards, of study and notice
        "Ｔｄ ！": (False, True),
        "【拒收】": (False, True),
        "0000": (False, True),
        "全部退訂": (False, False),
        "stop all": (False, False),
        "退订怎么弄": (True, True),
        "我没有拒收": (True, True),
        "N": (True, True),
        "好的": (True, True),
    }
    phones = {said: fictional_phone(500 + number) for number, said in enumerate(truth)}
    with SimulatorProcess(tmp_path / "city.jsonl", callback_url="http://127.0.0.1:9") as provider:
        provider.behave(reply_share=0.0, receipt_delay_s=[0.0, 0.0])
        options = Options(url=provider.url, secret=SECRET, total_timeout_s=5.0)
        account = AccountConfig(ACCOUNT, "simulator", max_group=100, rate=None, in_flight=2, options=options)
        members = {"default": (ConfiguredMember(ACCOUNT, 1, 1),)}
        gateways = Gateways(GatewayConfig({ACCOUNT: account}, members), "http://127.0.0.1:9")
        more = [{"phone": phone} for phone in phones.values()]
        city = make_city(database, 0, class_="study", gateways=gateways, more=more)
        drain(database, gateways)
        take_in(database, [provider.reply(phone, said) for said, phone in phones.items()])
        got = {class_: send_all(database, city, class_) for class_ in ("study", "notice")}
        assert {said: (got["study"][phone], got["notice"][phone]) for said, phone in phones.items()} == truth
        take_in(database, [provider.reply(phone, "恢复") for phone in phones.values()])
        assert all(send_all(database, city, "study").values())
