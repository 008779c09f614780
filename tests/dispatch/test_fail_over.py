"""What was surely not taken goes elsewhere, or again in halves; what is unknown goes nowhere."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from sms_service.db.engine import Database
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger.models import Message
from tests.dispatch.city import (
    ScriptedAdapter,
    ScriptedGateways,
    account,
    drain,
    make_city,
    make_dispatcher,
    refused,
    statuses,
    unknown,
)


@pytest.mark.parametrize(
    ("error", "goes_elsewhere"),
    [(ErrorClass.balance, True), (ErrorClass.carrier, True), (ErrorClass.later, True), (ErrorClass.content, False)],
)
def test_what_an_account_surely_did_not_take_goes_to_the_next_of_the_route(
    database: Database, error: ErrorClass, goes_elsewhere: bool
) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 5, gateways=gateways)
    first.answer = refused(error)
    drain(database, gateways)
    assert len(first.handed) == 5
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    drain(database, gateways)
    assert statuses(database, city.run_id) == ({"accepted": 5} if goes_elsewhere else {"refused": 5})
    assert len(second.handed) == (5 if goes_elsewhere else 0)
    assert len(first.handed) == 5


def test_what_is_unknown_never_goes_to_another_account(database: Database) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 30, gateways=gateways)
    first.answer = unknown
    drain(database, gateways)
    assert account(database, "first").state == "paused"
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"unknown": 30}
    assert second.handed == []


def test_a_paused_accounts_run_goes_on_through_the_next(database: Database) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 5, gateways=gateways)
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET state = 'paused' WHERE name = 'first'"))
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"accepted": 5}
    assert first.handed == []


def test_a_group_refused_whole_is_halved_until_the_bad_one_stands_alone(database: Database) -> None:
    city = make_city(database, 21)
    with database.session() as session:
        bad = session.scalars(select(Message.phone).order_by(Message.id).offset(13).limit(1)).one()
    calls: list[int] = []

    def submit(group: object) -> list[Outcome]:
        texts = group.texts  # type: ignore[attr-defined]
        calls.append(len(texts))
        if any(handed.phone == bad for handed in texts):
            return [
                Outcome(
                    handed.reference, OutcomeKind.refused, error=ErrorClass.request, whole_group=True, raw_code="400"
                )
                for handed in texts
            ]
        city.adapter.handed += texts
        return [Outcome(t.reference, OutcomeKind.accepted, provider_id=t.reference) for t in texts]

    city.adapter.submit = submit  # type: ignore[assignment]
    hand = make_dispatcher(database, city.gateways)
    assert hand.hand_over_group(hand.offers()[0], 100).claimed == 21
    assert statuses(database, city.run_id) == {"accepted": 20, "refused": 1}
    assert len({handed.phone for handed in city.adapter.handed}) == len(city.adapter.handed) == 20
    assert calls[:3] == [21, 10, 11]
    assert max(calls[3:]) < 10


def test_of_a_group_that_went_in_two_calls_only_the_refused_call_goes_again(database: Database) -> None:
    city = make_city(database, 12)
    with database.session() as session:
        phones = session.scalars(select(Message.phone).order_by(Message.id)).all()
    first_call, bad = set(phones[:4]), phones[7]

    def submit(group: object) -> list[Outcome]:
        answers = []
        for of_one_text in (
            [t for t in group.texts if t.phone in first_call],  # type: ignore[attr-defined]
            [t for t in group.texts if t.phone not in first_call],  # type: ignore[attr-defined]
        ):
            refuses = any(handed.phone == bad for handed in of_one_text)
            whole = len(of_one_text) > 1
            if not refuses:
                city.adapter.handed += of_one_text
            answers += [
                Outcome(t.reference, OutcomeKind.refused, error=ErrorClass.bad_number, whole_group=whole)
                if refuses
                else Outcome(t.reference, OutcomeKind.accepted, provider_id=t.reference)
                for t in of_one_text
            ]
        return answers

    city.adapter.submit = submit  # type: ignore[assignment]
    hand = make_dispatcher(database, city.gateways)
    hand.hand_over_group(hand.offers()[0], 100)
    assert statuses(database, city.run_id) == {"accepted": 11, "refused": 1}
    assert len({handed.phone for handed in city.adapter.handed}) == len(city.adapter.handed) == 11


def test_halving_uses_up_nobodys_tries(database: Database) -> None:
    city = make_city(database, 16)

    def submit(group: object) -> list[Outcome]:
        texts = group.texts  # type: ignore[attr-defined]
        whole = len(texts) > 1
        error = ErrorClass.request if whole else ErrorClass.later
        return [Outcome(t.reference, OutcomeKind.refused, error=error, whole_group=whole) for t in texts]

    city.adapter.submit = submit  # type: ignore[assignment]
    hand = make_dispatcher(database, city.gateways)
    hand.hand_over_group(hand.offers()[0], 16)
    assert statuses(database, city.run_id) == {"pending": 16}
    with database.transaction() as connection:
        waits = connection.execute(
            text("SELECT max(extract(epoch FROM not_before - sms_now())) FROM messages")
        ).scalar()
    assert waits is not None
    assert waits < 10  # as after a first try
