"""Releasing held runs: each for what it is held for; and what a campaign's flags mean for its run and its approval."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, control, overview, services
from sms_service.campaigns.control import FailoverChoice
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.controls import stops
from sms_service.controls.accounts import id_of, synchronise_gateways
from sms_service.controls.models import Route, RouteMember
from sms_service.db.engine import Database
from sms_service.errors import Conflict, Invalid
from sms_service.ledger.models import Run
from sms_service.ledger.states import HeldFor
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_city
from tests.factories import make_segment, make_template, make_unit
from tests.ledger.races import waiting, while_open


def held(database: Database, held_for: str, canary: list[int] | None = None) -> int:
    """The id of a frozen run that is held."""
    run_id = make_city(database, 1).run_id
    with database.session() as session:
        session.execute(update(Run).values(status="held", held_for=held_for, reason="查", canary=canary))
    return run_id


@pytest.mark.parametrize("choice", [*FailoverChoice])
def test_a_run_held_for_the_cluster_needs_a_choice_which_the_trail_keeps(database: Database, choice: str) -> None:
    run_id = held(database, "cluster")
    with database.session() as session:
        for wrong in (None, "perhaps"):
            with pytest.raises(Invalid, match="verdict: must be `nothing_lost` or `go_on`"):
                control.resume_run(session, SYSTEM, run_id, "已核对", wrong)
        run = control.resume_run(session, SYSTEM, run_id, "已核对", choice)
        assert (run.status, run.held_for, run.reason) == ("running", None, None)
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
        assert (entry.act, entry.details) == ("run.running", {"why": "已核对", "verdict": choice})


@pytest.mark.parametrize("held_for", [word for word in HeldFor if word != HeldFor.cluster])
def test_no_other_run_takes_a_verdict(database: Database, held_for: str) -> None:
    run_id = held(database, held_for)
    with database.session() as session:
        with pytest.raises(Invalid, match="verdict: belongs to a run that is held for `cluster`"):
            control.resume_run(session, SYSTEM, run_id, "照发", "go_on")
        assert control.resume_run(session, SYSTEM, run_id, "照发").status == "running"


def test_a_paused_run_takes_no_verdict(database: Database) -> None:
    run_id = make_city(database, 1).run_id
    with database.session() as session:
        control.pause_run(session, SYSTEM, run_id, "查")
        with pytest.raises(Invalid, match="verdict"):
            control.resume_run(session, SYSTEM, run_id, "照发", "nothing_lost")


@pytest.mark.parametrize(("held_for", "left"), [("canary", None), ("breaker", [1]), ("cluster", [1])])
def test_only_a_person_who_releases_the_canary_lets_the_others_go(
    database: Database, held_for: str, left: list[int] | None
) -> None:
    run_id = held(database, held_for, canary=[1])
    with database.session() as session:
        choice = "nothing_lost" if held_for == "cluster" else None
        before = session.get_one(Run, run_id).watched_from
        run = control.resume_run(session, SYSTEM, run_id, "照发", choice)
        assert (run.canary, run.in_canary) == (left, left is not None)
        assert run.watched_from > before


def test_a_run_that_is_held_for_something_else_by_now_is_not_released(database: Database) -> None:
    """Two real sessions: what the person has read is not what the statement finds."""
    run_id = held(database, "breaker")

    def resume(connection: Connection) -> Run:
        return control.resume_run(Session(connection), SYSTEM, run_id, "照发")

    with ThreadPoolExecutor(1) as pool:
        with while_open(database, lambda connection: connection.execute(update(Run).values(held_for="cluster"))):
            resumed = waiting(database, resume, pool)
        with pytest.raises(Conflict, match=f"run {run_id} is held"):
            resumed.result(30)


def test_cancel_is_the_third_answer(database: Database) -> None:
    run_id = held(database, "cluster")
    with database.session() as session:
        run, left = control.cancel_run(session, SYSTEM, run_id, "不再发")
        assert (run.status, run.held_for, left) == ("cancelled", None, 0)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session))
    return services.create_campaign(
        session,
        SYSTEM,
        unit_id=unit.id,
        name="学习",
        template_version_id=make_template(session, unit).id,
        segment_id=make_segment(session, unit, {"everyone": True}).id,
        signature="城东街道",
    )


def test_what_was_approved_before_there_were_flags_stays_approved(session: Session, campaign: Campaign) -> None:
    content = approval.content_of(session, campaign)
    then = {
        "unit": campaign.unit_id,
        "template_version": content.version.id,
        "body": content.version.body,
        "class": content.class_,
        "values": {},
        "signature": "城东街道",
        "segment_rule": {"everyone": True},
        "route": campaign.route_id,
        "validity_s": 86_400,
    }
    text = json.dumps(then, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert content.digest() == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    ("flag", "lane", "receipts"), [("urgent", "urgent", False), ("canary_receipts", "small", True)]
)
def test_a_flag_is_part_of_what_is_approved_and_goes_with_the_run(
    session: Session, campaign: Campaign, flag: str, lane: str, receipts: bool
) -> None:
    plain = approval.content_of(session, campaign).digest()
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    changed = services.change_campaign(session, SYSTEM, campaign.id, {flag: True})
    assert changed.status == "draft"
    assert approval.content_of(session, campaign).digest() != plain
    assert overview.get_campaign(session, SYSTEM, campaign.id)[flag] is True
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    run, _ = launch_campaign(session, SYSTEM, campaign.id)
    assert (run.lane, run.canary_receipts) == (lane, receipts)


def test_an_overview_says_when_something_is_stopped(session: Session, campaign: Campaign) -> None:
    assert overview.get_campaign(session, SYSTEM, campaign.id)["stopped"] is False
    stop_id, _ = stops.stop_gateway_account(session, SYSTEM, "main", "查错")
    assert overview.get_campaign(session, SYSTEM, campaign.id)["stopped"] is True
    stops.release_stop(session, SYSTEM, stop_id, "好了")
    assert overview.get_campaign(session, SYSTEM, campaign.id)["stopped"] is False
    assert session.scalar(select(func.count()).select_from(TrailEntry).where(TrailEntry.target_kind == "stop")) == 2


def test_what_is_stopped_elsewhere_stops_no_campaign_here(session: Session, campaign: Campaign) -> None:
    stops.stop_unit(session, SYSTEM, make_unit(session).id, "查错")
    assert overview.get_campaign(session, SYSTEM, campaign.id)["stopped"] is False
    copy = services.copy_campaign(session, SYSTEM, campaign.id)
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter(), "spare": ScriptedAdapter()}))
    other = Route(name="other")
    session.add(other)
    session.flush()
    copy.route_id = other.id
    spare = RouteMember.gateway_account_id == id_of(session, "spare")
    session.execute(update(RouteMember).where(spare).values(route_id=other.id))
    stops.stop_gateway_account(session, SYSTEM, "spare", "查错")
    stopped = [overview.get_campaign(session, SYSTEM, one.id)["stopped"] for one in (campaign, copy)]
    assert stopped == [False, True]
