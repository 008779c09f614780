"""Another time for a run that waits: as it was approved, or held until it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.campaigns import approval, overview
from sms_service.campaigns.control import cancel_run
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.retiming import change_planned_time
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Run
from tests.clocks import ahead_by
from tests.factories import make_actor
from tests.schedules.recurrence import Branch, approve_campaign, make_branch, write_campaign

HOUR = timedelta(hours=1)


@pytest.fixture
def branch(session: Session) -> Branch:
    return make_branch(session)


def the_run(session: Session) -> Run:
    return session.scalars(select(Run).execution_options(populate_existing=True)).one()


def test_a_time_that_was_approved_is_approved_anew(
    session: Session, database: Database, database_url: str, branch: Branch
) -> None:
    planned = write_campaign(session, branch, planned_at=branch.now + HOUR, launch_on_approval=True)
    approve_campaign(session, branch, planned)
    change_planned_time(session, branch.officer, planned.id, branch.now + 2 * HOUR)
    run = the_run(session)
    assert (run.status, run.held_for, planned.undecided, planned.status) == ("held", "changed", True, "active")
    assert overview.get_campaign(session, branch.officer, planned.id)["undecided"]
    with pytest.raises(Forbidden):  # who moved it has a hand in it
        approval.decide_approval(session, branch.officer, planned.id, approve=True)
    approval.decide_approval(session, branch.approver, planned.id, approve=True)
    run = the_run(session)
    assert (run.status, run.due_at, planned.undecided) == ("planned", branch.now + 2 * HOUR, False)
    session.commit()
    with ahead_by(database_url, "90 minutes") as later:
        assert freeze.begin_due_runs(later) == []
    with ahead_by(database_url, "121 minutes") as later:
        assert freeze.begin_due_runs(later) == [run.id]


def test_a_time_that_nobody_approved_is_the_launchers_own(session: Session, branch: Branch) -> None:
    plain = write_campaign(session, branch)
    approve_campaign(session, branch, plain)
    launch_campaign(session, branch.officer, plain.id, branch.now + HOUR)
    change_planned_time(session, branch.officer, plain.id, branch.now + 2 * HOUR)
    run = the_run(session)
    assert (run.status, run.due_at, plain.undecided) == ("planned", branch.now + 2 * HOUR, False)


def test_what_waits_no_more_keeps_its_time(session: Session, branch: Branch) -> None:
    plain = write_campaign(session, branch)
    with pytest.raises(Conflict, match="to retime it, it must be active"):
        change_planned_time(session, branch.officer, plain.id, branch.now + HOUR)
    approve_campaign(session, branch, plain)
    run, _ = launch_campaign(session, branch.officer, plain.id, branch.now + HOUR)
    with pytest.raises(Invalid, match="lies in the past"):
        change_planned_time(session, branch.officer, plain.id, branch.now - HOUR)
    with pytest.raises(Forbidden):
        change_planned_time(session, make_actor(session, branch.unit, ("approver",)), plain.id, branch.now + HOUR)
    cancel_run(session, branch.officer, run.id, "不发了")
    with pytest.raises(Conflict, match="cannot be changed any more"):
        change_planned_time(session, branch.officer, plain.id, branch.now + 2 * HOUR)
    with pytest.raises(Conflict, match="is cancelled"):
        launch_campaign(session, branch.officer, plain.id)
