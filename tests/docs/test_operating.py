"""docs/operating.md: its settings are those that are read, and its SQL prepares a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from sms_service import settings
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TABLE = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^|`]+)`? \|", DOCUMENT, re.MULTILINE))


def test_the_settings_are_those_that_are_read() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'(?:env|given)(?:\.get\(|, )"([A-Z_]+)"', source))
    assert set(TABLE) == read


def test_the_defaults_are_those_of_the_code(tmp_path: Path) -> None:
    default = settings.load_settings({"ENV_FILE": os.devnull}, tmp_path)
    numbers = (
        "PORT",
        "TRUSTED_PROXIES",
        "WORKERS",
        "SIMULATOR_PORT",
        "NO_RECEIPT_HOURS",
        "LIST_DAYS",
        "ANSWERS_A_DAY",
        "REDACT_AFTER_DAYS",
        "RAW_DAYS",
    )
    for name in ("HOST", "RATE_LIMIT", "LOG_LEVEL", *numbers):
        assert TABLE[name] == str(getattr(default, name.lower())), name
    assert default.data_dir == tmp_path / TABLE["DATA_DIR"]
    assert default.gateways_file == tmp_path / TABLE["GATEWAYS_FILE"]
    assert default.public_url == TABLE["PUBLIC_URL"].replace("HOST", default.host).replace("PORT", str(default.port))
    assert [default.database_url, default.migration_database_url, default.redis_url] == [None] * 3


def _ask_no_password(server: PostgresServer, *logins: str) -> None:
    """The embedded server lets in by the machine's user; these log in as on a server that asks for passwords."""
    with psycopg.connect(server.url, autocommit=True) as administrator:
        row = administrator.execute("SELECT current_setting('hba_file'), pg_conf_load_time()").fetchone()
        assert row is not None
        rules, loaded = Path(row[0]), row[1]
        rules.write_text(f"local all {','.join(logins)} trust\n" + rules.read_text())
        administrator.execute("SELECT pg_reload_conf()")
    while loaded == row[1]:  # a new connection knows what the server has read by now
        with psycopg.connect(server.url) as connection:
            answer = connection.execute("SELECT pg_conf_load_time()").fetchone()
            assert answer is not None
            loaded = answer[0]


def test_the_sql_prepares_a_server_for_two_logins(own_postgres: PostgresServer) -> None:
    block = re.search(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block is not None
    with psycopg.connect(own_postgres.url, autocommit=True) as administrator:
        for statement in block[1].split(";\n"):
            if statement.strip():
                administrator.execute(statement.encode())
    _ask_no_password(own_postgres, "sms_process", "sms_migration")
    process, migration = (own_postgres.url_of(login, "sms") for login in ("sms_process", "sms_migration"))
    urls = {"DATABASE_URL": process, "MIGRATION_DATABASE_URL": migration, "REDIS_URL": "redis://127.0.0.1:1"}
    migrated = subprocess.run(
        [sys.executable, "-m", "sms_service", "migrate"],
        cwd=ROOT,
        env={**os.environ, **urls},
        capture_output=True,
        text=True,
        check=False,
    )
    assert migrated.returncode == 0, migrated.stderr
    database = Database(process)
    try:
        with database.transaction() as connection:
            assert connection.execute(text("SELECT count(*) FROM units")).scalar_one() == 0
        with pytest.raises(ProgrammingError, match="permission denied"), database.transaction() as connection:
            connection.execute(text("CREATE TABLE anything (id int)"))
    finally:
        database.close()
