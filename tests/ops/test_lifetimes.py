"""Every table names what ends its rows, the document says the same, and what is to end by time does."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from sqlalchemy import text

import sms_service.webhooks.delivering as webhooks
from sms_service import clock, endings
from sms_service.db.engine import Database
from sms_service.ops.lifetimes import LIFETIMES, Ends, describe_lifetimes
from sms_service.tables import METADATA
from tests.clocks import ahead_by
from tests.dispatch.city import make_city

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
# What lives a year, a week or less: how a row of it is written that is that old.
OLD = {
    "phone_reports": "INSERT INTO phone_reports (phone, kind, run_id, message_id, unit_path, at, heeded_at) VALUES"
    " ('+8613910000001', 'bad_number', 1, 1, '/1/', now(), now())",
    "refused_callbacks": "INSERT INTO refused_callbacks (account_id, day, reason, number, last_at)"
    " SELECT min(id), (now() AT TIME ZONE 'UTC')::date, 'forged', 1, now() FROM gateway_accounts",
    "withheld_answers": "INSERT INTO withheld_answers (in_month, reply_id, unit_path, why, at)"
    " VALUES (date_trunc('month', now())::date, 1, '/1/', 'often', now())",
    "quiz_drafts": "INSERT INTO quiz_drafts (unit_id, file_name, headers, passed_over, rows, refused)"
    " SELECT min(id), 'a.csv', '[]', '[]', '[]', '[]' FROM units",
    "import_problems": "WITH made AS (INSERT INTO imports (unit_id, kind, file_name, digest, rows, created, changed,"
    " unchanged, refused, state, applied_at) SELECT min(id), 'people', 'a.csv', '', 1, 0, 0, 0, 1, 'applied', now()"
    ' FROM units RETURNING id) INSERT INTO import_problems (import_id, row, "column", value, reason, refused)'
    " SELECT id, 1, 'phone', '139', 'is no number', true FROM made",
}
LIVES = {"quiz_drafts": 8, "withheld_answers": 365 + 31}


def test_every_table_of_the_schema_is_named() -> None:
    assert set(LIFETIMES) == set(METADATA.tables)


def test_the_document_says_the_same() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert describe_lifetimes() in document, "put what describe_lifetimes() returns into docs/operating.md"


def test_what_ends_by_time_is_called_by_the_clock_or_another_process() -> None:
    callers = "".join(inspect.getsource(module) for module in (clock, endings, webhooks))
    for name, lifetime in LIFETIMES.items():
        assert lifetime.by or lifetime.ends != Ends.swept, f"{name}: nobody sweeps it"
        if lifetime.ends == Ends.swept:
            missing = [one.__name__ for one in lifetime.by if f"{one.__name__}(" not in callers + "link_entries("]
            assert missing == [], name


@pytest.mark.parametrize("table", sorted(OLD))
def test_a_row_is_there_until_it_is_so_old_and_no_longer(database: Database, table: str) -> None:
    make_city(database, 1, freeze_now=False)
    days = LIVES.get(table, 366)
    with database.transaction() as connection:
        connection.execute(text(OLD[table]))
    for later, left in ((days - 3 if days < 300 else 330, 1), (days, 0)):
        with ahead_by(database.url, f"{later} days") as ahead:
            endings.forget_rows(ahead)
        assert count(database, table) == left


def count(database: Database, table: str) -> int:
    with database.transaction() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
