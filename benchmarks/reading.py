"""What one request of each list costs, in a city whose lists are full: processor time of web, and statements."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event

from benchmarks import city
from benchmarks.costing import processor_s
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import ROOT, BenchmarkError, Laboratory
from benchmarks.services import null_gateway
from sms_service import settings
from sms_service.accounts import services, tokens
from sms_service.accounts.actors import SYSTEM
from sms_service.api import create_app
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.registry import Gateways

ROWS = 300  # rows of everything: more than one full page
EARLIER, REQUESTS = 10, 50
# Every list of the API by its figure's name; the run with the id 1 is the one to the whole city.
LISTS = {
    path.replace("/1/", "_").replace("/null/", "_").replace("-", "_"): path
    for path in (
        *("tokens", "accounts", "units", "people", "imports", "imports/1/problems", "segments", "suppressions"),
        *("templates", "templates/1/versions", "campaigns", "runs", "runs/1/messages", "messages", "stops"),
        *("gateway-accounts", "gateway-accounts/null/refused-callbacks", "gateway-accounts/null/unknown-codes"),
        *("routes", "replies", "receipts", "trail"),
    )
}
# Rows that fill a page of each list. Ids begin at 1; the run of `city.plan_run` has the whole city in it.
_FILL = """
INSERT INTO accounts (login, name, unit_id)
SELECT 'officer' || n, '干事' || n, 1 + n %% 40 FROM generate_series(1, %(rows)s) n;
INSERT INTO role_grants (account_id, role, unit_id) SELECT id, 'officer', unit_id FROM accounts;
INSERT INTO tokens (account_id, name, digest, expires_at)
SELECT 1, 'laptop ' || n, sha256(n::text::bytea), now() + interval '1 day' FROM generate_series(1, %(rows)s) n;
INSERT INTO contacts (person_id, unit_id, role) SELECT id, unit_id, '书记' FROM people WHERE id %% 20 = 0;
INSERT INTO segments (unit_id, name, rule)
SELECT 1 + n %% 40, '分组' || n, '{"everyone": true}' FROM generate_series(1, %(rows)s) n;
INSERT INTO templates (unit_id, name, class)
SELECT 1 + n %% 40, '模板' || n, 'study' FROM generate_series(1, %(rows)s) n;
INSERT INTO template_versions (template_id, number, body, variables)
SELECT id, 2, repeat('学习', 200), '{}' FROM templates;
INSERT INTO template_versions (template_id, number, body, variables)
SELECT 1, 2 + n, repeat('学习', 200), '{}' FROM generate_series(1, %(rows)s) n;
INSERT INTO campaigns (unit_id, name, template_version_id, segment_id, values, signature, route_id)
SELECT 1 + n %% 40, '学习' || n, 1, 1, '{"时间": "九点"}', '云州先锋', 1 FROM generate_series(1, %(rows)s) n;
INSERT INTO decisions (campaign_id, verdict, digest, at) SELECT id, 'approved', '', now() FROM campaigns;
INSERT INTO runs (campaign_id, unit_id, unit_path, status, template_version_id, class, segment_rule, signature,
                  route_id, validity_s, due_at, day, month, audience, launched_at, expires_at, frozen_at)
SELECT c.id, c.unit_id, u.path, 'finished', 1, 'study', '{"everyone": true}', '云州先锋', 1, 86400, now(), current_date,
       date_trunc('month', current_date), 0, now(), now(), now()
FROM campaigns c JOIN units u ON u.id = c.unit_id WHERE c.id > 1;
INSERT INTO suppressions (phone, source) SELECT phone, 'import' FROM people WHERE id %% 50 = 0;
INSERT INTO imports (unit_id, kind, file_name, digest, rows, created, changed, unchanged, refused)
SELECT 1 + n %% 40, 'people', '党员.csv', '', 10, 10, 0, 0, 0 FROM generate_series(1, %(rows)s) n;
INSERT INTO import_problems (import_id, row, "column", reason, refused)
SELECT 1, n, '手机号', 'too short', true FROM generate_series(1, %(rows)s) n
"""


def fill(database: Database, gateways: Gateways) -> None:
    """Write a page or more of rows for each list, and one run that is frozen to the whole city."""
    with database.session() as session:
        synchronise_gateways(session, gateways)
        city.plan_run(session)
    city.launch(database)
    with database.transaction() as connection:
        (run_id,) = connection.exec_driver_sql("SELECT min(id) FROM runs").one()
    freeze.freeze_run(database, run_id)
    with database.transaction() as connection:
        for statement in _FILL.split(";\n"):
            connection.exec_driver_sql(statement, {"rows": ROWS})
    with database.at_once() as connection:
        connection.exec_driver_sql("SET ROLE NONE")  # the tables' owner, as autovacuum is
        connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """A list that collects the statements which this process sends within the block."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _measure(laboratory: Laboratory) -> Measured:
    file = null_gateway(laboratory)
    with laboratory.city() as database:
        fill(database, Gateways.from_file(file, "http://127.0.0.1"))
        variables = laboratory.variables(database, file, RATE_LIMIT="1000000 per minute")
        client = create_app(settings.load_settings(variables, ROOT), database).test_client()
        token = issue_reader_token(database)
        found: dict[str, float] = {}
        for name, path in LISTS.items():
            with counted(database) as sent:
                for _ in range(EARLIER):  # so that everything is compiled, and PostgreSQL has its plans
                    _ask(client, path, token)
            before = _processor_s(laboratory)
            for _ in range(REQUESTS):
                _ask(client, path, token)
            found[f"api_cpu_ms_{name}"] = (_processor_s(laboratory) - before) * 1000 / REQUESTS
            found[f"api_statements_{name}"] = len(sent) / EARLIER
    return found


def _processor_s(laboratory: Laboratory) -> float:
    """What this process, which is web here, and PostgreSQL have used."""
    return time.process_time() + processor_s(laboratory.server_pid, family=True)


def issue_reader_token(database: Database) -> str:
    """The secret of an administrator of the whole city."""
    with database.session() as session:
        account = services.create_account(session, SYSTEM, unit_id=1, login="reader", name="Reader")
        services.grant_role(session, SYSTEM, account.id, role="administrator", unit_id=1)
        now = datetime.now(UTC)
        return tokens.issue_token(session, SYSTEM, account.id, "reader", now=now, random_bytes=secrets.token_bytes)[1]


def _ask(client: FlaskClient, path: str, token: str) -> None:
    answer = client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 200:
        raise BenchmarkError(f"{path} answered {answer.status_code}: {answer.get_data(as_text=True)[:300]}")


LISTING = Benchmark(
    _measure,
    {
        figure: unit
        for name in LISTS
        for figure, unit in ((f"api_cpu_ms_{name}", "ms/request"), (f"api_statements_{name}", "statements/request"))
    },
    runs=3,
    group=50,
    size=REQUESTS,
)
