"""Statements: counts under a number, kept as they were, checked by anybody who holds the paper."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid
from sms_service.reports.statements import check_statement, draw_statement, issue_statement, spell_statement
from tests.factories import make_actor
from tests.reports.test_exports import DAY, Ledger, ledger  # noqa: F401 - a fixture


def issue(session: Session, ledger: Ledger):  # noqa: F811
    content = draw_statement(session, ledger.auditor, ledger.city.id, DAY, DAY, {})
    statement = issue_statement(session, ledger.auditor, content, lambda n: bytes(range(n)))
    session.commit()
    return statement, json.loads(statement.content)


def test_a_statement_adds_up_and_its_digest_is_of_what_it_says(session: Session, ledger: Ledger) -> None:  # noqa: F811
    statement, said = issue(session, ledger)
    assert said["identity"] == {"runs": 1, "audience": 3, "messages": 3}
    assert (said["total"]["people"], said["total"]["messages"], said["total"]["parts"]) == (3, 3, 2)
    for name in ("status", "class", "unit"):
        assert sum(line["messages"] for line in said[f"by_{name}"]) == 3
    assert statement.digest == hashlib.sha256(spell_statement(said).encode()).digest()
    assert re.fullmatch(r"\d{8}-ABCDEFGH", said["number"])
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "statement.issue")).one()
    assert entry.details["number"] == statement.number


def test_a_number_and_a_digest_agree_or_do_not(session: Session, ledger: Ledger) -> None:  # noqa: F811
    statement, _ = issue(session, ledger)
    digest = statement.digest.hex()
    assert check_statement(session, statement.number.lower(), digest[:16].upper()) == (True, statement.issued_at)
    assert check_statement(session, statement.number, "0" * 64) == (False, statement.issued_at)
    assert check_statement(session, "20260101-XXXXXXXX", digest) is None
    with pytest.raises(Invalid, match="digest"):
        check_statement(session, statement.number, digest[:15])


def test_what_the_owner_changes_in_it_does_not_agree(
    session: Session,
    database: Database,
    ledger: Ledger,  # noqa: F811
    database_url: str,
) -> None:
    import psycopg

    statement, _ = issue(session, ledger)
    for change in ("UPDATE statements SET content = '{}'", "DELETE FROM statements"):
        with database.transaction() as connection, pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(text(change))
    with psycopg.connect(database_url) as owner:
        owner.execute("UPDATE statements SET content = replace(content, '\"messages\":3', '\"messages\":4')")
    session.expire_all()
    found = check_statement(session, statement.number, statement.digest.hex())
    assert found is not None
    assert found[0] is False


def test_only_within_the_scope_and_for_days_that_are_some(session: Session, ledger: Ledger) -> None:  # noqa: F811
    stranger = make_actor(session, ledger.branch, ("auditor",))
    with pytest.raises(Forbidden):
        draw_statement(session, stranger, ledger.city.id, DAY, DAY, {})
    with pytest.raises(Invalid, match="until"):
        draw_statement(session, ledger.auditor, ledger.city.id, DAY, DAY.replace(day=1, month=8), {})
