"""Whatever people of different right and scope do to a campaign, of whatever kind, while the clock goes on: nothing is
sent that was not approved as it stands, by as many people as the rule asked for, none of whom wrote it.

What was approved is worked out here once more, naively, from what people did: the texts themselves, not their digests.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Date, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.audience.segments import change_segment
from sms_service.campaigns import control, delegations, rule_acts, services
from sms_service.campaigns.acts import ACTS, CampaignAct
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.planning import describe_text
from sms_service.campaigns.rule_models import ApprovalRule
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.schedules.correcting import change_item
from tests.campaigns.approving import Tree
from tests.campaigns.every_status import DO, write_kind
from tests.campaigns.turned import carried, run_clock, turn_to_next
from tests.examples import count_examples
from tests.factories import make_account, make_actor, make_template, make_unit

A, S, K = CampaignAct, CampaignStatus, CampaignKind
WRITERS = ("secretary", "officer", "both")
APPROVERS = ("near", "far", "delegate", "both", "secretary")
OUTSIDE = ("stranger", "auditor")  # all rights elsewhere; the right to read here
HANDS = {"delegate": {"delegate", "far"}}  # what the delegate decides, `far` decides
ON_TIME = timedelta(seconds=5)
REFUSED = (Conflict, Forbidden, Invalid, NotFound)
BY_ONE = [A.suspend, A.go_on, A.end, A.launch, A.start, A.move, A.cancel, A.retime, A.withdraw]
# What follows by itself: self-service and launch on approval in the same act, runs and their end by the clock.
FOLLOWS = {A.submit: {S.approved, S.active}, A.approve: {S.active}}


def people_of(session: Session, tree: Tree) -> dict[str, Actor]:
    """Who acts: officers and approvers on and above the branch, and two who may not."""
    far = tree.approver(tree.city)
    make_account(session, tree.street, "delegate", ())
    today = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()).cast(Date))).one()
    lent = delegations.lend_approval(
        session, far, unit_id=tree.district.id, login="delegate", until=today + timedelta(days=50), why="出差"
    )
    every = ("officer", "approver", "administrator")
    return {
        "secretary": tree.secretary,
        "officer": tree.officer,
        "both": make_actor(session, tree.street, ("officer", "approver")),
        "near": tree.approver(tree.branch),
        "far": far,
        "delegate": load_actor(session, lent.delegation.account_id),
        "stranger": make_actor(session, make_unit(session, parent=tree.city), every),
        "auditor": make_actor(session, tree.city, ("auditor",)),
    }


class Lives(RuleBasedStateMachine):
    """One campaign of a branch of three, and copies of it; people, and the clock."""

    base: Session
    reached: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.session = self.base
        self.example = self.session.begin_nested()
        self.tree = Tree(self.session)
        self.people = people_of(self.session, self.tree)
        self.authors: dict[int, set[str]] = {}
        self.given: dict[int, list[tuple[str, str]]] = {}  # since it was submitted, or changed under way, last
        self.approved: dict[int, set[str]] = {}
        self.needed, self.number = 1, 0

    def teardown(self) -> None:
        """At last somebody lets everything go that can go."""
        try:
            self.turn_the_clock(ON_TIME)
            for run_id in self.session.scalars(select(Run.id).where(Run.status.in_(("held", "paused")))).all():
                self.act("officer", None, partial(control.resume_run, self.session, run_id=run_id, why="放行"))
            self.turn_the_clock(ON_TIME)
            self.nothing_goes_that_was_not_approved()
        finally:
            self.example.rollback()
            self.session.expire_all()

    @property
    def campaign(self) -> Campaign:
        return self.session.get_one(Campaign, self.campaign_id)

    def texts(self) -> set[str]:
        """What the campaign would send as it stands: each of its texts."""
        content = content_of(self.session, self.campaign)
        each = [content.of_item(item) for item in content.items] or [content]
        return {carried(SimpleNamespace(**describe_text(one))) for one in each}

    def whole(self) -> str:
        return content_of(self.session, self.campaign).digest().hex()

    def act(self, who: str, act: CampaignAct | None, do: Callable[[Actor], object]) -> bool:
        """Let somebody do it; returns whether it was done. What is refused changes nothing."""
        before, decisions = S(self.campaign.status), self.count_decisions()
        attempt = self.session.begin_nested()
        try:
            do(self.people[who])
            self.session.flush()
            attempt.commit()
            refused: Exception | None = None
        except REFUSED as error:
            attempt.rollback()
            self.session.expire_all()
            refused = error
        assert isinstance(refused, Forbidden) or who not in OUTSIDE, (who, act, refused)
        if refused is not None:
            return False
        after = S(self.campaign.status)
        allowed = set(ACTS[act].moves.get(before, ())) | FOLLOWS.get(act, set()) if act else {before}
        # What was done already is answered again, and a change may change nothing: it stays as it is.
        assert after in allowed | {before}, f"{act} by {who}: {before} became {after}"
        if act != A.approve and self.count_decisions() > decisions and act != A.reject:
            assert self.needed == 0, "self-service"
            assert who in WRITERS
            self.approved[self.campaign_id] |= self.texts()
        self.reached.add(after)
        return True

    def count_decisions(self) -> int:
        return self.session.scalars(select(func.count()).select_from(Decision)).one()

    def wrote(self, who: str) -> None:
        self.authors[self.campaign_id].add(who)
        self.given[self.campaign_id] = []

    def begin(self, campaign_id: int, author: str) -> None:
        self.campaign_id = campaign_id
        self.authors[campaign_id], self.given[campaign_id], self.approved[campaign_id] = {author}, [], set()

    @initialize(kind=st.sampled_from([*K]), on_approval=st.booleans(), needed=st.integers(0, 2), upto=st.integers(0, 3))
    def write(self, kind: CampaignKind, on_approval: bool, needed: int, upto: int) -> None:
        campaign = write_kind(self.session, self.tree, self.tree.branch, self.tree.secretary, kind)
        self.begin(campaign.id, "secretary")
        services.change_campaign(self.session, self.tree.secretary, campaign.id, {"launch_on_approval": on_approval})
        self.set_rule(needed)
        if upto > 0:
            self.submit("secretary")
        for who in ("near", "far")[: max(upto - 1, 0)]:
            self.approve(who)
        if upto > 2 and self.campaign.status == S.approved:
            self.one_act("officer", A.launch if kind == K.plain else A.start)

    @rule(who=st.sampled_from(WRITERS), what=st.sampled_from(["values", "text", "signature", "flags"]))
    def change(self, who: str, what: str) -> None:
        self.number += 1
        changes: dict[str, Any] = {
            "values": {"values": {**self.campaign.values, "说明": str(self.number)}},
            "text": {"template_version_id": self.campaign.template_version_id},
            "signature": {"signature": f"城东街道{self.number}"},
            "flags": {"validity_s": 3_600 + self.number},
        }[what]
        if what == "text" and self.campaign.kind != K.event:
            body = f"通知{self.number}：{{{{ 内容 }}}}" if self.campaign.kind == K.series else f"通知{self.number}。"
            variables = ("内容",) if self.campaign.kind == K.series else ()
            changes = {
                "template_version_id": make_template(self.session, self.tree.branch, body, variables=variables).id
            }
        before = self.whole()

        def do(actor: Actor) -> object:
            return services.change_campaign(self.session, actor, self.campaign_id, changes)

        if self.act(who, A.change, do) and self.whole() != before:
            self.wrote(who)

    @rule(who=st.sampled_from(WRITERS), number=st.integers(1, 2))
    def correct(self, who: str, number: int) -> None:
        self.number += 1
        values = {"内容": f"第{self.number}稿"} if self.campaign.kind == K.series else {"说明": str(self.number)}

        def do(actor: Actor) -> object:
            return change_item(self.session, actor, self.campaign_id, number, {"values": values})

        under_way = self.campaign.status in ACTS[A.correct].moves
        if self.act(who, A.correct if under_way else A.change, do):
            self.wrote(who)

    @rule(who=st.sampled_from(WRITERS), all_=st.booleans())
    def change_rule_of_segment(self, who: str, all_: bool) -> None:
        rule_ = {"everyone": True} if all_ else {"all": [{"everyone": True}]}

        def do(actor: Actor) -> object:
            return change_segment(self.session, actor, self.campaign.segment_id, rule=rule_)

        self.act(who, None, do)

    @rule(who=st.sampled_from(WRITERS))
    def submit(self, who: str) -> None:
        if self.act(who, A.submit, lambda actor: services.submit_campaign(self.session, actor, self.campaign_id)):
            self.wrote(who)

    @rule(who=st.sampled_from(APPROVERS))
    def approve(self, who: str) -> None:
        before, undecided, whole, texts = self.campaign.status, self.campaign.undecided, self.whole(), self.texts()
        if not self.act(who, A.approve, lambda actor: DO[A.approve](self.session, actor, self.campaign)):
            return
        hands = HANDS.get(who, {who})
        assert not hands & self.authors[self.campaign_id], f"{who} wrote it"
        counting = [one for one, read in self.given[self.campaign_id] if read == whole]
        assert not any(hands & HANDS.get(one, {one}) for one in counting), f"{who} approved it before"
        self.given[self.campaign_id].append((who, whole))
        is_enough = len(counting) + 1 >= max(1, self.needed)
        if is_enough:
            self.approved[self.campaign_id] |= texts
        decided = not self.campaign.undecided if undecided else before != self.campaign.status
        assert decided == is_enough, (counting, who, self.needed)

    @rule(who=st.sampled_from(APPROVERS))
    def reject(self, who: str) -> None:
        if self.act(who, A.reject, lambda actor: DO[A.reject](self.session, actor, self.campaign)):
            assert who not in self.authors[self.campaign_id]
            self.given[self.campaign_id] = []

    @rule(who=st.sampled_from(WRITERS), act=st.sampled_from(BY_ONE))
    def one_act(self, who: str, act: CampaignAct) -> None:
        if self.act(who, act, lambda actor: DO[act](self.session, actor, self.campaign)) and act == A.move:
            self.wrote(who)

    @rule(who=st.sampled_from(WRITERS))
    def copy(self, who: str) -> None:
        made: list[int] = []

        def do(actor: Actor) -> None:
            made.append(services.copy_campaign(self.session, actor, self.campaign_id).id)

        if self.act(who, None, do):
            self.begin(made[0], who)

    @rule(
        who=st.sampled_from(WRITERS),
        act=st.sampled_from([control.pause_run, control.resume_run, control.resume_run, control.cancel_run]),
    )
    def operate_run(self, who: str, act: Callable[..., object]) -> None:
        run_id = self.session.scalar(
            select(Run.id).where(Run.campaign_id == self.campaign_id).order_by(Run.id.desc()).limit(1)
        )
        if run_id is not None:
            self.act(who, None, lambda actor: act(self.session, actor, run_id, "看看"))

    @rule(needed=st.integers(0, 2))
    def set_rule(self, needed: int) -> None:
        for one in self.session.scalars(select(ApprovalRule)).all():
            rule_acts.remove_approval_rule(self.session, self.tree.admin, one.id)
        self.tree.rule(self.tree.city, needed, level="branch", up_to=100)
        self.needed = needed

    @rule(who=st.sampled_from(OUTSIDE), act=st.sampled_from([*DO]))
    def outsider(self, who: str, act: CampaignAct) -> None:
        if act != A.resend:  # asks for an old run
            self.act(who, act, lambda actor: DO[act](self.session, actor, self.campaign))

    @rule(late=st.sampled_from([ON_TIME, ON_TIME, timedelta(hours=2)]))
    def turn_the_clock(self, late: timedelta) -> None:
        """To the next time of the campaign, or past its grace; runs are made, begun and frozen."""
        turn_to_next(self.session, self.campaign_id, late)
        run_clock(self.session)

    @invariant()
    def nothing_goes_that_was_not_approved(self) -> None:
        begun = select(Run).where(Run.status.not_in((RunStatus.planned, RunStatus.held, RunStatus.cancelled)))
        for run in self.session.scalars(begun).all():
            assert carried(run) in self.approved[run.campaign_id], f"run {run.id}, {run.status}"
            self.reached.add(f"{run.status} run")


def test_nothing_is_sent_that_was_not_approved_as_it_stands(session: Session) -> None:
    Lives.base, Lives.reached = session, set()
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=count_examples(8),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),  # an example is short enough to be read
        ),
    )
    assert {S.draft, S.submitted, S.active, "running run"} <= Lives.reached
