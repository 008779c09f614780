"""Whatever happens in whatever order: nothing outside the tables of states, and the identity after every step."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, text

from sms_service.db.engine import Database
from sms_service.delivery import inbox
from sms_service.gateways.base import OutcomeKind, Receipt, ReceiptStatus
from sms_service.ledger import protocol, receipts, resolving, sweeps
from sms_service.ledger.models import Message
from sms_service.ledger.protocol import Claim, Recorded, Rendered
from sms_service.ledger.receipts import attempt_reference
from sms_service.ledger.states import ATTEMPT_RANK, MESSAGE_TRANSITIONS, RUN_TRANSITIONS
from sms_service.reports.counts import check_identity
from sms_service.reports.parts import parts_taken
from tests.dispatch.city import City, make_city
from tests.examples import count_examples
from tests.factories import make_account

PEOPLE = 4


def reachable(source: str, target: str) -> bool:
    """Whether one or more allowed changes lead from one status to the other: a step may make several."""
    seen, edge = {source}, {source}
    while edge:
        edge = {after for before in edge for after in MESSAGE_TRANSITIONS[before]} - seen  # type: ignore[index]
        seen |= edge
    return target in seen


def machine(database: Database) -> type[RuleBasedStateMachine]:
    class Ledger(RuleBasedStateMachine):
        """One run of a few people, one gateway account, many hands."""

        city: City

        @initialize()
        def found(self) -> None:
            with database.transaction() as connection:
                connection.execute(text("DELETE FROM suppressions; DELETE FROM cap_uses; DELETE FROM caps"))
                connection.execute(text("INSERT INTO caps VALUES ('notice', 1)"))
            self.city = make_city(database, PEOPLE)
            with database.session() as session:
                self.somebody = make_account(session, self.city.unit).id
            self.claims: list[tuple[Claim, list[int]]] = []
            self.elsewhere = False
            self.messages = self.read("SELECT id, status FROM messages WHERE run_id = :r")
            self.attempts: dict[int, str] = {}
            self.run = "running"

        def read(self, query: str) -> dict[int, str]:
            with database.transaction() as connection:
                return {row[0]: row[1] for row in connection.execute(text(query), {"r": self.city.run_id})}

        def write(self, statement: str, **values: Any) -> None:
            with database.transaction() as connection:
                connection.execute(text(statement), {"r": self.city.run_id, **values})

        @rule(size=st.integers(1, PEOPLE))
        def claim(self, size: int) -> None:
            with database.transaction() as connection:
                account = connection.execute(text("SELECT id FROM gateway_accounts WHERE name = 'main'")).scalar_one()
                claim = Claim(self.city.run_id, self.city.month, account, str(uuid.uuid4()))
                rows = protocol.claim_rows(connection, claim, size, 60)
            if rows:
                self.claims.append((claim, [row.id for row in rows]))

        @rule(data=st.data())
        def gate(self, data: st.DataObject) -> None:
            if not self.claims:
                return
            claim, ids = data.draw(st.sampled_from(self.claims))
            with database.transaction() as connection:
                protocol.pass_gate(connection, claim, [Rendered(row, "【云州先锋】学习", 1) for row in ids], 60)

        @rule(data=st.data(), act=st.sampled_from(["release", "withdraw", "unrendered"]))
        def give_back(self, data: st.DataObject, act: str) -> None:
            if not self.claims:
                return
            claim, ids = data.draw(st.sampled_from(self.claims))
            with database.transaction() as connection:
                if act == "release":
                    protocol.release_rows(connection, claim, ids)
                elif act == "withdraw":
                    protocol.withdraw_rows(connection, claim, ids)
                else:
                    protocol.refuse_unrendered(connection, claim, {ids[0]: "缺少变量"})

        @rule(data=st.data(), kind=st.sampled_from(OutcomeKind), retry=st.booleans())
        def outcome(self, data: st.DataObject, kind: OutcomeKind, retry: bool) -> None:
            if not self.attempts:
                return
            attempt = data.draw(st.sampled_from(sorted(self.attempts)))
            again = 0.0 if retry and kind in (OutcomeKind.refused, OutcomeKind.throttled) else None
            provider_id = f"p{attempt}" if kind is OutcomeKind.accepted else None
            with database.transaction() as connection:
                recorded = Recorded(attempt, kind, provider_id, retry_after_s=again)
                protocol.record_outcomes(connection, self.city.month, [recorded])

        @rule(data=st.data(), status=st.sampled_from(ReceiptStatus))
        def receipt(self, data: st.DataObject, status: ReceiptStatus) -> None:
            if not self.attempts:
                return
            attempt = data.draw(st.sampled_from(sorted(self.attempts)))
            name = attempt_reference(self.city.month, attempt)
            with database.transaction() as connection:
                receipts.insert_receipts(connection, [("main", Receipt(status, None, "{}", reference=name))])
            inbox.apply_waiting_receipts(database)

        @rule(status=st.sampled_from(["claimed", "submitting"]))
        def leases_end(self, status: str) -> None:
            self.write("UPDATE messages SET lease_until = sms_now() WHERE run_id = :r AND status = :s", s=status)
            with database.transaction() as connection:
                sweeps.release_claimed(connection)
            with database.transaction() as connection:
                sweeps.give_up_submitting(connection)

        @rule()
        def silence(self) -> None:
            self.write("UPDATE messages SET changed_at = sms_now() - interval '73 hours' WHERE run_id = :r")
            with database.transaction() as connection:
                accounts = [row.id for row in connection.execute(text("SELECT id FROM gateway_accounts"))]
                sweeps.mark_silent(connection, accounts, 72)

        @rule()
        def somebody_opts_out(self) -> None:
            self.write(
                "INSERT INTO suppressions (phone, source) SELECT phone, 'reply' FROM messages WHERE run_id = :r LIMIT 1"
                " ON CONFLICT DO NOTHING"
            )

        @rule()
        def somebody_is_texted_by_another_run(self) -> None:
            self.write(
                "INSERT INTO cap_uses SELECT phone, 'notice', (sms_now() AT TIME ZONE 'Asia/Shanghai')::date, 1"
                " FROM messages WHERE run_id = :r LIMIT 1 ON CONFLICT DO NOTHING"
            )
            self.elsewhere = True

        @rule(release=st.booleans())
        def everything_is_stopped(self, release: bool) -> None:
            if release:
                self.write("UPDATE stops SET released_at = sms_now(), release_why = 'w' WHERE released_at IS NULL")
            else:
                self.write(
                    "INSERT INTO stops (unit_id, why, stopped_at) SELECT unit_id, 'w', sms_now() FROM runs"
                    " WHERE id = :r"
                )

        @rule(what=st.sampled_from(["retry", "send again"]))
        def a_person_sends_again(self, what: str) -> None:
            with database.transaction() as connection:
                if what == "retry":
                    resolving.retry_rows(connection, self.city.run_id, resolving.RETRYABLE)
                else:
                    resolving.send_rows_again(connection, self.city.run_id, None)

        @rule(data=st.data(), settled_as=st.sampled_from(["accepted", "refused"]))
        def a_person_settles(self, data: st.DataObject, settled_as: resolving.SettledAs) -> None:
            message = data.draw(st.sampled_from(sorted(self.messages)))
            with database.transaction() as connection:
                resolving.settle_row(connection, self.city.month, message, settled_as, self.somebody)

        @rule(wish=st.sampled_from(["paused", "running", "cancelled"]), luck=st.integers(0, 3))
        def people_decide(self, wish: str, luck: int) -> None:
            if wish == "cancelled" and luck:  # rarely: nothing follows it
                return
            if wish in RUN_TRANSITIONS[self.run] and self.run in ("running", "paused"):  # type: ignore[index]
                self.write("UPDATE runs SET status = :s WHERE id = :r", s=wish)
            with database.transaction() as connection:
                sweeps.cancel_slice(connection)

        @rule()
        def runs_end(self) -> None:
            with database.transaction() as connection:
                sweeps.finish_runs(connection)

        @invariant()
        def nothing_outside_the_tables(self) -> None:
            now = self.read("SELECT id, status FROM messages WHERE run_id = :r")
            assert now.keys() == self.messages.keys()
            for message, status in now.items():
                assert reachable(self.messages[message], status), (self.messages[message], status)
            attempts = self.read("SELECT id, status FROM attempts WHERE run_id = :r")
            assert attempts.keys() >= self.attempts.keys()
            for attempt, status in self.attempts.items():
                assert ATTEMPT_RANK[attempts[attempt]] >= ATTEMPT_RANK[status]  # type: ignore[index]
                if ATTEMPT_RANK[attempts[attempt]] == ATTEMPT_RANK[status]:  # type: ignore[index]
                    assert attempts[attempt] == status
            self.messages, self.attempts = now, attempts
            self.run = self.read("SELECT id, status FROM runs WHERE id = :r")[self.city.run_id]

        @invariant()
        def caps_count_the_messages_that_hold_a_place(self) -> None:
            held = self.read("SELECT phone, 1 FROM messages WHERE run_id = :r AND cap_day IS NOT NULL")
            used = self.read("SELECT phone, used FROM cap_uses WHERE used > 0 AND :r = :r")
            if not self.elsewhere:
                assert used == held
            for phone, number in used.items():
                assert number <= 1, phone

        @invariant()
        def every_recipient_is_accounted_for(self) -> None:
            with database.session() as session:
                found = check_identity(session, self.city.run_id)
            assert found.holds
            assert found.audience == PEOPLE

        @invariant()
        def counts_know_parts_without_looking_at_attempts(self) -> None:
            counted = select(Message.id, parts_taken()).where(Message.run_id == self.city.run_id)
            with database.session() as session:
                shown = dict(session.execute(counted).all())
            taken = self.read(
                "SELECT m.id, coalesce(sum(a.parts) FILTER (WHERE a.status IN"
                " ('accepted', 'no_receipt', 'undelivered', 'delivered')), 0)"
                " FROM messages m LEFT JOIN attempts a ON a.month = m.month AND a.message_id = m.id"
                " WHERE m.run_id = :r GROUP BY m.id"
            )
            assert shown == taken

    return Ledger


def test_the_ledger_stays_within_its_tables(database: Database) -> None:
    run_state_machine_as_test(
        machine(database),
        settings=settings(
            max_examples=count_examples(12),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
