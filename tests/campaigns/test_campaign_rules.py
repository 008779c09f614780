"""What may become of a campaign, who may decide on it, and that a launch makes one run."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import Queue

import pytest
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.accounts.models import Account
from sms_service.audience import segments
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, approvers, control, overview, services, uses
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.states import CampaignStatus
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Message, Run
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, make_city, make_dispatcher
from tests.factories import make_account, make_actor, make_person, make_segment, make_template, make_unit

S = CampaignStatus


@pytest.fixture
def district(session: Session) -> Unit:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, parent=make_unit(session), **ALL_DAY)
    make_person(session, unit)
    return unit


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


@pytest.fixture
def approver(session: Session, district: Unit) -> Actor:
    return make_actor(session, district, ("approver",))


def write(session: Session, actor: Actor, unit: Unit, **kw: object) -> Campaign:
    fields = {
        "name": "学习",
        "template_version_id": make_template(session, unit).id,
        "signature": "城东街道",
        **kw,
    }
    if "segment_id" not in fields:
        fields["segment_id"] = make_segment(session, unit, {"everyone": True}).id
    return services.create_campaign(session, actor, unit_id=unit.id, **fields)  # type: ignore[arg-type]


def approved(session: Session, officer: Actor, approver: Actor, unit: Unit, **kw: object) -> Campaign:
    campaign = write(session, officer, unit, **kw)
    services.submit_campaign(session, officer, campaign.id)
    return approval.decide_approval(session, approver, campaign.id, approve=True)


@pytest.mark.parametrize("hand", ["created", "changed", "submitted"])
def test_nobody_decides_on_what_they_had_a_hand_in(session: Session, district: Unit, officer: Actor, hand: str) -> None:
    both = make_actor(session, district, ("officer", "approver"))
    campaign = write(session, both if hand == "created" else officer, district)
    if hand == "changed":
        services.change_campaign(session, both, campaign.id, {"name": "别的"})
    services.submit_campaign(session, both if hand == "submitted" else officer, campaign.id)
    for approve in (True, False):
        with pytest.raises(Forbidden, match="had a hand in campaign"):
            approval.decide_approval(session, both, campaign.id, approve=approve, comment="好")
    assert (campaign.status, session.scalars(select(Decision)).all()) == ("submitted", [])
    other = make_actor(session, district, ("officer", "approver"))
    assert approval.decide_approval(session, other, campaign.id, approve=True).status == "approved"


@pytest.mark.parametrize("between", [0, 1, 2])
@pytest.mark.parametrize("how", ["created_by", "password_set_by"])
@pytest.mark.parametrize("author", [True, False])
def test_who_made_an_account_or_set_its_password_is_no_other_person(
    session: Session, district: Unit, officer: Actor, approver: Actor, between: int, how: str, author: bool
) -> None:
    """The author made the approver's account, or the approver the author's; also through accounts in between."""
    chain = [officer, *(make_actor(session, district, ()) for _ in range(between)), approver]
    if not author:
        chain.reverse()
    for maker, made in itertools.pairwise(chain):
        session.execute(update(Account).where(Account.id == made.account_id).values({how: maker.account_id}))
    campaign = write(session, officer, district)
    services.submit_campaign(session, officer, campaign.id)
    for approve in (True, False):
        with pytest.raises(Forbidden, match="no other person than who wrote campaign"):
            approval.decide_approval(session, approver, campaign.id, approve=approve, comment="好")
    session.execute(update(Account).where(Account.id == chain[-1].account_id).values({how: None}))
    assert approval.decide_approval(session, approver, campaign.id, approve=True).status == S.approved


def test_two_people_whose_accounts_one_administrator_made_are_two(
    session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    administrator = make_actor(session, district, ("administrator",))
    both = (officer.account_id, approver.account_id)
    session.execute(update(Account).where(Account.id.in_(both)).values(created_by=administrator.account_id))
    assert approved(session, officer, approver, district).status == S.approved
    own = write(session, administrator, district)
    services.submit_campaign(session, administrator, own.id)
    with pytest.raises(Forbidden, match="no other person"):
        approval.decide_approval(session, approver, own.id, approve=True)


@pytest.mark.parametrize(
    "what", ["values", "signature", "validity_s", "template_version_id", "segment_id", "segment's rule"]
)
def test_an_approval_is_for_one_content(
    session: Session, district: Unit, officer: Actor, approver: Actor, what: str
) -> None:
    campaign = approved(session, officer, approver, district)
    first = approval.content_of(session, campaign).digest()
    if what == "segment's rule":
        segments.change_segment(session, officer, campaign.segment_id, rule={"tag": "退休"})
    else:
        change = {
            "values": {"时间": "九点"},
            "signature": "城西街道",
            "validity_s": 600,
            "template_version_id": make_template(session, district, "别的。").id,
            "segment_id": make_segment(session, district, {"tag": "退休"}).id,
        }[what]
        # Behind the service's back, since a change through it makes the campaign a draft again.
        session.execute(update(Campaign).values({what: change}))
    session.refresh(campaign)
    assert approval.content_of(session, campaign).digest() != first
    with pytest.raises(Conflict, match="not what was approved any more"):
        launch_campaign(session, officer, campaign.id)
    assert session.scalars(select(Run)).all() == []
    services.submit_campaign(session, officer, campaign.id)
    approval.decide_approval(session, approver, campaign.id, approve=True)
    assert launch_campaign(session, officer, campaign.id)[1] is True


def test_an_approval_covers_the_segments_that_its_segment_uses(
    session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    inner = segments.create_segment(session, officer, district.id, "内", {"everyone": True})
    middle = segments.create_segment(session, officer, district.id, "中", {"not": {"segment": inner.id}})
    outer = segments.create_segment(session, officer, district.id, "外", {"not": {"segment": middle.id}})
    campaign = approved(session, officer, approver, district, segment_id=outer.id)
    decision = approval.latest_decision(session, campaign.id)
    assert decision is not None
    assert decision.content is not None
    assert decision.content["covered"]["segment_rule"] == {"not": {"not": {"everyone": True}}}
    assert overview.get_campaign(session, officer, campaign.id)["decision"]["holds"] is True
    (used,) = uses.list_segment_uses(session, officer, inner).decided
    assert used["id"] == campaign.id
    segments.change_segment(session, officer, inner.id, rule={"tag": "退休"})
    assert overview.get_campaign(session, officer, campaign.id)["decision"]["holds"] is False
    with pytest.raises(Conflict, match="not what was approved any more"):
        launch_campaign(session, officer, campaign.id)
    services.submit_campaign(session, officer, campaign.id)
    approval.decide_approval(session, approver, campaign.id, approve=True)
    run, _ = launch_campaign(session, officer, campaign.id)
    assert run.segment_rule == {"not": {"not": {"tag": "退休"}}}
    segments.change_segment(session, officer, inner.id, rule={"everyone": True})  # what is launched stays
    session.refresh(run)
    assert run.segment_rule == {"not": {"not": {"tag": "退休"}}}


def test_a_change_takes_the_approval_away(session: Session, district: Unit, officer: Actor, approver: Actor) -> None:
    campaign = approved(session, officer, approver, district)
    services.change_campaign(session, officer, campaign.id, {"name": "别的"})
    assert campaign.status == "draft"
    with pytest.raises(Conflict, match="to launch it, it must be approved"):
        launch_campaign(session, officer, campaign.id)


def test_two_launches_at_once_make_one_run(
    database: Database, session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    campaign_id = approved(session, officer, approver, district).id
    session.commit()
    together = threading.Barrier(2)

    def click() -> tuple[int, bool]:
        with database.session() as own:
            own.get_one(Campaign, campaign_id)
            together.wait(30)
            run, made = launch_campaign(own, officer, campaign_id)
            return run.id, made

    for _ in range(3):  # the first round races; the later ones find the run
        with ThreadPoolExecutor(2) as pool:
            clicks = [pool.submit(click) for _ in range(2)]
        answers = [done.result() for done in clicks]
        assert len({run_id for run_id, _ in answers}) == 1
    assert session.scalar(select(func.count()).select_from(Run)) == 1


def test_the_second_launch_waits_for_the_first_to_commit(
    database: Database, session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    campaign_id = approved(session, officer, approver, district).id
    session.commit()
    run, made = launch_campaign(session, officer, campaign_id)
    process = Queue[int]()

    def second() -> tuple[int, bool]:
        with database.session() as own:
            process.put(own.scalars(select(func.pg_backend_pid())).one())
            found, again = launch_campaign(own, officer, campaign_id)
            return found.id, again

    blockers = select(func.cardinality(func.pg_blocking_pids(bindparam("pid"))))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second)
        pid = process.get(timeout=30)
        while not session.scalar(blockers, {"pid": pid}):
            assert not waiting.done()
        session.commit()
        assert (made, waiting.result(30)) == (True, (run.id, False))


def test_the_time_of_a_launch(session: Session, district: Unit, officer: Actor, approver: Actor) -> None:
    campaign = approved(session, officer, approver, district)
    now = session.scalars(select(func.sms_now())).one()
    for at in (now.replace(tzinfo=None), now - timedelta(hours=1), now + timedelta(days=366)):
        with pytest.raises(Invalid, match="at: "):
            launch_campaign(session, officer, campaign.id, at)
    run, made = launch_campaign(session, officer, campaign.id, now + timedelta(days=40))
    assert (made, run.status, run.due_at) == (True, "planned", now + timedelta(days=40))
    assert (run.month, run.campaign_id) == (run.day.replace(day=1), campaign.id)


def test_a_segment_of_a_branch_never_reaches_the_whole_district(
    database: Database, session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    branch = make_unit(session, parent=district, **ALL_DAY)
    mine = make_person(session, branch)
    segment = make_segment(session, branch, {"everyone": True})
    campaign = approved(session, officer, approver, district, segment_id=segment.id)
    run_id = launch_campaign(session, officer, campaign.id)[0].id
    session.commit()
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, run_id) == 1
    assert session.scalars(select(Message.person_id)).all() == [mine.id]


def test_a_segment_that_the_unit_cannot_use_is_refused(session: Session, district: Unit, officer: Actor) -> None:
    elsewhere = make_unit(session, parent=make_unit(session))
    city = session.get_one(Unit, district.parent_id)
    one_branch = make_segment(session, city, {"unit": city.id})
    with pytest.raises(Invalid, match="segment_id: cannot be used in this unit"):
        write(session, SYSTEM, district, segment_id=one_branch.id)
    with pytest.raises(Invalid, match="segment_id: belongs to another part of the tree"):
        write(session, SYSTEM, district, segment_id=make_segment(session, elsewhere, {"everyone": True}).id)
    with pytest.raises(Forbidden):
        write(session, officer, elsewhere)


def test_what_an_overview_says(session: Session, district: Unit, officer: Actor, approver: Actor) -> None:
    version = make_template(session, district, "{{ name }}：{{ 时间 }}{{ 地点 }}", variables=("name", "时间", "地点"))
    make_person(session, district, attributes={"地点": "二楼"})
    campaign = approved(session, officer, approver, district, template_version_id=version.id, values={"时间": "九点"})
    found = overview.get_campaign(session, officer, campaign.id)
    assert (found["missing_values"], found["decision"]["holds"], found["run_id"]) == (["地点"], True, None)
    assert bytes.fromhex(found["digest"]) == approval.content_of(session, campaign).digest()
    launch_campaign(session, officer, campaign.id)
    found = overview.get_campaign(session, officer, campaign.id)
    assert (found["status"], found["run_status"], found["audience"]) == ("active", "planned", None)
    assert found["due_at"] is not None


def test_a_copy_is_a_draft_with_the_same_content(
    session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    old = approved(session, officer, approver, district, name="主题党日", values={"地点": "一楼"}, urgent=True)
    first = services.copy_campaign(session, officer, old.id)
    second = services.copy_campaign(session, make_actor(session, district), first.id)
    assert (first.status, first.name, second.name) == (S.draft, "主题党日（2）", "主题党日（3）")
    digests = {approval.content_of(session, campaign).digest() for campaign in (old, first, second)}
    assert len(digests) == 1
    assert approval.latest_decision(session, first.id) is None
    entry = session.scalars(select(TrailEntry).where(TrailEntry.target_id == str(first.id))).one()
    assert (entry.act, entry.details) == ("campaign.create", {"copy_of": old.id})
    with pytest.raises(Forbidden):
        services.copy_campaign(session, approver, old.id)


def test_a_copy_of_the_longest_name_still_has_a_name(session: Session, district: Unit, officer: Actor) -> None:
    old = write(session, officer, district, name="长" * services.LONGEST_NAME)
    names = [services.copy_campaign(session, officer, old.id).name for _ in range(2)]
    assert [name[-3:] for name in names] == ["（2）", "（3）"]


def test_campaigns_are_found_by_a_part_of_the_name(session: Session, district: Unit, officer: Actor) -> None:
    for name in ("五月学习", "100%出席", "学习100次"):
        write(session, officer, district, name=name)

    def found(part: str) -> set[str]:
        rows = session.execute(overview.find_campaigns((district.path,), name=part))
        return {row.Campaign.name for row in rows}

    assert found("学习") == {"五月学习", "学习100次"}
    assert found("100%") == {"100%出席"}


def test_a_pause_holds_back_what_has_not_left_and_cancel_counts_what_has(database: Database) -> None:
    city = make_city(database, 3)
    hand = make_dispatcher(database, city.gateways)
    with database.session() as session:
        control.pause_run(session, SYSTEM, city.run_id, "查一下")
    hand.drain(job_s=60)
    assert city.adapter.handed == []
    with database.session() as session:
        run = control.resume_run(session, SYSTEM, city.run_id, "没问题")
        assert (run.status, run.reason) == ("running", None)
    hand.drain(job_s=60)
    with database.session() as session:
        with pytest.raises(Invalid):
            control.cancel_run(session, SYSTEM, city.run_id, " ")
        run, left = control.cancel_run(session, SYSTEM, city.run_id, "停")
        assert (run.status, run.reason, run.reason_message, left) == ("cancelled", "停", None, 3)
        with pytest.raises(Conflict, match="is cancelled; only paused or held ones"):
            control.resume_run(session, SYSTEM, city.run_id, "再来")


def test_a_held_run_that_was_never_frozen_is_due_when_it_is_released(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    with database.session() as session:
        session.execute(update(Run).values(due_at=func.sms_now() - timedelta(hours=2)))
    assert freeze.begin_due_runs(database) == []
    with database.session() as session:
        assert session.scalars(select(Run.status)).all() == ["held"]
        assert control.resume_run(session, SYSTEM, city.run_id, "照发").status == "planned"
    assert freeze.begin_due_runs(database) == [city.run_id]


def test_a_decision_keeps_what_was_decided_on(
    session: Session, district: Unit, officer: Actor, approver: Actor
) -> None:
    campaign = approved(session, officer, approver, district, values={"词": "旧"})
    assert overview.get_with_difference(session, officer, campaign.id)["approved_before"]["changes"] == set()
    services.change_campaign(session, officer, campaign.id, {"values": {"词": "新"}, "urgent": True})
    found = overview.get_with_difference(session, officer, campaign.id)["approved_before"]
    assert (found["changes"], found["covered"]["values"]) == ({"values", "urgent"}, {"词": "旧"})
    assert (found["campaign_id"], district.name in found["whom"]) == (campaign.id, True)
    copy = services.copy_campaign(session, officer, campaign.id)
    assert overview.get_with_difference(session, officer, copy.id)["approved_before"]["campaign_id"] == campaign.id
    first = write(session, officer, district)
    assert overview.get_with_difference(session, officer, first.id)["approved_before"] is None


def test_who_can_approve_is_named_nearest_first(session: Session, district: Unit, officer: Actor) -> None:
    campaign = write(session, officer, district)
    city = session.get_one(Unit, district.parent_id)

    def found(submitter: int | None = None) -> list[str]:
        return approvers.find_approvers(session, campaign, district.path, submitter)

    assert found() == []
    far = make_account(session, city, "far", ("approver",), name="市里")
    near = make_account(session, district, "near", ("approver", "officer"), name="区里")
    make_account(session, district, "gone", ("approver",), name="走了", disabled_at=func.now())
    make_account(session, make_unit(session, parent=city), "other", ("approver",), name="别处")
    make_account(session, district, "maker", ("approver",), name="本人", created_by=officer.account_id)
    session.flush()
    assert found() == ["区里", "市里"]
    assert found(near.id) == ["市里"]
    services.change_campaign(session, load_actor(session, near.id), campaign.id, {"name": "改"})
    assert found() == ["市里"]
    far.created_by = near.id
    session.flush()
    assert found() == []
