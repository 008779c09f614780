"""One text from the freeze to the last word: everything that happened to it, in order, without a whole phone."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import control, resending
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid
from sms_service.gateways.base import (
    CodeMeaning,
    ErrorClass,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Reply,
    Text,
)
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from sms_service.reports.timeline import Timeline, reveal_message_phone, trace_message
from tests.dispatch.city import City, drain, make_city, messages, unknown
from tests.factories import make_actor, make_unit
from tests.ledger.test_receipts import arrive
from tests.reports.test_failures import ExplainingAdapter


def trace(database: Database, city: City, message_id: int) -> Timeline:
    with database.session() as session:
        return trace_message(session, SYSTEM, message_id, city.gateways)


def kinds(found: Timeline) -> list[str]:
    return [event.kind.value for event in found.events]


def test_refused_retried_delivered_and_answered(database: Database) -> None:
    adapter = ExplainingAdapter()
    city = make_city(database, 1, adapter=adapter)
    (message,) = messages(database, city.run_id)
    adapter.answer = lambda text: Outcome(
        text.reference, OutcomeKind.refused, error=ErrorClass.carrier, raw_code="101", detail="busy"
    )
    drain(database, city.gateways)
    adapter.answer = lambda text: Outcome(text.reference, OutcomeKind.accepted, provider_id="p2", part_ids=("p2", "p3"))
    with database.session() as session:
        officer = make_actor(session, city.unit)
        control.pause_run(session, officer, city.run_id, "账户欠费，电话13912345678")
        control.resume_run(session, officer, city.run_id, "已充值")
        resending.retry_run(session, officer, city.run_id, "已充值")
    drain(database, city.gateways)
    report = Receipt(ReceiptStatus.delivered, None, "{}", reference=adapter.handed[-1].reference, raw_code="101")
    arrive(database, report)
    assert message.phone is not None
    assert store_replies(database, "main", [Reply(message.phone, "收到，13912345678", "{}", provider_id="r1")]) == 1
    assert matching.match_waiting(database) is False

    found = trace(database, city, message.id)
    assert kinds(found) == [
        *("frozen", "handed_over", "answered"),
        *("act", "act", "act"),
        *("handed_over", "answered", "receipt", "reply"),
    ]
    assert [event.at for event in found.events] == sorted(event.at for event in found.events)
    frozen, handed, refused, paused, resumed, retried, again, taken, delivered, answered = found.events
    assert frozen.said == f"it was written down for {message.phone[:6]}****{message.phone[-4:]}"
    assert (handed.attempt, again.attempt, delivered.attempt) == (1, 2, 2)
    assert refused.said == "main refused it: the network failed for another reason"
    assert (refused.code, refused.meaning) == ("101", CodeMeaning("the number is not in use", "空号"))
    assert paused.said == f"{officer.login}: paused the run: 账户欠费，电话139****5678"
    assert (resumed.act, retried.act, retried.login) == ("run.running", "run.retry", officer.login)
    assert (taken.said, taken.code) == ("main took it", None)
    assert (delivered.said, delivered.meaning) == ("the network: it was delivered", CodeMeaning("on its way", "途中"))
    assert answered.said == "a reply: 收到，139****5678"
    assert found.part_ids == {2: ["p2", "p3"]}
    whole = [message.phone, "13912345678"]
    assert not [event.said for event in found.events for phone in whole if phone in event.said]


def test_an_unknown_text_that_a_person_settled(database: Database) -> None:
    city = make_city(database, 2)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    first, second = messages(database, city.run_id)
    with database.session() as session:
        officer = make_actor(session, city.unit)
        resending.settle_attempt(session, officer, first.id, "accepted", "服务商有记录")
        resending.send_run_again(session, SYSTEM, city.run_id, "没有收到", [second.id])
    settled = trace(database, city, first.id)
    assert [event.said for event in settled.events[2:]] == [
        "nobody can tell whether main took it",
        f"{officer.login}: settled what became of it: 服务商有记录",
    ]
    again = trace(database, city, second.id)  # the send-again names this one only
    assert again.events[-1].act == "run.send_again"


def test_a_text_that_is_not_sent_says_why(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": None}])
    (message,) = messages(database, city.run_id)
    found = trace(database, city, message.id)
    assert [event.said for event in found.events] == [
        "it was written down",
        "it is not sent: the person has no phone number",
    ]


def test_the_whole_phone_is_shown_for_a_reason_that_goes_into_the_trail(database: Database) -> None:
    city = make_city(database, 1)
    (message,) = messages(database, city.run_id)
    with database.session() as session:
        officer = make_actor(session, city.unit)
        auditor = make_actor(session, city.unit, ("auditor",))
        stranger = make_actor(session, make_unit(session))
        assert reveal_message_phone(session, officer, message.id, "核对号码") == message.phone
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
        assert (entry.act, entry.target_kind, entry.target_id) == ("people.see_phones", "message", str(message.id))
        assert entry.details == {"people": [message.person_id], "why": "核对号码"}
        assert entry.account_id == officer.account_id
        for actor in (auditor, stranger):
            with pytest.raises(Forbidden):
                reveal_message_phone(session, actor, message.id, "核对号码")
        with pytest.raises(Invalid):
            reveal_message_phone(session, officer, message.id, "")
        with pytest.raises(Forbidden):
            trace_message(session, stranger, message.id, city.gateways)


def test_what_the_network_refused_after_the_gateway_took_it(database: Database) -> None:
    city = make_city(database, 1)
    drain(database, city.gateways)
    (message,) = messages(database, city.run_id)
    text: Text = city.adapter.handed[0]
    report = Receipt(
        ReceiptStatus.undelivered, None, "{}", reference=text.reference, raw_code="9", error=ErrorClass.unreachable
    )
    arrive(database, report)
    found = trace(database, city, message.id)
    assert [event.said for event in found.events[2:]] == [
        "main took it",
        "the network: it was not delivered, since the phone was off or out of coverage until the validity ended",
    ]
    assert (found.events[-1].code, found.events[-1].meaning) == ("9", None)
