"""docs/theme-day.md: a walk whose commands print what stands below them, at the times that its headings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sms_service.content.language import compile_template
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.gateways.base import Reply
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.docs.turned import run_commands, walk_through
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
    ran = 0
    for later, heading, commands in walk_through(DOCUMENT, database, gateways, monkeypatch):
        for words, answers in ANSWERS.items():
            for name, text in answers if words in heading else ():
                store_replies(later, "main", [Reply(PHONES[name], text, "{}")])
                matching.match_waiting(later)
        run_commands(heading, commands)
        ran += len(commands)
    assert ran >= 16
