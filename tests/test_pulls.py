"""Providers that do not push are asked on schedule, by one process, and what they give is stored at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from sms_service import pulls
from sms_service.db.engine import Database
from sms_service.db.leadership import Leadership, NotLeading
from sms_service.delivery import inbox
from sms_service.embedded import PostgresServer
from sms_service.gateways.base import Pulled, Receipt, ReceiptStatus, Reply
from sms_service.inbound import Inbound
from tests.clocks import ahead_by, end_lease
from tests.delivery.poison import refusing
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, drain, make_city, statuses
from tests.factories import fictional_phone

PHONE = fictional_phone(4)


class Pulling(ScriptedAdapter):
    """An account that gives what the test has put down, in this order, and counts how often it was asked."""

    capabilities = replace(ScriptedAdapter.capabilities, pull_every_s=60.0)

    def __init__(self, *gives: Pulled | Exception | Callable[[], Pulled]) -> None:
        super().__init__()
        self.gives = list(gives)
        self.asked = 0
        self.was_asked = threading.Event()

    def pull(self) -> Pulled:
        """The next of them; nothing once all are given."""
        self.asked += 1
        self.was_asked.set()
        given = self.gives.pop(0) if self.gives else Pulled()
        if isinstance(given, Exception):
            raise given
        return given() if callable(given) else given


def receipt(name: str) -> Receipt:
    return Receipt(ReceiptStatus.delivered, name, "{}")


def pulling_city(database: Database, *gives: Pulled | Exception, **kw: Any) -> tuple[City, Pulling]:
    adapter = Pulling(*gives)
    return make_city(database, adapter=adapter, **kw), adapter


def pull_at(database: Database, city: City, at: str) -> int:
    with ahead_by(database.url, at) as ahead:
        return pulls.pull_due(Inbound(ahead), city.gateways, ahead)


def counted(database: Database) -> tuple[int, int]:
    with database.transaction() as connection:
        numbers = "SELECT (SELECT count(*) FROM receipts) AS receipts, (SELECT count(*) FROM replies) AS replies"
        return tuple(connection.execute(text(numbers)).one())


def test_what_is_given_is_stored_and_applied_as_if_it_were_pushed(database: Database) -> None:
    city, adapter = pulling_city(database, people=1)
    drain(database, city.gateways)
    adapter.gives = [Pulled([receipt(f"p{adapter.handed[0].reference}")], [Reply(PHONE, "R", "{}")])]
    assert pull_at(database, city, "0 seconds") == 2
    inbox.apply_waiting_receipts(database)
    assert statuses(database, city.run_id) == {"delivered": 1}
    with database.transaction() as connection:
        assert connection.execute(text("SELECT phone FROM suppressions")).scalar_one() == PHONE


def test_it_is_asked_when_its_turn_has_come_whatever_process_asked_last(database: Database) -> None:
    city, adapter = pulling_city(database)
    asked = []
    for at in ("0 seconds", "1 second", "58 seconds", "65 seconds", "70 seconds", "130 seconds"):
        pull_at(database, city, at)
        asked.append(adapter.asked)
    assert asked == [1, 1, 1, 2, 2, 3]


def test_while_it_has_more_it_is_asked_again_at_once_and_not_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "MOST_QUESTIONS", 3)
    city, adapter = pulling_city(database, *(Pulled([receipt(str(n))], more=True) for n in range(5)))
    assert pull_at(database, city, "0 seconds") == 3
    assert pull_at(database, city, "61 seconds") == 2
    assert adapter.asked == 6
    assert counted(database) == (5, 0)


def test_one_that_cannot_be_asked_leaves_the_next_its_turn(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Pulling(RuntimeError(f"secret and {PHONE}")), Pulling(Pulled([receipt("a")]))
    city = make_city(database, 0, gateways=ScriptedGateways({"bad": bad, "good": good}))
    assert pull_at(database, city, "0 seconds") == 1
    assert "account bad: asking the provider failed with RuntimeError" in caplog.text
    assert "secret" not in caplog.text
    assert PHONE not in caplog.text


def test_what_cannot_be_stored_is_kept_as_its_record_alone(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    given = [receipt("a"), replace(receipt("b"), raw_code="9" * 70_000, part=-7), replace(receipt("c"), raw="of c")]
    city, _ = pulling_city(database, Pulled(given, [Reply(PHONE, "好", "{}")]))
    with refusing(database.url, "receipts", "provider_id = 'c'"):
        assert pull_at(database, city, "0 seconds") == 4
    assert counted(database) == (3, 1)
    assert "cannot be stored as it is" in caplog.text
    with database.transaction() as connection:
        kept = connection.execute(text("SELECT provider_id, status, raw FROM receipts ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [
        *(("a", "delivered", "{}"), ("b", "delivered", "{}"), (None, "unclassified", "of c"))
    ]


def test_while_the_database_is_away_what_was_given_is_kept(database: Database) -> None:
    """The provider gives nothing twice: the first try to store fails, the second does not."""
    city, _ = pulling_city(database, Pulled([], [Reply(PHONE, "好", "{}")]))
    away = Database("postgresql:///nothing?host=/nowhere")
    tries = []

    class FirstAway(Inbound):
        def keep(self, account: str, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> None:
            tries.append(len(replies))
            Inbound(away if len(tries) == 1 else database).keep(account, receipts, replies)

    assert pulls.pull_due(FirstAway(database), city.gateways, database) == 1
    assert (tries, counted(database)) == ([1, 1], (0, 1))
    away.close()


def test_a_worker_pulls_in_a_thread_of_its_own_and_only_one_of_them(database: Database) -> None:
    city, adapter = pulling_city(database, Pulled([receipt("a")]))
    ends = [pulls.start_pulling(database, city.gateways) for _ in range(2)]
    assert adapter.was_asked.wait(30)
    assert not Leadership(database, pulls.LEADERSHIP).prove(), "it leads through the pause"
    for end in ends:
        end()
    assert not [thread for thread in threading.enumerate() if thread.name == "pull"]
    assert (adapter.asked, counted(database)) == (1, (1, 0))


def test_who_leads_no_longer_asks_no_more_and_loses_nothing(database: Database) -> None:
    """As if it had been stopped while the provider answered, and continued when another leads."""
    city, adapter = pulling_city(database)
    first, second = Leadership(database, pulls.LEADERSHIP), Leadership(database, pulls.LEADERSHIP)
    assert first.prove()

    def is_stopped_here() -> Pulled:
        end_lease(database, pulls.LEADERSHIP)
        assert second.prove()
        return Pulled([receipt("a")], [Reply(PHONE, "好", "{}")], more=True)

    adapter.gives = [is_stopped_here, Pulled([receipt("b")])]
    with pytest.raises(NotLeading):
        pulls.pull_due(Inbound(database), city.gateways, first.guarded())
    assert (adapter.asked, counted(database)) == (1, (1, 1))
    with pytest.raises(NotLeading):  # nor does it take the next turn
        pulls.pull_due(Inbound(database), city.gateways, first.guarded())
    assert adapter.asked == 1


def test_where_nobody_is_to_be_pulled_no_thread_runs(own_postgres: PostgresServer) -> None:
    database = Database(own_postgres.url)
    pulls.start_pulling(database, ScriptedGateways({"main": ScriptedAdapter()}))()
    assert not [thread for thread in threading.enumerate() if thread.name == "pull"]
    database.close()
