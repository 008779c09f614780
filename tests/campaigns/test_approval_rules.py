"""How many approvals a campaign needs, whose count, and what may be sent without another person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, load_actor
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, approvers, overview, rule_acts, services
from sms_service.campaigns.approval_rules import LEAST_GROWTH, ask_approval, find_asked, most_people_for
from sms_service.campaigns.authorship import is_of_others
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.rule_models import MOST_BY_SELF_SERVICE, ApprovalRule
from sms_service.content.models import ListKind
from sms_service.content.wordlists import add_words
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.schedules.correcting import change_item
from sms_service.schedules.firing import fire_due_items
from tests.campaigns.approving import Tree
from tests.channels.chat import make_channel
from tests.clocks import ahead_by
from tests.factories import make_account, make_actor, make_person, make_segment, make_unit
from tests.schedules import recurrence


@pytest.fixture
def tree(session: Session) -> Tree:
    return Tree(session)


# unit, level, class, up_to → approvals (and the level of an approver)
RULES = [
    ("city", None, None, None, 1, "district"),
    ("city", None, None, 5_000, 1, None),
    ("city", "branch", None, 60, 0, None),
    ("city", "branch", "survey", None, 2, None),
    ("city", "city", None, None, 2, "city"),
    ("district", "branch", None, 20, 1, "street"),
    ("district", None, "notice", 30, 0, None),
]
CASES = [
    # unit, class, people → approvals, level
    ("branch", "invitation", 20, 1, "street"),  # the district's rule is nearer than the city's
    ("branch", "invitation", 21, 0, None),  # the district's does not cover it, the city's does
    ("branch", "invitation", 60, 0, None),
    ("branch", "invitation", 61, 1, None),  # the city's rule for any level
    ("branch", "survey", 10, 1, "street"),  # nearer, though the city's names the class
    ("branch", "survey", 21, 2, None),  # of the city's rules, that for the level and the class
    ("branch", "notice", 20, 1, "street"),  # of the district's rules, that for the level before that for the class
    ("branch", "notice", 30, 0, None),
    ("branch", "study", 5_001, 1, "district"),
    ("street", "study", 10, 1, None),
    ("street", "notice", 10, 0, None),
    ("city", "study", 1, 2, "city"),
    ("city", "notice", 1, 2, "city"),  # the district's rules are not the city's
]


@pytest.mark.parametrize(("unit", "class_", "people", "approvals", "level"), CASES)
def test_which_rule_counts(
    session: Session, tree: Tree, unit: str, class_: str, people: int, approvals: int, level: str | None
) -> None:
    for owner, of_level, of_class, up_to, needed, approver_level in RULES:
        terms = {"level": of_level, "class_": of_class, "up_to": up_to, "approver_level": approver_level}
        tree.rule(getattr(tree, owner), needed, **terms)
    found = find_asked(session, getattr(tree, unit).path, class_, people)
    assert (found.approvals, found.level) == (approvals, level)
    assert rule_acts.try_approval_rules(session, tree.admin, getattr(tree, unit).id, class_, people) == found


def test_without_a_rule_it_is_one_approval_as_ever(session: Session, tree: Tree) -> None:
    found = find_asked(session, tree.branch.path, "study", 100_000)
    assert (found.approvals, found.level, found.rule_id, found.by_self_up_to) == (1, None, None, None)
    campaign = tree.submitted(tree.branch, tree.secretary)
    assert campaign.status == "submitted"
    assert tree.approve(tree.approver(tree.branch), campaign) == "approved"


def test_to_how_many_people_self_service_goes(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, level="branch", up_to=60)
    tree.rule(tree.district, 1, up_to=30)
    assert find_asked(session, tree.branch.path, "study", 10).by_self_up_to == 60
    tree.rule(tree.street, 1)
    assert find_asked(session, tree.branch.path, "study", 10).by_self_up_to is None


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"approvals": 3}, "approvals"),
        ({"approvals": 0}, "up_to"),
        ({"approvals": 0, "up_to": MOST_BY_SELF_SERVICE + 1}, "up_to"),
        ({"approvals": 0, "up_to": 10, "approver_level": "city"}, "approver_level"),
        ({"approvals": 1, "up_to": 0}, "up_to"),
        ({"approvals": 1, "level": "village"}, "level"),
        ({"approvals": 1, "class_": "gossip"}, "class"),
        ({"approvals": 1, "approver_level": "world"}, "approver_level"),
        ({"approvals": 1, "growth_percent": 201}, "growth_percent"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(session: Session, tree: Tree, terms: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rule_acts.add_approval_rule(session, tree.admin, unit_id=tree.city.id, **terms)
    assert refused.value.field == field


def test_an_approver_level_that_no_unit_has(session: Session) -> None:
    alone = make_unit(session, level="street")
    admin = make_actor(session, alone, ("administrator",))
    with pytest.raises(Invalid, match="no unit here is of this level"):
        rule_acts.add_approval_rule(session, admin, unit_id=alone.id, approvals=1, approver_level="district")
    rule_acts.add_approval_rule(session, admin, unit_id=alone.id, approvals=1, approver_level="branch")


def test_only_who_gives_roles_in_a_unit_sets_its_rules(session: Session, tree: Tree) -> None:
    rule = tree.rule(tree.city, 1, up_to=10)
    below = make_actor(session, tree.district, ("administrator", "officer", "approver"))
    acts: list[Callable[[Actor], object]] = [
        lambda actor: tree.rule(tree.city, 2, actor),
        lambda actor: rule_acts.change_approval_rule(session, actor, rule.id, {"approvals": 2}),
        lambda actor: rule_acts.remove_approval_rule(session, actor, rule.id),
    ]
    for act in acts:
        for actor in (below, tree.officer, tree.approver(tree.city)):
            with pytest.raises(Forbidden):
                act(actor)
    tree.rule(tree.branch, 2, below)
    # Who uses a unit may read the rules of the units above it, nobody those of other trees.
    assert rule_acts.get_approval_rule(session, tree.secretary, rule.id)[0] is rule
    with pytest.raises(Forbidden):
        rule_acts.get_approval_rule(session, make_actor(session, make_unit(session)), rule.id)


def test_rules_are_changed_and_removed_and_the_trail_says_so(session: Session, tree: Tree) -> None:
    rule = tree.rule(tree.city, 1, level="branch", up_to=10)
    with pytest.raises(Conflict, match="has a rule for just these"):
        tree.rule(tree.city, 2, level="branch", up_to=10)
    other = tree.rule(tree.city, 2, level="branch")
    rule_acts.change_approval_rule(session, tree.admin, rule.id, {"approvals": 0, "up_to": 12})
    assert (rule.approvals, rule.up_to, rule.changed_by) == (0, 12, tree.admin.account_id)
    with pytest.raises(Conflict, match="has a rule for just these"):
        rule_acts.change_approval_rule(session, tree.admin, other.id, {"up_to": 12})
    session.refresh(other)
    rule_acts.remove_approval_rule(session, tree.admin, rule.id)
    with pytest.raises(NotFound):
        rule_acts.remove_approval_rule(session, tree.admin, rule.id)
    entries = session.scalars(
        select(TrailEntry).where(TrailEntry.act.startswith("approval_rule")).order_by(TrailEntry.id)
    )
    told = [(entry.act, entry.target_id, entry.details["approvals"], entry.details["up_to"]) for entry in entries]
    city = str(tree.city.id)
    assert told == [
        ("approval_rule.add", city, 1, 10),
        ("approval_rule.add", city, 2, None),
        ("approval_rule.change", city, 0, 12),
        ("approval_rule.remove", city, 0, 12),
    ]


@pytest.mark.parametrize("launch", [False, True])
def test_self_service_approves_in_the_submission(session: Session, tree: Tree, launch: bool) -> None:
    rule = tree.rule(tree.city, 0, level="branch", up_to=3)
    campaign = tree.submitted(tree.branch, tree.secretary, launch_on_approval=launch)
    assert campaign.status == ("active" if launch else "approved")
    decision = approval.latest_decision(session, campaign.id)
    assert decision is not None
    assert (decision.decided, decision.self_service, decision.account_id, decision.people) == (
        "approved",
        True,
        tree.secretary.account_id,
        3,
    )
    assert decision.content is not None
    assert decision.content["asked"]["rule"] == rule.id
    shown = overview.get_campaign(session, tree.secretary, campaign.id)["decision"]
    assert (shown["self_service"], shown["rule_id"], shown["needed"], shown["holds"]) == (True, rule.id, 0, True)
    assert shown["rule"] == "branch · up to 3 people · self-service"
    acts = session.scalars(
        select(TrailEntry.act).where(TrailEntry.target_kind == "campaign").order_by(TrailEntry.id)
    ).all()
    assert acts[:3] == ["campaign.create", "campaign.submit", "campaign.self_approve"]
    runs = session.scalar(select(func.count()).select_from(Run))
    assert runs == int(launch)
    if not launch:
        assert launch_campaign(session, tree.secretary, campaign.id)[1]


def test_the_service_counts_the_people_itself(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, level="branch", up_to=3)
    make_person(session, tree.branch, phone=None)  # in the audience, though no text reaches them
    campaign = tree.submitted(tree.branch, tree.secretary)
    assert campaign.status == "submitted"
    assert ask_approval(session, content_of(session, campaign), tree.branch.path).people == 4
    # An approver does what self-service does not.
    assert tree.approve(tree.approver(tree.city), campaign) == "approved"


def test_what_self_service_does_not_cover(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, level="branch", up_to=3)
    street = tree.submitted(tree.street, make_actor(session, tree.street))
    assert street.status == "submitted"  # another level
    maker = make_actor(session, tree.branch, ("administrator",))
    tree.rule(tree.branch, 0, maker, level="branch", up_to=50)
    assert tree.submitted(tree.branch, maker).status == "submitted"  # who made the rule
    assert tree.submitted(tree.branch, SYSTEM).status == "submitted"  # nobody
    assert tree.submitted(tree.branch, tree.secretary).status == "approved"
    add_words(session, SYSTEM, tree.city.id, ListKind.review, ["学习"])
    assert tree.submitted(tree.branch, tree.secretary).status == "submitted"  # an approver has to tick a word


def test_a_group_of_a_unit_above_needs_an_approver(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, level="branch", up_to=3)
    own, above = make_channel(session, tree.branch).id, make_channel(session, tree.city).id
    assert tree.submitted(tree.branch, tree.secretary, channels=[own]).status == "approved"
    assert tree.submitted(tree.branch, tree.secretary, channels=[own, above]).status == "submitted"


def test_a_change_takes_a_self_service_approval_away(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, level="branch", up_to=3)
    campaign = tree.submitted(tree.branch, tree.secretary)
    services.change_campaign(session, tree.secretary, campaign.id, {"name": "别的", "urgent": True})
    assert campaign.status == "draft"
    with pytest.raises(Conflict, match="to launch it, it must be approved"):
        launch_campaign(session, tree.secretary, campaign.id)
    session.execute(update(ApprovalRule).values(up_to=2))
    assert services.submit_campaign(session, tree.secretary, campaign.id).status == "submitted"


def test_two_people_approve_the_same(session: Session, tree: Tree) -> None:
    rule = tree.rule(tree.city, 2, level="city", approver_level="city")
    campaign = tree.submitted(tree.city, tree.officer, launch_on_approval=True)
    first, second = tree.approver(tree.city), tree.approver(tree.city)
    assert tree.approve(first, campaign) == "submitted"
    assert session.scalar(select(func.count()).select_from(Run)) == 0
    with pytest.raises(Forbidden, match="has approved campaign"):
        tree.approve(first, campaign)
    double = load_actor(session, make_account(session, tree.city, None, ("approver",), created_by=first.account_id).id)
    with pytest.raises(Forbidden, match="no other person than who approved"):
        tree.approve(double, campaign)
    with pytest.raises(Conflict, match="is submitted; to launch it, it must be approved"):
        launch_campaign(session, tree.officer, campaign.id)
    assert tree.approve(second, campaign) == "active"
    decisions = session.scalars(select(Decision).order_by(Decision.id)).all()
    assert [(one.account_id, one.level, one.people) for one in decisions] == [
        (first.account_id, "city", 4),
        (second.account_id, "city", 4),
    ]
    assert {(one.content or {})["asked"]["rule"] for one in decisions} == {rule.id}
    entries = session.scalars(
        select(TrailEntry).where(TrailEntry.act == "campaign.approve").order_by(TrailEntry.id)
    ).all()
    assert [(entry.details["given"], entry.details["needed"]) for entry in entries] == [(1, 2), (2, 2)]


def test_one_rejection_ends_it_and_a_new_submission_begins_anew(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 2)
    campaign = tree.submitted(tree.branch, tree.secretary)
    first, second = tree.approver(tree.city), tree.approver(tree.city)
    tree.approve(first, campaign)
    approval.decide_approval(session, second, campaign.id, approve=False, comment="不妥")
    assert campaign.status == "rejected"
    services.submit_campaign(session, tree.secretary, campaign.id)  # unchanged: its digest is the same
    assert approvers.list_given(session, campaign, content_of(session, campaign).digest()) == []
    assert tree.approve(second, campaign) == "submitted"
    assert tree.approve(first, campaign) == "approved"


def test_what_changes_meanwhile_has_no_approval(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 2)
    segment = make_segment(session, tree.street, {"unit": tree.branch.id})
    campaign = tree.submitted(tree.street, make_actor(session, tree.street), segment_id=segment.id)
    first, second = tree.approver(tree.city), tree.approver(tree.city)
    tree.approve(first, campaign)
    segment.rule = {"everyone": True}
    session.flush()
    assert tree.approve(second, campaign) == "submitted", "the first approved another audience"
    assert tree.approve(tree.approver(tree.district), campaign) == "approved"


def test_an_approver_of_the_level(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 1, level="branch", approver_level="district")
    campaign = tree.submitted(tree.branch, tree.secretary)
    near, middle = tree.approver(tree.branch), tree.approver(tree.street)
    for low in (near, middle):
        with pytest.raises(Forbidden, match="an approver of the district or above"):
            tree.approve(low, campaign)
    far = make_account(session, tree.city, None, ("approver",), name="市里")
    asked = ask_approval(session, content_of(session, campaign), tree.branch.path)
    assert approvers.find_approvers(session, campaign, tree.branch.path, asked=asked) == ["市里"]
    other = tree.submitted(tree.branch, tree.secretary)
    assert tree.approve(tree.approver(tree.district), other) == "approved"
    assert tree.approve(load_actor(session, far.id), campaign) == "approved"
    # Whoever may approve for the unit may return it, of whatever level.
    third = tree.submitted(tree.branch, tree.secretary)
    assert approval.decide_approval(session, near, third.id, approve=False, comment="不妥").status == "rejected"


def test_an_approval_of_too_low_a_level_counts_no_more_when_the_rule_is_raised(session: Session, tree: Tree) -> None:
    rule = tree.rule(tree.city, 2)
    campaign = tree.submitted(tree.branch, tree.secretary)
    tree.approve(tree.approver(tree.branch), campaign)
    rule_acts.change_approval_rule(session, tree.admin, rule.id, {"approver_level": "city"})
    assert tree.approve(tree.approver(tree.city), campaign) == "submitted"
    assert tree.approve(tree.approver(tree.city), campaign) == "approved"


def test_two_approvers_at_once(database: Database, session: Session, tree: Tree) -> None:
    """Each sees what the other decided: neither do both wait for a second one, nor is one yes counted twice."""
    tree.rule(tree.city, 2)
    campaign_id = tree.submitted(tree.branch, tree.secretary, launch_on_approval=True).id
    people = [tree.approver(tree.city), tree.approver(tree.district)]
    session.commit()
    together = threading.Barrier(2)

    def decide(actor: Actor) -> str:
        with database.session() as own:
            own.get_one(Campaign, campaign_id)  # read before, as a page does
            together.wait(30)
            return approval.decide_approval(own, actor, campaign_id, approve=True).status

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(decide, people))
    assert sorted(found) == ["active", "submitted"]
    session.expire_all()
    assert session.get_one(Campaign, campaign_id).status == "active"
    assert session.scalar(select(func.count()).select_from(Run)) == 1
    assert session.scalar(select(func.count()).select_from(Decision)) == 2


def test_one_approver_twice_at_once_is_one(database: Database, session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 2)
    campaign_id = tree.submitted(tree.branch, tree.secretary).id
    approver = tree.approver(tree.city)
    session.commit()
    together = threading.Barrier(2)

    def decide(_: int) -> str:
        with database.session() as own:
            own.get_one(Campaign, campaign_id)
            together.wait(30)
            try:
                return approval.decide_approval(own, approver, campaign_id, approve=True).status
            except Forbidden as refused:
                own.rollback()
                return str(refused)

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(decide, range(2)))
    assert found[0].endswith("another person must do so too"), found
    assert found[1] == "submitted"


@pytest.mark.parametrize(("people", "growth", "most"), [(0, 20, 10), (3, 20, 13), (50, 20, 60), (1_001, 20, 1_202)])
def test_how_much_a_run_may_grow(session: Session, tree: Tree, people: int, growth: int, most: int) -> None:
    kept = {"asked": {"growth_percent": growth}}
    assert most_people_for(Decision(people=people, content=kept)) == most
    assert most_people_for(Decision(people=people, content=None)) == most
    assert most_people_for(Decision(people=None, content=kept)) is None
    assert most_people_for(Decision(people=1_000, content={"asked": {"growth_percent": 0}})) == 1_000 + LEAST_GROWTH


@pytest.mark.parametrize(("more", "status", "held_for"), [(10, "running", None), (11, "held", "grown")])
def test_a_run_that_grew_by_more_is_held(
    database: Database, session: Session, tree: Tree, more: int, status: str, held_for: str | None
) -> None:
    campaign = tree.submitted(tree.branch, tree.secretary, launch_on_approval=True)
    tree.approve(tree.approver(tree.branch), campaign)
    for _ in range(more):
        make_person(session, tree.branch)
    session.commit()
    (run_id,) = freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    session.expire_all()
    run = session.get_one(Run, run_id)
    assert (run.most_people, run.audience, run.status, run.held_for) == (13, 3 + more, status, held_for)


def test_each_firing_says_with_how_many_people_it_was_approved(
    database: Database, database_url: str, session: Session
) -> None:
    own = recurrence.make_branch(session)
    recurrence.approve_campaign(session, own, recurrence.write_daily(session, own))
    session.commit()
    with ahead_by(database_url, "10 minutes") as ahead:
        assert fire_due_items(ahead).runs == 1
    assert session.scalars(select(Run.most_people)).all() == [11]


def test_a_campaign_approved_before_there_were_rules_can_be_launched(session: Session, tree: Tree) -> None:
    campaign = tree.write(tree.branch, tree.secretary)
    digest = content_of(session, campaign).digest()
    session.add(Decision(campaign_id=campaign.id, decided="approved", digest=digest, at=func.now()))
    session.execute(update(Campaign).values(status="approved"))
    shown = overview.get_campaign(session, tree.secretary, campaign.id)["decision"]
    assert (shown["needed"], shown["rule"], shown["self_service"], shown["people"]) == (None, None, False, None)
    assert launch_campaign(session, tree.secretary, campaign.id)[1]


def test_a_text_of_another_class_in_the_schedule_counts_too(session: Session, tree: Tree) -> None:
    tree.rule(tree.city, 0, class_="study", up_to=60)
    tree.rule(tree.city, 2, class_="notice")
    campaign = tree.write(tree.branch, tree.secretary)
    content = content_of(session, campaign)
    assert ask_approval(session, content, tree.branch.path).approvals == 0
    other = SimpleNamespace(class_="notice", skipped=False)
    mixed = replace(content, items=[other])  # type: ignore[list-item]
    assert ask_approval(session, mixed, tree.branch.path).approvals == 2


def test_a_correction_under_way_needs_as_many_and_every_change_begins_anew(session: Session) -> None:
    own = recurrence.make_branch(session)
    campaign = recurrence.write_daily(session, own)
    recurrence.approve_campaign(session, own, campaign)
    rule_acts.add_approval_rule(session, SYSTEM, unit_id=own.unit.id, approvals=2)
    second = make_actor(session, own.unit, ("approver",))

    def waits_for(actor: Actor) -> bool:
        return session.scalar(select(func.count(Campaign.id)).where(is_of_others(actor), Campaign.undecided)) == 1

    def decide(actor: Actor, *, approve: bool = True) -> bool:
        return approval.decide_approval(session, actor, campaign.id, approve=approve, comment="阅").undecided

    change_item(session, own.officer, campaign.id, 1, {"values": {"地点": "礼堂"}})
    assert waits_for(own.approver), "who approved the first content is asked again"
    assert decide(own.approver)
    assert not waits_for(own.approver)
    change_item(session, own.officer, campaign.id, 1, {"values": {"地点": "操场"}})
    assert decide(second)
    change_item(session, own.officer, campaign.id, 1, {"values": {"地点": "礼堂"}})
    assert decide(second), "what was given before the changes counts no more, though it is the same again"
    assert decide(own.approver, approve=False) is True
    assert decide(second), "a return ends what was given"
    assert not decide(own.approver)
    assert campaign.status == "active"
