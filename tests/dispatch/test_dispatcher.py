"""One group's way to the wire, against the real ledger."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import text, update

from sms_service.controls.models import GatewayAccount
from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.dispatch.retry import MAX_ATTEMPTS
from sms_service.gateways.base import ErrorClass, NotTaken, Outcome, OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import protocol, receipts, sweeps
from sms_service.ledger.models import Run
from sms_service.ledger.protocol import Rendered
from sms_service.reports.counts import check_identity
from tests.dispatch.city import ScriptedAdapter, drain, make_city, make_dispatcher, messages, statuses
from tests.waiting import wait_until_blocked


def test_every_person_is_texted_once_with_signature_and_name(database: Database) -> None:
    city = make_city(database, 250)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 250}
    assert len({handed.phone for handed in city.adapter.handed}) == len(city.adapter.handed) == 250
    assert all(handed.body.startswith("【云州先锋】党员") for handed in city.adapter.handed)


def test_skipped_people_have_their_reason_and_the_identity_holds(database: Database) -> None:
    phone = "+8613900000001"
    city = make_city(
        database,
        1,
        more=[
            {"phone": phone},
            {"phone": phone},
            {"phone": None},
            {"phone": None, "phone_problem": "10 digits"},
            {"lost_contact": True},
        ],
    )
    rows = messages(database, city.run_id)
    assert sorted(row.reason for row in rows if row.status == "skipped") == [
        "bad_number",
        "duplicate_phone",
        "lost_contact",
        "no_phone",
    ]
    sent = next(row for row in rows if row.phone == phone and row.status == "pending")
    assert next(row for row in rows if row.reason == "duplicate_phone").duplicate_of == sent.id
    with database.session() as session:
        found = check_identity(session, city.run_id)
    assert (found.audience, found.holds) == (6, True)


def test_a_suppression_after_freeze_stops_the_text_at_the_gate(database: Database) -> None:
    city = make_city(database, 2)
    with database.transaction() as connection:
        phone = messages(database, city.run_id)[0].phone
        connection.execute(text("INSERT INTO suppressions (phone, source) VALUES (:p, 'reply')"), {"p": phone})
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1, "skipped": 1}
    assert [handed.phone for handed in city.adapter.handed] != [phone]


def test_the_demonstration_city_never_reaches_a_real_gateway(database: Database) -> None:
    city = make_city(database, 2, adapter=ScriptedAdapter(simulated=False), demonstration=True)
    hand = make_dispatcher(database, city.gateways)
    assert hand.offers() == []
    with database.transaction() as connection:  # even if a worker believed it might
        connection.execute(update(Run).values(demonstration=False))
    claims = hand.offers()
    with database.transaction() as connection:
        connection.execute(update(Run).values(demonstration=True))
    assert hand.hand_over_group(claims[0], 100).parts == 0
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": 2}


@pytest.mark.parametrize("change", ["pause", "account", "window", "expiry", "cancel"])
def test_the_gate_lets_nothing_pass_that_may_not_leave(database: Database, change: str) -> None:
    city = make_city(database, 2)
    hand = make_dispatcher(database, city.gateways)
    claims = hand.offers()
    with database.transaction() as connection:
        match change:
            case "pause":
                connection.execute(update(Run).values(status="paused"))
            case "cancel":
                connection.execute(update(Run).values(status="cancelled"))
            case "account":
                connection.execute(update(GatewayAccount).values(state="paused"))
            case "window":
                minute = connection.execute(
                    text("SELECT extract(epoch FROM (sms_now() AT TIME ZONE 'Asia/Shanghai')::time)::int / 60")
                ).scalar_one()
                opens = 0 if minute > 720 else 1200
                connection.execute(update(Unit).values(window_opens=opens, window_closes=opens + 60))
            case "expiry":
                connection.execute(text("UPDATE messages SET expires_at = sms_now()"))
    assert hand.hand_over_group(claims[0], 100).parts == 0
    assert city.adapter.handed == []
    expected = {"cancel": "cancelled", "expiry": "expired"}.get(change, "pending")
    assert statuses(database, city.run_id) == {expected: 2}


def test_one_text_that_cannot_be_rendered_is_refused_alone(database: Database) -> None:
    city = make_city(database, 2, body="{{ name }}{% if name == '空' %}{{ 缺 }}{% endif %}", more=[{"name": "空"}])
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2, "refused": 1}
    refused = next(row for row in messages(database, city.run_id) if row.status == "refused")
    assert refused.reason == "render"
    assert "缺" in (refused.raw_code or "")


def test_three_outcomes_and_no_second_try_for_the_unknown(database: Database) -> None:
    city = make_city(database, 3)

    def answer(handed: object) -> Outcome | None:
        place = len(answered)
        answered.append(handed)
        reference = handed.reference  # type: ignore[attr-defined]
        if place == 0:
            return Outcome(reference, OutcomeKind.accepted, provider_id="p")
        if place == 1:
            return Outcome(reference, OutcomeKind.refused, error=ErrorClass.blocked, raw_code="B1")
        return None

    answered: list[object] = []
    city.adapter.answer = answer
    drain(database, city.gateways)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1, "refused": 1, "unknown": 1}
    assert len(city.adapter.handed) == 3


def test_throttled_texts_wait_and_go_again_with_the_same_bytes(database: Database) -> None:
    city = make_city(database, 1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.throttled, error=ErrorClass.rate)
    hand = make_dispatcher(database, city.gateways)
    hand.drain(job_s=60)
    row = messages(database, city.run_id)[0]
    assert (row.status, row.attempts) == ("pending", 1)
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
        connection.execute(text("UPDATE people SET name = '改名'"))
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.accepted, provider_id="p")
    hand.drain(job_s=60)
    first, second = city.adapter.handed
    assert (first.body, first.phone) == (second.body, second.phone)
    assert first.reference != second.reference
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_a_gateway_that_takes_nothing_loses_nobody(database: Database) -> None:
    city = make_city(database, 2)

    def refuse(_: object) -> Outcome:
        raise NotTaken("connection refused")

    city.adapter.answer = refuse
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"pending": 2}


def test_an_exception_of_the_adapter_makes_its_group_unknown(database: Database) -> None:
    city = make_city(database, 2)

    def fail(_: object) -> Outcome:
        raise RuntimeError("time-out after the request was written")

    city.adapter.answer = fail
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 2}


def test_a_worker_that_was_stopped_after_the_gate_hands_over_nothing(database: Database) -> None:
    city = make_city(database, 2)
    times = iter([0.0, 11.0])
    hand = make_dispatcher(database, city.gateways, clock=lambda: next(times))
    claims = hand.offers()
    assert hand.hand_over_group(claims[0], 100).parts == 0
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": 2}


def test_leases_that_ended_and_runs_that_are_done(database: Database) -> None:
    city = make_city(database, 2)
    with database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE messages SET status = 'claimed', claim_token = gen_random_uuid(), lease_until = sms_now()"
                " WHERE id = (SELECT min(id) FROM messages)"
            )
        )
    with database.transaction() as connection:
        assert sweeps.release_claimed(connection) == 1
    drain(database, city.gateways)
    with database.transaction() as connection:
        assert sweeps.finish_runs(connection) == {city.run_id: "finished"}
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET changed_at = sms_now() - interval '73 hours'"))
        accounts = [1]
        assert sweeps.mark_silent(connection, accounts, 72) == 2
    with database.transaction() as connection:
        assert sweeps.finish_runs(connection) == {city.run_id: "closed"}
    assert statuses(database, city.run_id) == {"no_receipt": 2}


def test_a_run_that_cannot_be_frozen_is_held_and_stops_nobody(database: Database) -> None:
    city = make_city(database, 2, freeze_now=False)
    with database.session() as session:
        session.get_one(Run, city.run_id).segment_rule = {"tga": "错"}
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, city.run_id) is None
    with database.session() as session:
        run = session.get_one(Run, city.run_id)
        assert run.status == "held"
        assert "tga" in (run.reason or "")


def test_a_unit_that_moved_before_the_freeze_is_found_where_it_is(database: Database) -> None:
    city = make_city(database, 2, freeze_now=False)
    with database.transaction() as connection:
        connection.execute(update(Unit).where(Unit.id == city.unit.id).values(path=f"/9{city.unit.path}"))
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, city.run_id) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"provider_id": "a\0b"},
        {"provider_id": "\ud800"},
        {"provider_id": "x" * 5000, "raw_code": "\0"},
        {"provider_id": "p", "detail": "\0\ud800"},
    ],
)
def test_whatever_a_gateway_says_can_be_kept(database: Database, answer: dict[str, str]) -> None:
    city = make_city(database, 2)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.accepted, **answer)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"kind": "accepted"}, ("accepted", "p1", None, None)),
        ({"kind": "sent"}, ("unknown", "p1", None, "sent")),
        ({"kind": None}, ("unknown", "p1", None, None)),
        ({"kind": OutcomeKind.refused, "error": "no_such_class"}, ("refused", "p1", "unclassified", "no_such_class")),
        ({"kind": OutcomeKind.accepted, "part_ids": None, "retry_after_s": "30"}, ("accepted", "p1", None, None)),
    ],
)
def test_an_adapter_that_answers_in_other_words_loses_no_id(
    database: Database, answer: dict[str, object], expected: tuple[str | None, ...]
) -> None:
    """Adapters are other people's code too."""
    city = make_city(database, 1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, **{"provider_id": "p1", **answer})  # type: ignore[arg-type]
    drain(database, city.gateways)
    with database.transaction() as connection:
        (row,) = connection.execute(text("SELECT status, provider_id, error, raw_code FROM attempts"))
    assert tuple(row) == expected


@pytest.mark.parametrize("asked", [1e15, float("inf"), float("nan")])
def test_a_provider_cannot_put_a_text_off_for_ever(database: Database, asked: float) -> None:
    city = make_city(database, 1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.throttled, retry_after_s=asked)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"refused": 1}  # a day is longer than what is left of its validity


def test_a_gateway_that_is_away_for_long_uses_up_nobodys_tries(database: Database) -> None:
    city = make_city(database, 1)

    def away(_: object) -> Outcome:
        raise NotTaken("connection refused")

    city.adapter.answer = away
    for _ in range(MAX_ATTEMPTS + 2):
        drain(database, city.gateways)
        with database.transaction() as connection:
            connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    assert statuses(database, city.run_id) == {"pending": 1}


def test_an_old_template_that_is_not_allowed_any_more_refuses_its_own_run_only(database: Database) -> None:
    city = make_city(database, 2, body="{% for x in y %}{% endfor %}")
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"refused": 2}


def test_a_withdrawal_that_overtakes_the_gates_commit_takes_all_of_it_back(database: Database) -> None:
    """Two real sessions: the answer is lost while the server is still committing the gate."""
    city = make_city(database, 2)
    claim = make_dispatcher(database, city.gateways).offers()[0].claim(str(uuid.uuid4()))
    with database.transaction() as connection:
        rows = protocol.claim_rows(connection, claim, 2, 60)
    with database.engine.connect() as gate:
        protocol.pass_gate(gate, claim, [Rendered(row.id, "【云州先锋】学习", 1) for row in rows], 60)

        def withdraw() -> None:
            with database.transaction() as connection:
                protocol.withdraw_rows(connection, claim, [row.id for row in rows])

        thread = threading.Thread(target=withdraw)
        thread.start()
        wait_until_blocked(database)
        gate.commit()
    thread.join()
    assert statuses(database, city.run_id) == {"pending": 2}
    with database.transaction() as connection:
        assert set(connection.execute(text("SELECT status, error FROM attempts"))) == {("refused", "withdrawn")}


def test_a_part_is_found_by_the_name_that_the_provider_gave_it(database: Database) -> None:
    city = make_city(database, 1, body="请参加学习。" * 20)
    city.adapter.answer = lambda handed: Outcome(
        handed.reference, OutcomeKind.accepted, provider_id="whole", part_ids=("first", "second")
    )
    drain(database, city.gateways)
    phone = messages(database, city.run_id)[0].phone
    for name in ("second", "first"):
        assert statuses(database, city.run_id) == {"accepted": 1}
        with database.transaction() as connection:
            report = Receipt(ReceiptStatus.delivered, name, "{}", phone=phone, part=2 if name == "second" else 1)
            receipts.insert_receipts(connection, [("main", report)])
        inbox.apply_waiting_receipts(database)
    assert statuses(database, city.run_id) == {"delivered": 1}
