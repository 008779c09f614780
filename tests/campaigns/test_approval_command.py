"""`python -m sms_service approval-rules …` and `delegations …` from the shell, as docs/approval.md has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from sms_service.cli import main
from sms_service.db.engine import Database
from tests.factories import make_account, make_unit

Shell = Callable[..., Result]


@pytest.fixture
def run(database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    with database.session() as session:
        city = make_unit(session, code="01", name="云州市")
        district = make_unit(session, code="0101", parent=city, name="城东区")
        make_account(session, district, "wang", ("approver",), name="王")
        make_account(session, district, "li", (), name="李")
        make_account(session, city, "admin", ("administrator",))
    return lambda line: CliRunner().invoke(main, line.split())


def test_rules_from_the_shell(run: Shell) -> None:
    assert run("approval-rules list").output == "no rule: every campaign needs one approval\n"
    added = run("approval-rules add --unit 01 --level branch --up-to 60 --approvals 0")
    assert added.output == "1: branch · up to 60 people · self-service\n"
    run("approval-rules add --unit 01 --level city --approvals 2 --as admin")
    refused = run("approval-rules add --unit 01 --approvals 1 --as wang")
    assert (refused.exit_code, "does not hold the permission" in refused.output) == (1, True)
    assert run("approval-rules list --as admin").output.splitlines() == [
        "1: 01 云州市: branch · up to 60 people · self-service",
        "2: 01 云州市: city · any number of people · two approvals by different people",
    ]
    tried = run("approval-rules try --unit 01 --class study --people 11000").output
    assert tried == "2 approvals: city · any number of people · two approvals by different people\n"
    changed = run("approval-rules change 1 --up-to 30").output
    assert changed == "1: branch · up to 30 people · self-service\n"
    assert run("approval-rules remove 2").output == "rule 2 is removed\n"
    assert run("approval-rules remove 2").exit_code == 1


def test_delegations_from_the_shell(run: Shell, database: Database) -> None:
    with database.session() as session:
        today = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()))).one().date()
    day = today + timedelta(days=7)
    assert run("delegations list").output == "nobody has lent the right to approve\n"
    lent = run(f"delegations lend --as wang --unit 0101 --to li --until {day} --why 出差").output
    assert lent == f"delegation 1: 李 approves for 王 until {day}\n"
    assert run("delegations list --as admin").output == f"1: 王 to 李, 城东区, until {day}: active\n"
    assert run("delegations end 1 --as li").output == "delegation 1 is over\n"
    assert run("delegations list").output.endswith(": ended\n")
    wrong = run("delegations lend --as wang --unit 01 --to li --until 2020-01-01 --why 出差")
    assert wrong.exit_code == 1
