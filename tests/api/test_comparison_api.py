"""Units beside each other over HTTP, and the same from the shell."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from sms_service.cli import main
from sms_service.reports.target_models import UnitTarget
from sms_service.web.definitions import MEANINGS
from tests.api.directory_client import Caller
from tests.dispatch.city import make_run
from tests.factories import make_account
from tests.replies.asking import RSVP, ask
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAY = date(2026, 9, 1)
PERIOD = {"since": "2026-09-01", "until": "2026-09-30"}


@pytest.fixture
def tree(database, session):
    """City, district, district, branch, branch: of the first branch's two texts none arrives, the other's one does."""
    units = make_tree(session, [DAY])
    run = make_run(session, units[0], day=DAY, month=DAY, status="finished", audience=3)
    run.launched_at = run.frozen_at = session.scalars(select(func.sms_now())).one()
    for unit, status in ((units[3], "undelivered"), (units[3], "skipped"), (units[4], "delivered")):
        add_message(session, run, unit, status)
    session.add(UnitTarget(unit_id=units[1].id, year=2026, kind="texts", target=100))
    session.commit()
    ask(database, run.id, RSVP)
    return units


def test_each_line_has_its_numbers_and_leads_to_its_rows_and_one_step_down(client, session, database, tree):
    settle_roll_ups(database)
    caller = Caller(client, session, tree[0], "auditor")
    found = caller.get("/comparison", **PERIOD).json
    assert [one["id"] for one in found["scope"]] == [tree[0].id]
    district, other = found["items"]
    assert (district["unit"]["id"], other["unit"]["id"]) == (tree[1].id, tree[2].id)
    assert (district["messages"], district["people"], district["unreachable"]) == (3, 3, 2)
    assert (district["delivery_rate"], district["reach_rate"], district["answers"]["reply_rate"]) == (0.5, 1 / 3, 0.0)
    assert district["is_silent"]
    assert district["targets"] == [{"kind": "texts", "target": 100, "done": 0, "share": 0.0}]
    assert (other["messages"], other["delivery_rate"], other["answers"]["reply_rate"]) == (0, None, None)
    assert found["total"]["answers"] == district["answers"]
    assert len(caller.get(district["rows"].removeprefix("/api/v1")).json["items"]) == 3
    below = caller.get(district["below"].removeprefix("/api/v1")).json
    assert [one["unit"]["id"] for one in below["items"]] == [tree[3].id, tree[4].id]
    assert below["items"][0]["is_unreachable"]
    assert below["items"][0]["below"] is not None
    branches = caller.get("/comparison", units="branches", limit=1, **PERIOD).json
    assert branches["items"][0]["unit"]["id"] == tree[3].id
    assert branches["items"][0]["below"] is None
    second = caller.get("/comparison", units="branches", limit=1, cursor=branches["next"], **PERIOD).json
    assert second["items"][0]["unit"]["id"] == tree[4].id
    words = {word for topic in ("number", "comparison") for word in MEANINGS[topic]}
    assert set(district["answers"]) <= words


def test_it_is_kept_within_the_scope_and_says_what_would_be_right(client, session, tree):
    caller = Caller(client, session, tree[1], "auditor")
    assert [one["id"] for one in caller.get("/comparison", **PERIOD).json["scope"]] == [tree[1].id]
    assert caller.get("/comparison", unit=tree[0].id).status_code == 403
    assert caller.get("/comparison", unit=999).status_code == 404
    for wrong in (
        {"order": "fame"},
        {"units": "all"},
        {"cursor": "eA"},
        {"since": "2026-09-02", "until": "2026-09-01"},
    ):
        answer = caller.get("/comparison", **wrong)
        assert (answer.status_code, next(iter(answer.json["errors"]))["field"]) == (422, list(wrong)[-1]), wrong


def test_the_shell_prints_the_same_list(client, session, tree, monkeypatch, database):
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")
    account = make_account(session, tree[1], roles=("auditor",))
    session.commit()
    asked = ["compare", "--since", "2026-09-01", "--until", "2026-09-30", "--branches", "--json"]
    found = json.loads(CliRunner().invoke(main, [*asked, "--as", account.login], catch_exceptions=False).output)
    assert [line["unit"] for line in found["items"]] == [tree[3].name, tree[4].name]
    assert (found["items"][0]["is_unreachable"], found["total"]["messages"]) == (True, 3)
    table = CliRunner().invoke(main, asked[:-1], catch_exceptions=False, env={"COLUMNS": "150"}).output
    numbers = r" +│ +2" * 3 + r" +│ +0.0 %" * 3
    assert re.search(rf"{tree[3].name} \(unreachable, silent\){numbers} +│", table)
    assert "came" not in table, "nobody was ticked off"
    refused = CliRunner().invoke(main, ["compare", "--order", "fame"])
    assert refused.exit_code
    outside = CliRunner().invoke(main, [*asked, "--as", account.login, "--unit", tree[0].code])
    assert outside.exit_code
