"""`python -m chaos.pruning --seconds 60 [--bin DIR]`: eight sessions run the ledger's own statements at the same time,
on rows of two months that change under them, on any PostgreSQL server.

A server that chooses partitions wrongly crashes with signal 11 (docs/operating.md, *Versions of PostgreSQL*). If a
session is cut off, this program ends with exit code 1 and the server's last log lines; else with a line of JSON that
counts what was done.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from benchmarks import city
from sms_service.accounts.models import Account
from sms_service.controls.models import GatewayAccount, Route, RouteMember
from sms_service.db import bootstrap, migrate
from sms_service.db.engine import Database
from sms_service.delivery import inbox, reconcile
from sms_service.dispatch import breaker
from sms_service.embedded import PostgresServer
from sms_service.gateways.base import (
    Capabilities,
    Finding,
    LooksUp,
    OutcomeKind,
    Question,
    Receipt,
    ReceiptStatus,
    Reply,
)
from sms_service.ledger import protocol, receipts, resolving, sweeps
from sms_service.ledger.models import Run
from sms_service.ledger.protocol import Claim, Recorded, Rendered
from sms_service.ledger.states import RunStatus
from sms_service.replies import matching
from sms_service.replies import storing as replies

SESSIONS = 8
# May happen to anybody, who then tries again. Whoever writes attempts holds them in the order of their ids, and their
# messages afterwards; of one message two attempts may be in two hands, whose messages are in no common order. Here most
# messages have several attempts, in a real run few; to sort the messages of every outcome and receipt would cost more.
_MET = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
PEOPLE = 40  # few, so that the sessions meet at the same rows
HELD_S = 0.01  # how long a change stays open under the other sessions

# Of the one planned run two of this month and two of the last, with a row for everybody, all under way.
_RUNS = """
INSERT INTO runs (
    campaign_id, item, unit_id, unit_path, template_version_id, class, segment_rule, signature, route_id, validity_s,
    due_at, month, day, status, audience, launched_at, frozen_at, expires_at)
SELECT campaign_id, n, unit_id, unit_path, template_version_id, class, segment_rule, signature, route_id, validity_s,
    due_at, at, at, 'running', %(people)s, sms_now(), sms_now(), sms_now() + interval '1 day'
FROM runs, generate_series(2, 5) AS n,
    LATERAL (SELECT (date_trunc('month', now()) - make_interval(months => n %% 2))::date AS at) AS months
"""
_ROWS = """
INSERT INTO messages (
    month, run_id, person_id, unit_id, unit_path, phone, class, template_version_id, route_id, status, not_before,
    expires_at, changed_at)
SELECT r.month, r.id, p.id, p.unit_id, u.path, p.phone, r.class, r.template_version_id, r.route_id, 'pending',
    sms_now(), sms_now() + interval '1 day', sms_now()
FROM runs r CROSS JOIN people p JOIN units u ON u.id = p.unit_id
WHERE r.status = 'running'
"""
# What happens to rows under the statements: the table, the rows and the change. Each is a transaction, which holds its
# rows in the order of their ids first: a deadlock is one of the service's own then.
_ROWS_OF = "month = %(month)s::date AND id = ANY (%(ids)s)"
_ATTEMPTS_OF = "month = %(month)s::date AND message_id = ANY (%(ids)s)"
_CHANGES = (
    ("messages", _ROWS_OF, "changed_at = sms_now() - interval '73 hours'"),
    ("messages", f"{_ROWS_OF} AND lease_until IS NOT NULL", "lease_until = sms_now()"),
    ("messages", _ROWS_OF, "not_before = sms_now(), expires_at = sms_now() + random() * interval '1 minute'"),
    (
        *("messages", _ROWS_OF),
        "status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, reason = NULL,"
        " not_before = sms_now(), expires_at = sms_now() + interval '1 day'",
    ),
    (
        *("attempts", _ATTEMPTS_OF),
        "status = 'unknown', looked_up_at = NULL, provider_id = NULL, parts = 1 + id %% 2,"
        " started_at = sms_now() - interval '1 hour'",
    ),
    ("attempts", _ATTEMPTS_OF, "detail = 'touched'"),
    ("receipts", "id %% 3 = %(chance)s %% 3", "applied_at = NULL, next_try_at = sms_now()"),
    ("replies", "id %% 7 = %(chance)s %% 7", "matched_at = NULL"),
    (
        *("runs", "month = %(month)s::date AND status NOT IN ('planned', 'closed')"),
        "status = 'running', held_for = NULL, reason = NULL, expires_at = sms_now() + interval '1 day',"
        " canary = CASE WHEN random() < 0.5 THEN %(ids)s::bigint[] END",
    ),
    (
        *("runs", "month = %(month)s::date AND status <> 'planned'"),
        "status = (ARRAY['cancelled', 'finished', 'paused', 'running'])[1 + (random() * 3)::int],"
        " held_for = NULL, expires_at = sms_now() + random() * interval '2 seconds'",
    ),
)


class _Told:
    """An account that can be asked and says something else each time."""

    capabilities = Capabilities(
        largest_group=100, total_timeout_s=1.0, sends_receipts=True, rate=1000, echoes_reference=True, simulated=True,
        look_up_after_s=600.0, look_up_complete=True, look_up_receipts=True,
    )  # fmt: skip

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        return [random.choice([None, Finding(None), Finding(f"p{random.randrange(500)}")]) for _ in questions]


@dataclass(frozen=True, slots=True)
class _Place:
    """One run, its rows and who is in them."""

    run_id: int
    month: date
    ids: Sequence[int]
    phones: Sequence[str]


class Pruning:
    """The ledger, its eight sessions, and what they did."""

    def __init__(self, url: str, seed: int) -> None:
        self.database = Database(url, pool_size=2 * SESSIONS, application_name="pruning", by_key=True)
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.cut_off = threading.Event()
        self._seed = seed
        self._gateway_account_id, self._person, self.places = self._fill()

    def run(self, seconds: float) -> None:
        """Run eight sessions until the time is over or one is cut off."""
        end = time.monotonic() + seconds
        acts: list[Callable[[random.Random], str]] = [self._hand_over, self._receive, self._clock, self._people]
        acts += [self._look_up, self._reply, self._change, self._change]

        def session(number: int) -> None:
            chance = random.Random(f"{self._seed} {number}")
            while time.monotonic() < end and not self.cut_off.is_set():
                # Each has a trade, and now and then does another's: every statement meets every other and itself.
                act = acts[number] if chance.random() < 0.6 else chance.choice(acts)
                try:
                    self.done[act(chance)] += 1
                except DBAPIError as error:
                    if isinstance(error.orig, psycopg.OperationalError) and not isinstance(error.orig, _MET):
                        self.cut_off.set()
                    self.failed[type(error.orig).__name__] += 1

        threads = [threading.Thread(target=session, args=(number,)) for number in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _fill(self) -> tuple[int, int, list[_Place]]:
        city.build(self.database, PEOPLE, branches=3)
        with self.database.session() as session:
            account = GatewayAccount(name="main", adapter="simulator", simulated=True)
            route = Route(name="default")
            session.add_all([account, route])
            session.flush()
            session.add(RouteMember(route_id=route.id, gateway_account_id=account.id, priority=1))
            account.names_parts = account.names_groups = True
            person = Account(login="somebody", name="某人", unit_id=1)
            session.add(person)
            city.plan_run(session)
            gateway_account_id, person_id = account.id, person.id
        with self.database.transaction() as connection:
            connection.exec_driver_sql(
                "SELECT ensure_month((date_trunc('month', now()) - make_interval(months => n))::date)"
                " FROM generate_series(0, 1) AS n"
            )
            connection.exec_driver_sql(_RUNS, {"people": PEOPLE})
            connection.exec_driver_sql(_ROWS)
        with self.database.session() as session:
            places = []
            for run in session.scalars(select(Run).where(Run.status == RunStatus.running).order_by(Run.id)):
                rows = session.connection().exec_driver_sql(
                    "SELECT id, phone FROM messages WHERE month = %(month)s::date AND run_id = %(run_id)s",
                    {"month": run.month, "run_id": run.id},
                )
                ids, phones = zip(*rows, strict=True)
                places.append(_Place(run.id, run.month, ids, phones))
        return gateway_account_id, person_id, places

    def _hand_over(self, chance: random.Random) -> str:
        place = chance.choice(self.places)
        claim = Claim(place.run_id, place.month, self._gateway_account_id, str(uuid.uuid4()))
        with self.database.transaction() as connection:
            rows = protocol.claim_rows(connection, claim, 15, 60)
        if not rows or chance.random() < 0.2:
            return "claimed"
        with self.database.transaction() as connection:
            rendered = [Rendered(row.id, "【云州先锋】学习", 2) for row in rows]
            passed = protocol.pass_gate(connection, claim, rendered, 60)
        with self.database.transaction() as connection:
            protocol.release_rows(connection, claim, [row.id for row in rows])
        if chance.random() < 0.2:
            with self.database.transaction() as connection:
                protocol.withdraw_rows(connection, claim, [row.id for row in rows])
            return "withdrawn"
        kinds = (OutcomeKind.accepted, OutcomeKind.unknown, OutcomeKind.refused, OutcomeKind.throttled)
        outcomes = [
            Recorded(row.attempt_id, chance.choice(kinds), f"p{row.attempt_id}", retry_after_s=0.0, part_ids=("a", "b"))
            for row in passed[chance.randrange(3) :]
        ]
        with self.database.transaction() as connection:
            protocol.record_outcomes(connection, claim.month, outcomes, claim)
        return "handed over"

    def _receive(self, chance: random.Random) -> str:
        place = chance.choice(self.places)
        with self.database.transaction() as connection:
            known = connection.exec_driver_sql(
                "SELECT a.id, a.provider_id, m.phone"
                " FROM attempts a JOIN messages m ON m.month = a.month AND m.id = a.message_id"
                " WHERE a.month = %(month)s AND a.run_id = %(run_id)s ORDER BY a.id DESC LIMIT 200",
                {"month": place.month, "run_id": place.run_id},
            ).all()
        statuses = (ReceiptStatus.delivered, ReceiptStatus.undelivered)
        pushed = []
        for row in chance.sample(known, min(10, len(known))):
            how = chance.randrange(3)
            pushed.append(
                Receipt(
                    chance.choice(statuses),
                    row.provider_id if how == 1 else f"s{chance.randrange(10**6)}",
                    "{}",
                    reference=receipts.attempt_reference(place.month, row.id) if how == 0 else None,
                    phone=row.phone,
                    part=chance.randrange(3),
                )
            )
        with self.database.transaction() as connection:
            receipts.insert_receipts(connection, [("main", receipt) for receipt in pushed])
        inbox.apply_waiting_receipts(self.database, job_s=0.1)
        return "received"

    def _clock(self, chance: random.Random) -> str:
        duties: tuple[Callable[[Connection], object], ...] = (
            sweeps.release_claimed,
            sweeps.give_up_submitting,
            sweeps.expire_rows,
            sweeps.cancel_slice,
            lambda connection: sweeps.mark_silent(connection, [self._gateway_account_id], 72),
            sweeps.finish_runs,
            breaker.check_canaries,
        )
        for duty in chance.sample(duties, len(duties)):
            with self.database.transaction() as connection:
                duty(connection)
        return "ticked"

    def _people(self, chance: random.Random) -> str:
        place = chance.choice(self.places)
        with self.database.transaction() as connection:
            match chance.randrange(3):
                case 0:
                    resolving.retry_rows(connection, place.run_id, resolving.RETRYABLE)
                case 1:
                    resolving.send_rows_again(connection, place.run_id, None)
                case _:
                    for message in chance.sample(place.ids, 5):
                        settled_as = chance.choice(("accepted", "refused"))
                        resolving.settle_row(connection, place.month, message, cast(Any, settled_as), self._person)
        return "decided"

    def _look_up(self, chance: random.Random) -> str:
        reconcile._look_up(self.database, "main", cast(LooksUp, _Told()), 600.0)
        return "looked up"

    def _reply(self, chance: random.Random) -> str:
        place = chance.choice(self.places)
        said = [
            Reply(phone=phone, text=f"收到{chance.random()}", raw="{}", provider_id=None, to=None)
            for phone in chance.sample(place.phones, 3)
        ]
        replies.store_replies(self.database, "main", said)
        matching.match_waiting(self.database, job_s=0.1)
        return "replied"

    def _change(self, chance: random.Random) -> str:
        place = chance.choice(self.places)
        for table, rows, change in chance.sample(_CHANGES, 3):
            values = {"month": place.month, "ids": chance.sample(place.ids, 20), "chance": chance.randrange(21)}
            with self.database.transaction() as connection:
                connection.exec_driver_sql(f"SELECT FROM {table} WHERE {rows} ORDER BY id FOR UPDATE", values)
                connection.exec_driver_sql(f"UPDATE {table} SET {change} WHERE {rows}", values)
                time.sleep(HELD_S)
        return "changed"


def run_on(url: str, server: PostgresServer, seconds: float, seed: int) -> dict[str, Any]:
    """The whole on a server: a database of its own, eight sessions, and what came of it."""
    database_url = make_url(url).set(database="pruning").render_as_string(hide_password=False)
    bootstrap.prepare_database(database_url)
    migrate.upgrade_schema(database_url)
    pruning = Pruning(database_url, seed)
    with closing(pruning.database):
        pruning.run(seconds)
    dead = [line for line in server.log.read_text("utf-8", "replace").splitlines() if "by signal" in line]
    return {
        "pruning": "broken" if dead or pruning.cut_off.is_set() else "held",
        "seconds": seconds,
        "done": dict(sorted(pruning.done.items())),
        "failed": dict(pruning.failed),
        "server": dead[:2],
    }


def main() -> int:
    """Returns the exit status: 0 if every session lived."""
    parser = argparse.ArgumentParser(prog="python -m chaos.pruning", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long; by default 60")
    parser.add_argument("--seed", type=int, default=1, help="what the sessions draw from; by default 1")
    parser.add_argument("--bin", type=Path, help="the folder of another PostgreSQL's binaries")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sms_pruning-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # root's PostgreSQL runs as another user, who has to pass
        server = PostgresServer(Path(name) / "postgres", bin_dir=options.bin)
        server.start()
        try:
            with psycopg.connect(server.url) as connection:
                version = connection.info.parameter_status("server_version")
            line = {"postgresql": version, **run_on(server.url, server, options.seconds, options.seed)}
        finally:
            server.destroy()
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0 if line["pruning"] == "held" else 1


if __name__ == "__main__":
    sys.exit(main())
