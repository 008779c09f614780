"""The right to approve, lent until a day: who may lend what to whom, what it gives, and when it gives nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts import sessions, tokens
from sms_service.accounts.actors import SYSTEM, Actor, load_actor, load_grants
from sms_service.accounts.models import Account, Delegation, RoleGrant
from sms_service.accounts.permissions import Permission
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, approvers, delegations, overview, rule_acts
from sms_service.campaigns.delegations import LONGEST_DAYS, DelegationState, find_delegations, name_delegation
from sms_service.campaigns.models import Decision
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.campaigns.approving import Tree
from tests.clocks import ahead_by
from tests.factories import make_account, make_actor, make_unit

DAY = timedelta(days=1)


@pytest.fixture
def tree(session: Session) -> Tree:
    return Tree(session)


@pytest.fixture
def today(session: Session) -> date:
    return session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()))).one().date()


def lend(session: Session, actor: Actor, unit: Unit, login: str, until: date, why: str = "出差") -> Delegation:
    given = {"unit_id": unit.id, "login": login, "until": until, "why": why}
    return delegations.lend_approval(session, actor, **given).delegation


def states(session: Session, actor: Actor) -> list[str]:
    rows = session.execute(find_delegations((), actor.account_id).order_by(Delegation.id))
    return [name_delegation(row).state for row in rows]


def test_a_delegate_reads_and_approves_and_is_named_as_such(session: Session, tree: Tree, today: date) -> None:
    lender = load_actor(session, make_account(session, tree.city, "boss", ("approver",), name="部长").id)
    deputy = make_account(session, tree.street, "deputy", (), name="副部长")
    campaign = tree.submitted(tree.branch, tree.secretary)
    with pytest.raises(Forbidden):
        tree.approve(load_actor(session, deputy.id), campaign)
    made = lend(session, lender, tree.district, "deputy", today)
    actor = load_actor(session, deputy.id)
    assert actor.scope(Permission.approve_campaigns) == actor.scope(Permission.read) == (tree.district.path,)
    assert actor.scope(Permission.see_phones) == ()
    # What somebody holds by delegation is no role: an administrator below may still act on the account.
    assert load_grants(session, deputy.id) == ()
    assert set(approvers.find_approvers(session, campaign, tree.branch.path)) == {"部长", "副部长"}
    assert tree.approve(actor, campaign) == "approved"
    decision = session.scalars(select(Decision)).one()
    assert (decision.account_id, decision.lender_id, decision.level) == (deputy.id, lender.account_id, "district")
    shown = overview.get_campaign(session, lender, campaign.id)["decision"]
    assert (shown["name"], shown["lender"]) == ("副部长", "部长")
    entries = session.scalars(select(TrailEntry).where(TrailEntry.act.startswith("delegation"))).all()
    assert [(entry.act, entry.account_id, entry.target_id) for entry in entries] == [
        ("delegation.begin", lender.account_id, str(deputy.id))
    ]
    assert entries[0].details["until"] == made.until.isoformat()
    approved = session.scalars(select(TrailEntry).where(TrailEntry.act == "campaign.approve")).one()
    assert approved.details == {"lender": lender.account_id}


def test_it_ends_by_itself_with_its_day(database_url: str, session: Session, tree: Tree, today: date) -> None:
    lender, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    lend(session, lender, tree.city, "deputy", today + DAY)
    session.commit()

    def scope(days: int) -> tuple[str, ...]:
        # From a minute after the local midnight that begins the day.
        now = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()))).one()
        begun = now.hour * 60 + now.minute
        with ahead_by(database_url, f"{days * 1440 - begun + 1} minutes") as ahead, ahead.session() as then:
            return load_actor(then, deputy.id).scope(Permission.approve_campaigns)

    assert scope(1) == (tree.city.path,)
    assert scope(2) == ()
    with ahead_by(database_url, "3 days") as ahead, ahead.session() as then:
        assert states(then, lender) == [DelegationState.over]
        with pytest.raises(Conflict, match="over already"):
            delegations.end_delegation(then, lender, then.scalars(select(Delegation.id)).one())


@pytest.mark.parametrize(
    "loss",
    [
        lambda session, lender: session.query(RoleGrant).filter_by(account_id=lender).delete(),
        lambda session, lender: session.execute(
            update(Account).where(Account.id == lender).values(disabled_at=func.now())
        ),
        lambda session, lender: session.execute(
            update(RoleGrant).where(RoleGrant.account_id == lender).values(role="auditor")
        ),
    ],
)
def test_when_the_lender_loses_the_right_it_gives_nothing(
    session: Session, tree: Tree, today: date, loss: Callable[[Session, int], object]
) -> None:
    lender, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    lend(session, lender, tree.district, "deputy", today)
    assert lender.account_id is not None
    loss(session, lender.account_id)
    session.expire_all()
    assert load_actor(session, deputy.id).grants == ()
    assert states(session, lender) == [DelegationState.idle]
    campaign = tree.submitted(tree.branch, tree.secretary)
    assert approvers.find_approvers(session, campaign, tree.branch.path) == []


def test_both_sides_and_an_administrator_end_it_at_once(session: Session, tree: Tree, today: date) -> None:
    lender, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    outsider = make_actor(session, tree.district, ("administrator", "approver"))
    for who in (lender, tree.admin, None):
        made = lend(session, lender, tree.city, "deputy", today)
        held = load_actor(session, deputy.id)
        assert held.can(Permission.approve_campaigns, tree.city.path)
        for other in (outsider, tree.secretary):
            with pytest.raises(Forbidden):
                delegations.end_delegation(session, other, made.id)
        delegations.end_delegation(session, who or held, made.id)
        assert load_actor(session, deputy.id).grants == ()
        with pytest.raises(Conflict):
            delegations.end_delegation(session, lender, made.id)
    assert states(session, held) == [DelegationState.ended] * 3
    with pytest.raises(NotFound):
        delegations.end_delegation(session, lender, made.id + 1)
    ended = session.scalars(select(TrailEntry).where(TrailEntry.act == "delegation.end")).all()
    assert {entry.account_id for entry in ended} == {lender.account_id, tree.admin.account_id, deputy.id}


def test_what_cannot_be_lent(session: Session, tree: Tree, today: date) -> None:
    lender = load_actor(session, make_account(session, tree.district, "boss", ("approver",)).id)
    make_account(session, tree.street, "deputy", ())
    make_account(session, tree.street, "gone", (), disabled_at=func.now())
    for unit in (tree.city, make_unit(session)):
        with pytest.raises(Forbidden):
            lend(session, lender, unit, "deputy", today)
    for actor in (tree.officer, tree.admin, SYSTEM):
        with pytest.raises(Forbidden):
            lend(session, actor, tree.district, "deputy", today)
    wrong = [
        ("nobody", today, "出差", "login"),
        ("gone", today, "出差", "login"),
        ("boss", today, "出差", "login"),
        ("deputy", today - DAY, "出差", "until"),
        ("deputy", today + (LONGEST_DAYS + 1) * DAY, "出差", "until"),
        ("deputy", today, " ", "why"),
    ]
    for login, until, why, field in wrong:
        with pytest.raises(Invalid) as refused:
            lend(session, lender, tree.district, login, until, why)
        assert refused.value.field == field
    lend(session, lender, tree.district, "deputy", today + LONGEST_DAYS * DAY)
    with pytest.raises(Conflict, match="already"):
        lend(session, lender, tree.district, "deputy", today)
    # The right over a unit below is another thing.
    lend(session, lender, tree.branch, "deputy", today)


def test_a_delegate_does_not_lend_on(session: Session, tree: Tree, today: date) -> None:
    lender, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    make_account(session, tree.street, "third", ())
    lend(session, lender, tree.city, "deputy", today)
    with pytest.raises(Forbidden, match="does not hold the right by a role"):
        lend(session, load_actor(session, deputy.id), tree.branch, "third", today)


def test_authors_decide_nothing_by_delegation_and_nothing_is_decided_for_them(
    session: Session, tree: Tree, today: date
) -> None:
    boss, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ("officer",))
    lend(session, boss, tree.city, "deputy", today)
    own = tree.submitted(tree.street, load_actor(session, deputy.id))
    with pytest.raises(Forbidden, match="had a hand"):
        tree.approve(load_actor(session, deputy.id), own)
    double = make_account(session, tree.street, "double", (), created_by=deputy.id)
    lend(session, boss, tree.city, "double", today)
    with pytest.raises(Forbidden, match="no other person"):
        tree.approve(load_actor(session, double.id), own)
    both = make_actor(session, tree.city, ("officer", "approver"))
    make_account(session, tree.street, "helper", (), name="帮手")
    lend(session, both, tree.city, "helper", today)
    helper = load_actor(session, session.scalars(select(Account.id).where(Account.login == "helper")).one())
    bosss = tree.submitted(tree.city, both)
    with pytest.raises(Forbidden, match="by delegation of somebody who wrote"):
        tree.approve(helper, bosss)
    assert "帮手" not in approvers.find_approvers(session, bosss, tree.city.path)
    assert tree.approve(helper, tree.submitted(tree.street, make_actor(session, tree.street))) == "approved"


def test_a_right_counts_once_of_two_approvals(session: Session, tree: Tree, today: date) -> None:
    tree.rule(tree.city, 2)
    boss, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    lend(session, boss, tree.city, "deputy", today)
    first, second = (tree.submitted(tree.branch, tree.secretary) for _ in range(2))
    assert tree.approve(boss, first) == "submitted"
    with pytest.raises(Forbidden, match="by delegation of somebody who wrote or approved"):
        tree.approve(load_actor(session, deputy.id), first)
    assert tree.approve(load_actor(session, deputy.id), second) == "submitted"
    with pytest.raises(Forbidden, match="has approved campaign"):
        tree.approve(boss, second)
    assert tree.approve(tree.approver(tree.district), second) == "approved"


def test_own_rights_come_before_lent_ones_and_the_level_is_that_of_the_unit(
    session: Session, tree: Tree, today: date
) -> None:
    boss = tree.approver(tree.city)
    deputy = load_actor(session, make_account(session, tree.branch, "deputy", ("approver",)).id)
    lend(session, boss, tree.district, "deputy", today)
    campaign = tree.submitted(tree.branch, tree.secretary)
    deputy = load_actor(session, deputy.account_id or 0)
    tree.approve(deputy, campaign)
    assert session.scalars(select(Decision.lender_id)).all() == [None]
    rule = tree.rule(tree.city, 1, approver_level="district")
    other = tree.submitted(tree.branch, tree.secretary)
    tree.approve(deputy, other)
    decision = approval.latest_decision(session, other.id)
    assert decision is not None
    assert (decision.lender_id, decision.level) == (boss.account_id, "district")
    rule_acts.change_approval_rule(session, tree.admin, rule.id, {"approver_level": "city"})
    with pytest.raises(Forbidden, match="an approver of the city"):
        tree.approve(deputy, tree.submitted(tree.branch, tree.secretary))


def test_who_sees_which_delegations(session: Session, tree: Tree, today: date) -> None:
    boss = tree.approver(tree.city)
    deputy = make_account(session, make_unit(session), "deputy", ())
    lend(session, boss, tree.district, "deputy", today)

    def seen(paths: tuple[str, ...], actor: Actor) -> int:
        return len(session.execute(find_delegations(paths, actor.account_id)).all())

    assert seen((), boss) == seen((), load_actor(session, deputy.id)) == 1
    assert seen((tree.city.path,), tree.admin) == seen((tree.district.path,), tree.admin) == 1
    assert seen((tree.branch.path,), tree.secretary) == 0


def test_every_way_in_gives_what_was_lent(session: Session, tree: Tree, today: date) -> None:
    boss, deputy = tree.approver(tree.city), make_account(session, tree.street, "deputy", ())
    lend(session, boss, tree.city, "deputy", today)
    now = session.scalars(select(func.sms_now())).one()
    secret = sessions.begin_session(session, deputy.id, user_agent="x", now=now, random_bytes=secrets.token_bytes)
    _, raw = tokens.issue_token(session, SYSTEM, deputy.id, "x", now=now, random_bytes=secrets.token_bytes)
    actors = [sessions.find_visitor(session, secret, now).actor, tokens.authenticate_token(session, raw, now).actor]
    for actor in actors:
        assert actor == load_actor(session, deputy.id)
        assert actor.can(Permission.approve_campaigns, tree.city.path)
