"""Receipts of single parts, in any order and any number, and receipts that name a whole group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import Capabilities, ErrorClass, Outcome, OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import receipts as ledger
from sms_service.ledger.receipts import attempt_reference
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, drain, make_city, messages, statuses
from tests.examples import count_examples
from tests.ledger.outcomes import hand_over, reference

DELIVERED, UNDELIVERED, INTERIM = ReceiptStatus.delivered, ReceiptStatus.undelivered, ReceiptStatus.interim


def report(status: ReceiptStatus, part: int = 0, **fields: Any) -> Receipt:
    error = ErrorClass.unreachable if status is UNDELIVERED else None
    return Receipt(status, fields.pop("provider_id", None), "{}", part=part, error=error, **fields)


def arrive(database: Database, *receipts: Receipt) -> None:
    with database.transaction() as connection:
        ledger.insert_receipts(connection, [("main", receipt) for receipt in receipts])
        connection.execute(text("UPDATE receipts SET next_try_at = sms_now() WHERE applied_at IS NULL"))
    inbox.apply_waiting_receipts(database)


def write(database: Database, statement: str, **values: Any) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), values)


def accepted(database: Database, people: int, parts: int) -> City:
    """A run whose texts, of so many parts, the gateway has taken."""
    city = make_city(database, people)
    hand_over(database, city, "accepted")
    write(database, "UPDATE attempts SET parts = :parts", parts=parts)
    return city


def test_a_text_is_delivered_when_all_its_parts_are(database: Database) -> None:
    city = accepted(database, 1, parts=3)
    name = reference(database, city, messages(database, city.run_id)[0].id)
    arrive(database, report(DELIVERED, 1, reference=name), report(DELIVERED, 3, reference=name))
    arrive(database, report(DELIVERED, 1, reference=name), report(INTERIM, 2, reference=name))
    assert statuses(database, city.run_id) == {"accepted": 1}
    arrive(database, report(DELIVERED, 2, reference=name))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_one_part_that_is_not_delivered_decides_and_its_class_is_kept(database: Database) -> None:
    city = accepted(database, 1, parts=2)
    name = reference(database, city, messages(database, city.run_id)[0].id)
    arrive(database, report(DELIVERED, 1, reference=name), report(UNDELIVERED, 2, reference=name, raw_code="MK:0001"))
    [row] = messages(database, city.run_id)
    assert (row.status, row.reason, row.raw_code) == ("undelivered", "unreachable", "MK:0001")


def test_where_one_part_is_reported_it_counts_for_the_whole(database: Database) -> None:
    city = accepted(database, 1, parts=4)
    write(database, "UPDATE gateway_accounts SET receipt_parts = 'one'")
    arrive(database, report(DELIVERED, 2, reference=reference(database, city, messages(database, city.run_id)[0].id)))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_a_receipt_is_matched_by_the_providers_name_of_a_part(database: Database) -> None:
    city = accepted(database, 2, parts=2)
    first, second = messages(database, city.run_id)
    with database.transaction() as connection:
        attempts = dict(connection.execute(text("SELECT message_id, id FROM attempts")).all())
        for _ in range(2):  # said twice, it is kept once
            names = {attempts[row.id]: (f"p{row.id}", f"q{row.id}") for row in (first, second)}
            ledger.record_parts(connection, city.month, names)
    parts = [report(DELIVERED, provider_id=name, phone=first.phone) for name in (f"q{first.id}", f"p{first.id}")]
    arrive(database, parts[0], report(DELIVERED, provider_id=f"p{second.id}", phone=first.phone))
    assert statuses(database, city.run_id) == {"accepted": 2}, "one part is missing, and a phone does not fit"
    arrive(database, parts[1])
    assert {row.id: row.status for row in messages(database, city.run_id)} == {
        first.id: "delivered",
        second.id: "accepted",
    }
    with database.transaction() as connection:
        stored = connection.execute(text("SELECT part FROM receipts WHERE applied_at IS NOT NULL ORDER BY id"))
        assert stored.scalars().all() == [2, 1], "which part it was can be read"


def test_the_end_does_not_depend_on_order_number_and_company(database: Database) -> None:
    """Against the rule in one line each: what a set of receipts means, however it comes."""
    most, examples = 3, count_examples(20)
    city = accepted(database, examples * 2, parts=1)
    rows: Iterator[int] = iter([row.id for row in messages(database, city.run_id)])
    one = st.tuples(st.sampled_from([DELIVERED, UNDELIVERED, INTERIM]), st.integers(0, most))

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(parts=st.integers(2, most), reports=st.lists(one, min_size=1, max_size=8), batches=st.booleans())
    def check(parts: int, reports: list[tuple[ReceiptStatus, int]], batches: bool) -> None:
        if (row := next(rows, None)) is None:  # shrinking an example that failed needs more rows than there are
            return
        write(database, "UPDATE attempts SET parts = :parts WHERE message_id = :row", parts=parts, row=row)
        name = reference(database, city, row)
        receipts = [report(status, min(part, parts), reference=name) for status, part in reports]
        for group in [receipts] if batches else [[receipt] for receipt in receipts]:
            arrive(database, *group)
        said = {(receipt.status, receipt.part) for receipt in receipts}
        whole = (DELIVERED, 0) in said or all((DELIVERED, part) in said for part in range(1, parts + 1))
        failed = any(status is UNDELIVERED for status, _ in said)
        expected = "delivered" if whole else "undelivered" if failed else "accepted"
        found = "SELECT m.status, a.status FROM messages m JOIN attempts a ON a.message_id = m.id WHERE m.id = :row"
        with database.transaction() as connection:
            assert tuple(connection.execute(text(found), {"row": row}).one()) == (expected, expected)

    check()


class GroupAdapter(ScriptedAdapter):
    """A gateway whose ids name groups, like a cloud MAS; here it never answers."""

    capabilities = Capabilities(
        largest_group=100, total_timeout_s=1.0, echoes_reference=False, sends_receipts=True, rate=1000,
        simulated=True, names_groups=True,
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.answer = lambda handed: None


def test_a_receipt_of_one_text_names_its_whole_unknown_group(database: Database) -> None:
    city = make_city(database, 3, gateways=ScriptedGateways({"main": GroupAdapter()}, in_flight=1))
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 3}
    first, second, third = messages(database, city.run_id)
    other = make_city(database, 0, gateways=city.gateways, more=[{"phone": second.phone}])
    drain(database, city.gateways)  # from now on two unknown attempts went to the second phone
    arrive(database, report(DELIVERED, provider_id="G1", phone=second.phone))
    assert statuses(database, city.run_id) == {"unknown": 3}, "it may mean either"
    arrive(database, report(DELIVERED, provider_id="G1", phone=first.phone))
    # The first named the group, so that the second's parked receipt has one meaning now, and the third's too.
    arrive(database, report(UNDELIVERED, provider_id="G1", phone=third.phone), report(DELIVERED, provider_id="G1"))
    assert [row.status for row in messages(database, city.run_id)] == ["delivered", "delivered", "undelivered"]
    assert statuses(database, other.run_id) == {"unknown": 1}
    with database.transaction() as connection:
        names = connection.execute(text("SELECT provider_id FROM attempts ORDER BY id")).scalars().all()
        assert names == ["G1", "G1", "G1", None]
        waiting = connection.execute(text("SELECT phone FROM receipts WHERE applied_at IS NULL")).scalars().all()
        assert waiting == [None], "an id that names a group means nobody without a phone"


def test_where_ids_name_texts_a_receipt_names_one(database: Database) -> None:
    city = make_city(database, 2)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.unknown)
    drain(database, city.gateways)
    first, _ = messages(database, city.run_id)
    arrive(database, report(INTERIM, provider_id="T1", phone=first.phone))
    with database.transaction() as connection:
        named = connection.execute(text("SELECT message_id, provider_id FROM attempts ORDER BY id")).all()
    assert [name for _, name in named] == ["T1", None]
    assert statuses(database, city.run_id) == {"unknown": 2}


def test_what_the_file_and_the_adapter_say_reaches_the_database(database: Database) -> None:
    city = make_city(database, 0, adapter=GroupAdapter())
    asked = text("SELECT receipt_parts, names_groups FROM gateway_accounts")
    with database.session() as session:
        assert session.execute(asked).one() == ("all", True)
        city.adapter.capabilities = ScriptedAdapter.capabilities
        synchronise_gateways(session, city.gateways)
        assert session.execute(asked).one() == ("all", False)


def test_our_name_for_an_attempt_is_understood(database: Database) -> None:
    city = accepted(database, 1, parts=1)
    with database.transaction() as connection:
        attempt = connection.execute(text("SELECT id FROM attempts")).scalar_one()
    arrive(database, report(DELIVERED, 1, reference=attempt_reference(city.month, attempt)))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_where_one_text_goes_to_many_the_group_is_of_those_with_the_same_words(database: Database) -> None:
    city = make_city(database, 3, gateways=ScriptedGateways({"main": GroupAdapter()}, in_flight=1))
    drain(database, city.gateways)
    first, _, third = messages(database, city.run_id)
    write(database, "UPDATE gateway_accounts SET one_text = true")
    write(database, "UPDATE messages SET text = CASE id WHEN :other THEN '乙' ELSE '甲' END", other=third.id)
    arrive(database, report(DELIVERED, provider_id="G1", phone=first.phone))
    with database.transaction() as connection:
        names = "SELECT provider_id FROM attempts ORDER BY message_id"
        assert connection.exec_driver_sql(names).scalars().all() == ["G1", "G1", None]
    arrive(database, report(DELIVERED, provider_id="G2", phone=third.phone))
    assert [row.status for row in messages(database, city.run_id)] == ["delivered", "unknown", "delivered"]


def unknown(database: Database, people: int, parts: int) -> City:
    """A run whose texts are unknown, at an account whose receipts are each of one part."""
    city = make_city(database, people)
    hand_over(database, city, "unknown")
    write(database, "UPDATE attempts SET parts = :parts", parts=parts)
    write(database, "UPDATE gateway_accounts SET names_parts = true")
    return city


def of_part(city: City, database: Database, name: str, status: ReceiptStatus = DELIVERED) -> Receipt:
    return report(status, provider_id=name, phone=messages(database, city.run_id)[0].phone)


def test_receipts_of_the_parts_of_an_unknown_text_make_it_whole(database: Database) -> None:
    city = unknown(database, 1, parts=2)
    arrive(database, of_part(city, database, "a"), of_part(city, database, "a"))
    assert statuses(database, city.run_id) == {"unknown": 1}  # one part, though reported twice
    arrive(database, of_part(city, database, "b"))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_a_part_that_is_named_already_leaves_the_others_free(database: Database) -> None:
    city = unknown(database, 1, parts=2)
    write(
        database,
        "INSERT INTO attempt_parts SELECT month, id, 1, account_id, 'a' FROM attempts",
    )
    arrive(database, of_part(city, database, "b"), of_part(city, database, "a"))
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_more_ids_than_parts_are_listed(database: Database) -> None:
    city = unknown(database, 1, parts=2)
    arrive(database, *(of_part(city, database, name) for name in "abc"))
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM receipts WHERE applied_at IS NULL").scalar_one() == 1
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_while_another_text_to_the_phone_is_on_its_way_a_strange_receipt_waits(database: Database) -> None:
    city = unknown(database, 1, parts=2)
    write(
        database,
        "INSERT INTO attempts (month, message_id, run_id, number, account_id, claim_token, status, parts, started_at)"
        " SELECT month, message_id, run_id, 2, account_id, gen_random_uuid(), 'submitting', 2, sms_now() FROM attempts",
    )
    arrive(database, of_part(city, database, "a"), of_part(city, database, "b"))
    assert statuses(database, city.run_id) == {"unknown": 1}
    write(database, "UPDATE attempts SET status = 'refused' WHERE status = 'submitting'")
    arrive(database)
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_a_text_that_was_taken_in_part_is_undelivered_whatever_its_receipts_say(database: Database) -> None:
    def partly(text: Any) -> Outcome:
        return Outcome(text.reference, OutcomeKind.partial, "a", error=ErrorClass.partial, part_ids=("a", ""))

    adapter = ScriptedAdapter()
    adapter.answer = partly
    city = make_city(database, 1, adapter=adapter)
    drain(database, city.gateways)
    write(database, "UPDATE gateway_accounts SET receipt_parts = 'one'")
    arrive(database, of_part(city, database, "a"))
    [row] = messages(database, city.run_id)
    assert (row.status, row.reason) == ("undelivered", "partial")
