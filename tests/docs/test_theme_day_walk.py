"""docs/theme-day.md: a walk whose commands print what stands below them, at the times that its headings say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from sms_service.content.language import compile_template
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.ledger.sweeps import finish_runs
from sms_service.replies import matching
from sms_service.replies.inbox import store_replies
from sms_service.schedules.firing import fire_due_items
from tests.clocks import ahead_by
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain
from tests.docs.turned import read_parts, run_commands
from tests.factories import fictional_phone, make_account, make_person, make_template, make_unit
from tests.schedules.eventful import HOURS, INVITATION

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "theme-day.md").read_text(encoding="utf-8")
PHONES = {name: fictional_phone(80 + number) for number, name in enumerate(("王五", "赵六", "孙七", "周八"), 1)}
# What people answer, in the part of the walk that begins with these words.
ANSWERS = {"two answer": (("王五", "参加"), ("赵六", "0"))}


@pytest.fixture
def gateways(database: Database) -> ScriptedGateways:
    """A branch of four in a city with a template for invitations, its secretary, and who approves."""
    gateways = ScriptedGateways({"main": ScriptedAdapter()})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        top = make_unit(session, code="01", name="云州市", **HOURS)
        branch = make_unit(session, code="0101", name="第一支部", parent=top, level="branch", **HOURS)
        for number, (name, phone) in enumerate(PHONES.items(), start=1):
            make_person(session, branch, name, phone, number=f"P{number:03d}")
        variables = compile_template(INVITATION).variables
        make_template(session, top, INVITATION, class_="invitation", name="主题党日邀请", variables=variables)
        make_account(session, branch, "secretary")
        make_account(session, top, "approver", ("approver",))
    return gateways


def test_the_walk_prints_what_it_says(
    gateways: ScriptedGateways, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    with database.session() as session:
        now: datetime = session.scalars(select(func.sms_now())).one()
    walk = read_parts(DOCUMENT)
    assert sum(len(commands) for _, _, commands in walk) >= 16
    for at, heading, commands in walk:
        with ahead_by(database.url, f"{int((at - now).total_seconds()) + 2} seconds") as later:
            fire_due_items(later)
            for run_id in freeze.begin_due_runs(later):
                freeze.freeze_run(later, run_id)
            drain(later, gateways)
            with later.transaction() as connection:
                finish_runs(connection)
            for words, answers in ANSWERS.items():
                for name, text in answers if words in heading else ():
                    store_replies(later, "main", [Reply(PHONES[name], text, "{}")])
                    matching.match_waiting(later)
            monkeypatch.setenv("DATABASE_URL", later.url)
            run_commands(heading, commands)
