"""`python -m sms_service schedule …` from the shell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.cli import main
from tests.clocks import ahead_by
from tests.schedules.recurrence import Branch, approve_campaign, make_branch, write_campaign

Shell = Callable[..., Result]


@pytest.fixture
def branch(session: Session) -> Branch:
    return make_branch(session)


@pytest.fixture
def run(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments: CliRunner().invoke(main, ["schedule", *map(str, arguments)])


def write(session: Session, branch: Branch) -> Campaign:
    campaign = write_campaign(session, branch, body="{{ 内容 }}", values={"内容": "读书"}, launch_on_approval=True)
    session.commit()
    return campaign


def test_a_schedule_from_its_rule_to_its_end(session: Session, branch: Branch, run: Shell) -> None:
    campaign, officer, first = write(session, branch), branch.officer.login, branch.clock_in(5)
    rule = ("--rrule", "FREQ=DAILY", "--first", f"{first:%Y-%m-%d}", "--at", f"{first:%H:%M}", "--count", 12)
    lines = run("recur", campaign.id, "--as", officer, *rule).output.splitlines()
    assert lines[0] == f"campaign {campaign.id} is draft, recurring: Every day at {first:%H:%M}, 12 times in all"
    assert lines[1:3] == [f"  1 每周学习: next {first:%Y-%m-%d %H:%M}", f"  {first:%Y-%m-%d %H:%M}"]
    assert len(lines) == 12
    session.expire_all()
    approve_campaign(session, branch, campaign)
    session.commit()
    corrected = run("correct", campaign.id, 1, "--as", officer, "--value", "内容=写字").output
    assert "waits for an approval" in corrected
    assert "读书" not in corrected
    assert "is suspended" in run("suspend", campaign.id, "--why", "放假").output
    assert "is active" in run("continue", campaign.id, "--why", "收假").output
    assert "suspended" not in run("show", campaign.id).output
    assert run("end", campaign.id, "--why", "学完了").exit_code == 0
    assert run("show", campaign.id).output.splitlines()[1:] == ["  1 每周学习: not to come"]
    again = run("end", campaign.id, "--why", " ")
    assert (again.exit_code, "why" in again.output) == (1, True)


def test_a_draft_is_cleared_and_an_approved_one_started(session: Session, branch: Branch, run: Shell) -> None:
    campaign, officer = write(session, branch), branch.officer.login
    day = f"{branch.clock_in(60 * 24):%Y-%m-%d}"
    run("recur", campaign.id, "--as", officer, "--rrule", "FREQ=WEEKLY", "--first", day)
    refused = run("skip", campaign.id, 1, "--as", officer)
    assert (refused.exit_code, "nothing of it lies ahead" in refused.output) == (1, True)
    assert "is draft" in run("clear", campaign.id, "--as", officer).output
    assert run("show", campaign.id).output == f"campaign {campaign.id} is draft, plain\n"
    session.expire_all()
    campaign.launch_on_approval = False
    session.commit()
    run("recur", campaign.id, "--as", officer, "--rrule", "FREQ=WEEKLY", "--first", day)
    approve_campaign(session, branch, campaign)
    session.commit()
    assert "is active" in run("start", campaign.id).output
    nothing = run("correct", campaign.id, 1, "--as", officer)
    assert (nothing.exit_code, "--value, --label or --version" in nothing.output) == (1, True)


def test_a_run_that_waits_gets_another_time(session: Session, branch: Branch, run: Shell, database_url: str) -> None:
    campaign = write(session, branch)
    campaign.launch_on_approval = False
    approve_campaign(session, branch, campaign)
    launched, _ = launch_campaign(session, branch.officer, campaign.id, branch.now + timedelta(hours=1))
    session.commit()
    later = branch.clock_in(180)
    done = run("retime", campaign.id, "--as", branch.officer.login, "--at", later.isoformat())
    assert done.output.endswith(f"run {launched.id} is planned\n")
    with ahead_by(database_url, "0 minutes") as same, same.session() as other:
        assert other.get_one(type(launched), launched.id).due_at == later
    past = run("retime", campaign.id, "--as", branch.officer.login, "--at", "2020-01-01T09:00:00+08:00")
    assert (past.exit_code, "lies in the past" in past.output) == (1, True)
