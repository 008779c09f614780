"""Seals and definitions over HTTP and on pages, and the same from the shell."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from sms_service.cli import main
from sms_service.ledger.models import KINDS
from sms_service.ledger.states import MessageStatus
from sms_service.reports.filters import DIMENSIONS
from sms_service.reports.roll_up_models import DAILY_COUNTS, DaySeal
from sms_service.vocabulary import Carrier, MessageReason, TextClass
from sms_service.web.definitions import MEANINGS
from tests.api.directory_client import Caller
from tests.dispatch.city import make_run
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAY = date(2026, 9, 1)


@pytest.fixture
def tree(database, session):
    """City, district, district, branch, branch; a sealed day on which one text was accepted and one delivered."""
    units = make_tree(session, [DAY])
    run = make_run(session, units[0], day=DAY, month=DAY, status="finished", audience=2)
    message = add_message(session, run, units[3], "accepted")
    add_message(session, run, units[2], "delivered")
    session.commit()
    settle_roll_ups(database, seal=True)
    for table, key in (("attempts", "message_id"), ("messages", "id")):
        session.execute(text(f"UPDATE {table} SET status = 'delivered' WHERE {key} = :id"), {"id": message.id})
    session.commit()
    return units


def test_what_was_sealed_and_amended_makes_what_is_now(client, session, tree):
    caller = Caller(client, session, tree[0], "auditor")
    (listed,) = caller.get("/seals").json["items"]
    digest = session.scalars(select(DaySeal.digest)).one().hex()
    assert (listed["day"], listed["digest"], listed["amendments"]) == ("2026-09-01", digest, 1)
    assert caller.get("/seals", before="2026-09-01").json["items"] == []
    day = caller.get("/seals/2026-09-01").json
    numbers = {one["status"]: (one["sealed"], one["amended"], one["now"], one["holds"]) for one in day["lines"]}
    assert numbers == {"accepted": (1, -1, 0, True), "delivered": (1, 1, 2, True)}
    (amendment,) = day["items"]
    assert (amendment["from_status"], amendment["to_status"], amendment["cause"]) == (
        "accepted",
        "delivered",
        "receipt",
    )
    assert caller.get("/seals/2026-09-01", after=amendment["id"]).json["items"] == []
    other = caller.get("/seals/2026-09-01", unit=tree[2].id).json
    assert (other["amendments"], [one["now"] for one in other["lines"]]) == (0, [1])
    assert caller.get("/seals/2026-09-02").status_code == 404
    assert caller.get("/seals/yesterday").status_code == 404
    below = Caller(client, session, tree[2], "auditor")
    assert below.get("/seals").json["items"][0]["amendments"] == 0
    assert below.get("/seals/2026-09-01", unit=tree[0].id).status_code == 403


def test_every_word_of_the_counts_is_defined_in_both_languages(client, session, tree):
    members = {
        "dimension": DIMENSIONS,
        "status": MessageStatus,
        "reason": MessageReason,
        "class": TextClass,
        "kind": KINDS,
        "carrier": Carrier,
    }
    for topic, words in members.items():
        assert set(MEANINGS[topic]) == set(words), topic
    caller = Caller(client, session, tree[0], "auditor")
    english = caller.get("/reports/definitions").json
    chinese = caller.call("GET", "/reports/definitions", headers={"Accept-Language": "zh-CN"}).json
    assert (english["language"], chinese["language"]) == ("en", "zh")
    line = caller.get("/counts", by="status").json["items"][0]
    defined = {one["word"] for one in english["items"]}
    assert set(line) - {"by", "names"} <= defined
    for one, other in zip(english["items"], chinese["items"], strict=True):
        assert one["word"] == other["word"]
        assert other["meaning"] != one["meaning"]
        assert other["name"] != one["name"]


def test_counts_have_rates_and_say_whether_all_days_are_sealed(client, session, tree):
    caller = Caller(client, session, tree[0], "auditor")
    counted = caller.get("/counts", since="2026-09-01", until="2026-09-30", by="carrier").json
    total = counted["total"]
    assert (total["left"], total["delivered"], total["delivery_rate"], total["reach_rate"]) == (2, 2, 1.0, 1.0)
    assert counted["amendments"] == 1
    assert caller.get("/counts", since="2026-09-01").json["amendments"] is None


def test_the_shell_verifies_and_rebuilds(database, session, tree, monkeypatch, database_url):
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")
    settle_roll_ups(database)
    verified = CliRunner().invoke(main, ["counts", "verify"])
    assert (verified.exit_code, verified.output) == (
        0,
        "1 sealed days and the roll-ups of 1 days were checked: 0 faults\n",
    )
    session.execute(DAILY_COUNTS.delete())
    session.commit()
    wrong = CliRunner().invoke(main, ["counts", "verify", "--since", "2026-09-01"])
    assert (wrong.exit_code, wrong.output.count("drift: 2026-09-01: the roll-up has (0, 0)")) == (1, 4)
    assert CliRunner().invoke(main, ["counts", "rebuild", "2026-09-01"]).exit_code == 0
    assert CliRunner().invoke(main, ["counts", "verify"]).exit_code == 0
    assert "is not added up" in CliRunner().invoke(main, ["counts", "rebuild", "2026-09-02"]).output
    with psycopg.connect(database_url, autocommit=True) as administrator:
        administrator.execute("SET session_replication_role = replica")
        administrator.execute("UPDATE sealed_counts SET messages = 9")
    tampered = CliRunner().invoke(main, ["counts", "verify"])
    assert (tampered.exit_code, "seal: the digest of 2026-09-01" in tampered.output) == (1, True)
