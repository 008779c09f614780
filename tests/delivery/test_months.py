"""What comes in lies in the month in which it came, and nothing is missed where months meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import Receipt, ReceiptStatus, Reply
from sms_service.ledger import receipts
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.delivery.poison import refusing
from tests.dispatch.city import City, drain, make_city, statuses
from tests.factories import fictional_phone
from tests.waiting import wait_until_blocked

PHONE = fictional_phone(9)
# The last half hour of a month, and the first of the next.
BEFORE, AFTER = "-30 minutes", "30 minutes"


def months(database: Database, table: str) -> list[bool]:
    """Of each row, whether it lies in its month's partition."""
    with database.transaction() as connection:
        rows = connection.execute(
            text(
                f"SELECT tableoid::regclass::text = '{table}_' || to_char(received_at AT TIME ZONE 'UTC', 'YYYYMM')"
                f" FROM {table} ORDER BY id"
            )
        )
        return list(rows.scalars())


def turn(database: Database, offset: str) -> str:
    """How far ahead a clock is that shows the next month's first moment, moved by an offset."""
    with database.transaction() as connection:
        return str(
            connection.execute(
                text("SELECT (date_trunc('month', now()) + interval '1 month' - now() + CAST(:o AS interval))::text"),
                {"o": offset},
            ).scalar_one()
        )


def half_in_the_month_before(database: Database, before: str = "1, 2") -> City:
    """Four texts, their receipts, and a fifth of no text: that and those of these ids came in the month before."""
    city = make_city(database, 4)
    drain(database, city.gateways)
    said = [Receipt(ReceiptStatus.delivered, None, "{}", reference=t.reference) for t in city.adapter.handed]
    said.append(Receipt(ReceiptStatus.delivered, "stranger", "{}", phone=PHONE))
    with database.transaction() as connection:
        receipts.insert_receipts(connection, [("main", receipt) for receipt in said])
        month = "(date_trunc('month', now()) - interval '1 month')::date"
        connection.exec_driver_sql(f"SELECT ensure_month({month})")
        connection.exec_driver_sql(f"UPDATE receipts SET in_month = {month} WHERE id IN ({before}, 5)")
    return city


def test_receipts_of_two_months_are_applied_in_one_batch(database: Database) -> None:
    city = half_in_the_month_before(database)
    with database.transaction() as connection:
        assert receipts.apply_receipts(connection, 100) == receipts.Applied(5, 4, 4)
    assert statuses(database, city.run_id) == {"delivered": 4}
    with database.transaction() as connection:
        waits = connection.execute(text("SELECT id, tries, next_try_at > now() FROM receipts WHERE applied_at IS NULL"))
        assert waits.one() == (5, 1, True)


def test_attempts_are_locked_in_order_whenever_their_receipts_came(database: Database) -> None:
    """Those of the month before are of the later attempts. Whoever holds the first attempt gets the last one too."""
    half_in_the_month_before(database, "3, 4")
    lock = "SELECT id FROM attempts WHERE id = %(id)s FOR UPDATE NOWAIT"
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as other:
            ids = other.exec_driver_sql("SELECT id FROM attempts ORDER BY id").scalars().all()
            other.exec_driver_sql(lock, {"id": ids[0]})
            applying = pool.submit(inbox.apply_waiting_receipts, database)
            assert wait_until_blocked(database, unless=applying.done)
            assert other.exec_driver_sql(lock, {"id": ids[-1]}).scalar_one() == ids[-1]
        assert applying.result() is False


def test_one_that_cannot_be_applied_is_set_aside_in_its_month(database: Database) -> None:
    city = half_in_the_month_before(database)
    with refusing(database.url, "messages", f"status = 'delivered' AND id = {city.adapter.handed[0].reference[7:]}"):
        assert inbox.apply_waiting_receipts(database) is False
    assert statuses(database, city.run_id) == {"delivered": 3, "accepted": 1}
    with database.transaction() as connection:
        aside = connection.execute(text("SELECT id FROM receipts WHERE next_try_at = 'infinity'")).scalars().all()
    assert aside == [1]


def test_a_month_that_nobody_made_is_made_by_what_comes_first(database: Database) -> None:
    """As after a long stop, when a provider is here before the clock."""
    make_city(database, 1)
    receipt = Receipt(ReceiptStatus.delivered, "p", "{}", phone=PHONE)
    with ahead_by(database.url, "200 days") as later:
        inbox.Inbox(later).store("main", [receipt])
    with ahead_by(database.url, "250 days") as later:
        inbox.store_receipts(later, [("main", receipt)])
        assert inbox.apply_waiting_receipts(later) is False
    with ahead_by(database.url, "300 days") as later:
        assert store_replies(later, "main", [Reply(PHONE, "好", "{}")]) == 1
        assert matching.match_waiting(later) is False
    assert months(database, "receipts") == [True, True]
    assert months(database, "replies") == [True]
    with database.transaction() as connection:
        assert connection.execute(text("SELECT sum(tries) FROM receipts")).scalar_one() == 2
        assert connection.execute(text("SELECT count(*) FROM replies WHERE matched_at IS NULL")).scalar_one() == 0


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_long_reply_is_joined_over_the_end_of_a_month(database: Database, order: tuple[int, int]) -> None:
    make_city(database, 0, more=[{"phone": PHONE}])
    for part, offset in zip(order, (BEFORE, AFTER), strict=True):
        with ahead_by(database.url, turn(database, offset)) as then:
            said = Reply(PHONE, "退订"[part - 1], "{}", part=part, parts=2, series="7")
            assert store_replies(then, "main", [said]) == 1
            assert matching.match_waiting(then) is False
    with database.transaction() as connection:
        rows = connection.execute(text("SELECT part, text, meaning, joined_to IS NULL FROM replies ORDER BY part"))
        assert [tuple(row) for row in rows] == [(1, "退订", "stop", True), (2, "订", None, False)]
        assert connection.execute(text("SELECT count(DISTINCT in_month) FROM replies")).scalar_one() == 2
        assert connection.execute(text("SELECT phone FROM suppressions")).scalars().all() == [PHONE]


def test_what_is_said_again_is_known_over_the_end_of_a_month(database: Database) -> None:
    make_city(database, 0)
    said = Reply(PHONE, "好", "{}", provider_id="A")
    with ahead_by(database.url, turn(database, BEFORE)) as then:
        assert store_replies(then, "main", [said]) == 1
    with ahead_by(database.url, turn(database, AFTER)) as then:
        assert store_replies(then, "main", [said]) == 0


def test_a_new_month_waits_holding_nothing_that_a_run_needs(database: Database) -> None:
    """Somebody has changed a gateway account, and goes on with a run: as the other way round, one of them would be
    ended by PostgreSQL.
    """
    make_month = "SELECT ensure_month((date_trunc('month', now()) + interval '11 months')::date)"

    def make() -> object:
        with database.transaction() as connection:
            return connection.exec_driver_sql(make_month).scalar_one()

    make_city(database, 1)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as other:
            other.exec_driver_sql("UPDATE gateway_accounts SET trips = 0")
            made = pool.submit(make)
            assert wait_until_blocked(database, unless=made.done)
            other.exec_driver_sql("UPDATE runs SET reason = NULL")
        assert made.result(timeout=30) is True
