"""Test texts: exactly what others would get, to one's own phone, through the same gate, and to nobody else."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audience.suppression import suppress_phone
from sms_service.campaigns import control, resending
from sms_service.campaigns.control import find_runs, name_runs
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.outlook import foresee_run
from sms_service.campaigns.stopping import foresee_unit_stop
from sms_service.clock import tick
from sms_service.controls.stops import stop_unit
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger import protocol
from sms_service.ledger.models import Message, Run
from sms_service.ledger.protocol import Claim, Rendered
from sms_service.ledger.sweeps import finish_runs, give_up_submitting
from sms_service.own_texts import phones, trying
from sms_service.own_texts.ending import forget_own_texts
from sms_service.personal.erasure import erase_person
from sms_service.replies.listing import find_answered_campaigns, find_replies
from sms_service.reports.counts import check_identity, count_messages, count_other_kinds, drill_down
from sms_service.reports.filters import Filter
from sms_service.reports.messages import find_messages, get_message, latest_texts
from sms_service.reports.timeline import trace_message
from sms_service.reports.watching import watch_run
from tests.dispatch.city import City, ScriptedAdapter, drain, make_city
from tests.factories import fictional_phone, make_account, make_actor, make_template, make_unit
from tests.own_texts.own_phones import give_own_phone, numbered

BODY = "{{ name }}同志，请于{{ 时间 }}参加学习。"
PHONE = "+8613912345678"


@pytest.fixture
def city(database: Database) -> City:
    """Two people, and the run of a campaign to them, which is frozen and has not left."""
    return make_city(database, 2, body=BODY, values={"时间": "周六9时"})


@pytest.fixture
def actor(session: Session, city: City) -> Actor:
    account = make_account(session, session.get_one(Unit, city.unit.id), "lin", ("officer",))
    give_own_phone(session, account, PHONE)
    session.commit()
    return load_actor(session, account.id)


@pytest.fixture
def campaign_id(session: Session, city: City) -> int:
    campaign = session.scalars(select(Campaign)).one()
    campaign.values = {"时间": "周六9时"}
    version = make_template(session, session.get_one(Unit, city.unit.id), BODY, "notice", variables=("name", "时间"))
    campaign.template_version_id = version.id
    session.commit()
    return campaign.id


def unsaved(city: City, **given: Any) -> dict[str, Any]:
    return {
        "unit_id": city.unit.id,
        "class_": "notice",
        "body": "您好，明天开会。",
        "signature": "云州先锋",
        "values": {},
        **given,
    }


def own_handed(city: City) -> list[Any]:
    return [one for one in city.adapter.handed if one.phone == PHONE]


def row_of(session: Session, message_id: int) -> Message:
    session.expire_all()
    return session.scalars(select(Message).where(Message.id == message_id)).one()


def test_it_is_what_a_person_would_get(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    shown = foresee_run(session, actor, campaign_id, {"main": 1.0}, {}).texts
    sent = trying.try_campaign(session, actor, campaign_id, shown[-1].person_id)
    session.commit()
    assert (sent.text, sent.parts, sent.phone) == (shown[-1].text, shown[-1].parts, PHONE)
    drain(database, city.gateways)
    (handed,) = own_handed(city)
    assert handed.body == shown[-1].text
    message = row_of(session, sent.message_id)
    assert (message.status, message.attempts, message.class_) == ("accepted", 1, "notice")
    assert trying.try_campaign(session, actor, campaign_id).text in [one.text for one in shown]
    for nobody in (10**9, message.person_id):
        with pytest.raises(Invalid):
            trying.try_campaign(session, actor, campaign_id, nobody)


def test_the_campaign_knows_nothing_of_it(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    before = session.execute(select(Campaign.status, Campaign.updated_at)).one()
    sent = trying.try_campaign(session, actor, campaign_id)
    session.commit()
    assert session.execute(select(Campaign.status, Campaign.updated_at)).one() == before
    run = session.get_one(Run, sent.run_id)
    assert (run.campaign_id, run.kind, run.lane, run.canary) == (None, "test", "urgent", None)
    assert session.scalars(select(Run.id).where(Run.campaign_id == campaign_id)).all() == [city.run_id]


def test_a_text_that_is_not_saved(database: Database, session: Session, city: City, actor: Actor) -> None:
    sent = trying.try_unsaved_text(
        session,
        actor,
        **unsaved(city, body="｛｛ name ｝｝，{{ 何时 }}开会。", values={"何时": "明天"}, own={"name": "张三"}),
    )
    session.commit()
    assert sent.text == "【云州先锋】张三，明天开会。"
    drain(database, city.gateways)
    assert [one.body for one in own_handed(city)] == [sent.text]
    for wrong, field in (
        ({"body": "{{ name }}，您好"}, "values"),
        ({"body": "{{ name"}, "body"),
        ({"signature": "x"}, "signature"),
    ):
        with pytest.raises(Invalid) as refused:
            trying.try_unsaved_text(session, actor, **unsaved(city, **wrong))
        assert refused.value.field == field


def test_it_is_shown_where_texts_are_and_counted_apart(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    session.commit()
    drain(database, city.gateways)
    everything = Filter([city.unit.path])
    by_kind = {line.by["kind"]: line.messages for line in count_messages(session, everything, ["kind"])}
    assert by_kind == {"campaign": 2, "test": 1}
    assert count_other_kinds(session, everything) == {"test": 1}
    assert count_messages(session, Filter([city.unit.path], campaign_id=campaign_id), [])[0].messages == 2
    for dimension in ("campaign", "run"):
        lines = {line.by[dimension]: line for line in count_messages(session, everything, [dimension])}
        line = lines[None if dimension == "campaign" else sent.run_id]
        assert (line.messages, line.names) == (1, {})
    assert drill_down(everything, count_messages(session, everything, ["campaign"])[-1]) == {"of_campaign": "false"}
    rows = session.execute(find_messages(Filter([city.unit.path], of_campaign=False))).all()
    assert [row.Message.id for row in rows] == [sent.message_id]
    assert len(session.execute(find_messages(Filter([city.unit.path], of_campaign=True))).all()) == 2
    assert check_identity(session, sent.run_id).holds
    row, attempts = get_message(session, actor, sent.message_id)
    assert (row.campaign, row.kind, row.text, row.person, len(attempts)) == (None, "test", sent.text, "@lin", 1)
    acts = [event.act for event in trace_message(session, actor, sent.message_id, city.gateways).events if event.act]
    assert acts == ["run.test"]
    assert watch_run(session, actor, sent.run_id).campaign is None
    named = session.execute(name_runs(find_runs([city.unit.path], kind="test"))).all()
    assert [(row.Run.id, row.campaign) for row in named] == [(sent.run_id, None)]
    person = session.get_one(Person, row.Message.person_id)
    assert [(one.Message.id, one.kind) for one in latest_texts(session, actor, person)] == [(sent.message_id, "test")]


def test_only_to_ones_own_confirmed_phone(session: Session, city: City, campaign_id: int) -> None:
    unit = session.get_one(Unit, city.unit.id)
    nobody = make_actor(session, unit)
    with pytest.raises(Conflict, match="confirm your own phone"):
        trying.try_campaign(session, nobody, campaign_id)
    phones.send_code(session, nobody, fictional_phone(), numbered(1))
    with pytest.raises(Conflict, match="confirm your own phone"):
        trying.try_campaign(session, nobody, campaign_id)
    with pytest.raises(Forbidden):
        trying.try_campaign(session, SYSTEM, campaign_id)


def test_only_for_who_writes_or_approves_there(session: Session, city: City, actor: Actor, campaign_id: int) -> None:
    unit = session.get_one(Unit, city.unit.id)
    for place, role, may in ((unit, "approver", True), (unit, "auditor", False), (unit, "operator", False),
                             (make_unit(session), "officer", False)):  # fmt: skip
        account = make_account(session, place, roles=(role,))
        give_own_phone(session, account)
        other = load_actor(session, account.id)
        if may:
            assert trying.try_campaign(session, other, campaign_id)
            assert trying.try_unsaved_text(session, other, **unsaved(city))
        else:
            for act in (
                lambda who=other: trying.try_campaign(session, who, campaign_id),
                lambda who=other: trying.try_unsaved_text(session, who, **unsaved(city)),
            ):
                with pytest.raises(Forbidden):
                    act()
    with pytest.raises(NotFound):
        trying.try_unsaved_text(session, actor, **unsaved(city, unit_id=10**9))


def test_a_changed_phone_gets_what_waits_no_more(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    phones.send_code(session, actor, fictional_phone(), numbered(1))
    session.commit()
    drain(database, city.gateways)
    assert own_handed(city) == []
    assert row_of(session, sent.message_id).status == "skipped"
    with pytest.raises(Conflict):
        trying.try_campaign(session, actor, campaign_id)


def test_suppression_and_stop_hold_at_the_gate(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    """Asked before, and again when it leaves: nothing that is said meanwhile is too late."""
    sent = trying.try_campaign(session, actor, campaign_id)
    suppress_phone(session, SYSTEM, PHONE, "opted_out")
    session.commit()
    drain(database, city.gateways)
    assert own_handed(city) == []
    message = row_of(session, sent.message_id)
    assert (message.status, message.reason) == ("skipped", "opted_out")
    with pytest.raises(Conflict, match="opt-out"):
        trying.try_campaign(session, actor, campaign_id)
    session.execute(text("UPDATE suppressions SET lifted_at = now()"))
    sent = trying.try_campaign(session, actor, campaign_id)
    stop_unit(session, SYSTEM, city.unit.id, "查错")
    session.commit()
    drain(database, city.gateways)
    assert own_handed(city) == []
    assert row_of(session, sent.message_id).status == "pending"
    with pytest.raises(Conflict, match="stop"):
        trying.try_campaign(session, actor, campaign_id)


def test_the_window_holds_and_what_has_not_left_expires(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    hour = session.execute(text("SELECT (extract(hour FROM sms_now() AT TIME ZONE 'UTC')::int + 12) % 24")).scalar_one()
    closed = "UPDATE units SET timezone = 'UTC', window_opens = :opens, window_closes = :opens + 30"
    session.execute(text(closed), {"opens": hour * 60})
    session.commit()
    session.expire_all()
    with pytest.raises(Conflict, match="leave from"):
        trying.try_campaign(session, actor, campaign_id)
    session.rollback()
    drain(database, city.gateways)
    assert own_handed(city) == []
    for table in ("messages", "runs"):
        session.execute(text(f"UPDATE {table} SET expires_at = sms_now() WHERE class = 'notice'"))
    session.commit()
    tick(database, None, city.gateways)
    assert row_of(session, sent.message_id).status == "expired"
    tick(database, None, city.gateways)
    assert session.get_one(Run, sent.run_id).status == "closed"


def test_caps_and_quiet_days_do_not_hold(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    session.execute(text("DELETE FROM caps"))
    session.execute(text("INSERT INTO caps (class, per_day) VALUES ('notice', 1)"))
    session.execute(
        text(
            "INSERT INTO quiet_days (unit_id, day, name, classes)"
            " VALUES (:unit, (sms_now() AT TIME ZONE 'Asia/Shanghai')::date, '清明节', '{notice}')"
        ),
        {"unit": city.unit.id},
    )
    for _ in range(3):
        trying.try_campaign(session, actor, campaign_id)
    session.commit()
    drain(database, city.gateways)
    assert len(own_handed(city)) == len(city.adapter.handed) == 3


def test_a_blocked_word_leaves_not_even_to_oneself(session: Session, city: City, actor: Actor) -> None:
    session.execute(
        text("INSERT INTO listed_words (unit_id, kind, word) VALUES (:unit, 'block', '免费')"), {"unit": city.unit.id}
    )
    with pytest.raises(Conflict, match="免费"):
        trying.try_unsaved_text(session, actor, **unsaved(city, body="免费领取"))


def test_they_are_bounded_by_account(database: Database, session: Session, city: City, actor: Actor) -> None:
    """Also where many are asked for at once."""

    def send(_: int) -> bool:
        try:
            with database.session() as own:
                trying.try_unsaved_text(own, actor, **unsaved(city))
        except Conflict:
            return False
        return True

    for number in range(trying.MOST_TESTS - 2):
        assert send(number)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(send, range(4))) == 2
    session.execute(text("UPDATE own_texts SET created_at = created_at - interval '1 day'"))
    session.commit()
    assert send(0)


def test_a_worker_that_dies_leaves_an_unknown_text_that_goes_once(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    session.commit()
    account = session.execute(text("SELECT id FROM gateway_accounts")).scalar_one()
    claim = Claim(sent.run_id, session.get_one(Run, sent.run_id).month, account, str(uuid.uuid4()))
    with database.transaction() as connection:
        (row,) = protocol.claim_rows(connection, claim, 5, 60)
    assert (row.text, row.parts) == (sent.text, sent.parts)
    with database.transaction() as connection:
        assert protocol.pass_gate(connection, claim, [Rendered(row.id, row.text, row.parts)], 60)
    session.execute(text("UPDATE messages SET lease_until = sms_now() - interval '1 s' WHERE status = 'submitting'"))
    session.commit()
    with database.transaction() as connection:
        give_up_submitting(connection)
    assert row_of(session, sent.message_id).status == "unknown"
    drain(database, city.gateways)
    assert own_handed(city) == []
    with database.transaction() as connection:
        assert finish_runs(connection)[sent.run_id] == "finished"


def test_erasing_the_sample_empties_the_text(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sample = session.scalars(select(Person).where(Person.kind == "member").order_by(Person.id)).first()
    assert sample is not None
    left = trying.try_campaign(session, actor, campaign_id, sample.id)
    session.commit()
    drain(database, city.gateways)
    waits = trying.try_campaign(session, actor, campaign_id, sample.id)
    session.execute(text("UPDATE messages SET status = 'delivered' WHERE person_id = :id"), {"id": sample.id})
    session.commit()
    erase_person(session, SYSTEM, sample.id, "本人要求")
    session.commit()
    for sent, status in ((left, "accepted"), (waits, "cancelled")):
        row = row_of(session, sent.message_id)
        assert (row.status, row.text, row.values) == (status, None, None)
    with pytest.raises(ServiceError):
        trying.try_unsaved_text(session, actor, **unsaved(city, own={"name": sample.name}, sample_id=sample.id))


def test_after_thirty_days_nobody_can_read_it(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    session.commit()
    drain(database, city.gateways)
    assert forget_own_texts(session) == 0
    session.execute(text("UPDATE own_texts SET created_at = created_at - interval '31 days'"))
    assert forget_own_texts(session) == 1
    assert forget_own_texts(session) == 0
    row = row_of(session, sent.message_id)
    assert (row.text, row.values, row.phone, row.status) == (None, None, PHONE, "accepted")


def test_its_run_is_paused_cancelled_and_stopped_as_any(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent, other = trying.try_campaign(session, actor, campaign_id), trying.try_campaign(session, actor, campaign_id)
    foreseen = foresee_unit_stop(session, actor, session.get_one(Unit, city.unit.id))
    assert {(one.run_id, one.campaign, one.kind) for one in foreseen.runs if one.kind == "test"} == {
        (one.run_id, None, "test") for one in (sent, other)
    }
    control.pause_run(session, actor, sent.run_id, "核对")
    session.commit()
    drain(database, city.gateways)
    assert len(own_handed(city)) == 1
    control.resume_run(session, actor, sent.run_id, "好了")
    session.commit()
    drain(database, city.gateways)
    assert len(own_handed(city)) == 2
    third = trying.try_campaign(session, actor, campaign_id)
    assert control.cancel_run(session, actor, third.run_id, "不用了")[1] == 0
    session.commit()
    drain(database, city.gateways)
    assert len(own_handed(city)) == 2


def test_a_refused_one_is_retried(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    city.adapter.answer = lambda text: Outcome(text.reference, OutcomeKind.refused, error=ErrorClass.balance)
    sent = trying.try_campaign(session, actor, campaign_id)
    session.execute(text("UPDATE runs SET status = 'cancelled' WHERE kind = 'campaign'"))
    session.commit()
    drain(database, city.gateways)
    assert row_of(session, sent.message_id).status == "refused"
    city.adapter.answer = ScriptedAdapter().answer
    session.execute(text("UPDATE gateway_accounts SET state = 'open', paused_by = NULL, reason = NULL"))
    _, gone = resending.retry_run(session, actor, sent.run_id, "已充值")
    session.commit()
    assert gone.ids == [sent.message_id]
    drain(database, city.gateways)
    assert row_of(session, sent.message_id).status == "accepted"


def test_a_reply_to_it_is_listed(
    database: Database, session: Session, city: City, actor: Actor, campaign_id: int
) -> None:
    sent = trying.try_campaign(session, actor, campaign_id)
    session.execute(
        text(
            "INSERT INTO replies (account_id, received_at, phone, text, part, parts, month, message_id, person_id,"
            " unit_path, matched_at, raw, fingerprint)"
            " SELECT 1, sms_now(), :phone, '收到', 1, 1, month, id, person_id, unit_path,"
            " sms_now(), '', '' FROM messages WHERE id = :id"
        ),
        {"phone": PHONE, "id": sent.message_id},
    )
    rows = session.execute(find_replies([city.unit.path], strangers=False)).all()
    assert [row.person for row in rows] == ["@lin"]
    assert find_answered_campaigns(session, [row.ReplyRow for row in rows]) == {}
