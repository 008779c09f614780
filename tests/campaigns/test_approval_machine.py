"""No sequence of edits, submissions and decisions by people of different scope, of changed rules and changed audiences,
lets a content go without the approvals that its rule asked for when it was decided on.

What is asked for is worked out here once more, naively, from what the people did.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Date, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.audience.sizes import count_recipients
from sms_service.campaigns import approval, delegations, rule_acts, services
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.rule_models import ApprovalRule
from sms_service.directory.models import LEVELS
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Run
from tests.campaigns.approving import Tree
from tests.examples import count_examples
from tests.factories import make_account, make_actor, make_person, make_segment

OFFICERS = ("secretary", "colleague", "both")
APPROVERS = ("near", "far", "double", "second", "both", "delegate", "secretary")
LEVEL = {"near": "branch", "far": "city", "double": "city", "second": "city", "both": "street", "delegate": "district"}
# Who is one person with whom: `far` made `double`, and lent `delegate` the right.
HANDS = {"double": {"double", "far"}, "delegate": {"delegate", "far"}}
RULES = [(0, 3, None), (0, 4, None), (1, None, None), (1, 3, "district"), (2, None, None), (2, None, "street")]

steps = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(OFFICERS)),
    st.tuples(st.just("submit"), st.sampled_from(OFFICERS)),
    st.tuples(st.just("approve"), st.sampled_from(APPROVERS)),
    st.tuples(st.just("approve"), st.sampled_from(APPROVERS)),
    st.tuples(st.just("reject"), st.sampled_from(APPROVERS)),
    st.tuples(st.just("rule"), st.sampled_from(RULES)),
    st.tuples(st.just("segment"), st.booleans()),
    st.tuples(st.just("join"), st.just("")),
    st.tuples(st.just("launch"), st.sampled_from(OFFICERS)),
)


class Life:
    """One campaign of a branch of three, and what its people have done to it."""

    def __init__(self, session: Session, tree: Tree, people: dict[str, Actor]) -> None:
        self.session, self.tree, self.people = session, tree, people
        self.segment = make_segment(session, tree.branch, {"everyone": True})
        self.campaign = tree.write(tree.branch, people["secretary"], segment_id=self.segment.id)
        self.authors, self.given = {"secretary"}, []
        self.rule: tuple[int, int | None, str | None] | None = None
        self.number = 0

    def asked(self) -> tuple[int, str | None]:
        rule = content_of(self.session, self.campaign).segment_rule
        people = count_recipients(self.session, rule, self.tree.branch.path)
        if self.rule is None or (self.rule[1] is not None and people > self.rule[1]):
            return 1, None
        return self.rule[0], self.rule[2]

    def take(self, what: str, with_: Any) -> None:
        """One step; then what became of the campaign must be what the people's acts allow."""
        before, digest = self.campaign.status, content_of(self.session, self.campaign).digest()
        needed, level = self.asked()
        nested = self.session.begin_nested()
        try:
            self._do(what, with_)
            nested.commit()
        except (Conflict, Forbidden, Invalid):
            nested.rollback()
            self.session.expire_all()
            return
        now = self.campaign.status
        if what in ("change", "submit"):
            self.authors.add(with_)
            self.given = []
        if what == "approve":
            assert before == "submitted"
            self.given.append((with_, digest))
        if now == "approved" and before != "approved" and what != "submit":
            self._require_enough(needed, level, digest)
        if now == "approved" and what == "submit":
            assert needed == 0, "self-service"
        if what == "launch":
            assert (before, now) == ("approved", "active")
            decided = approval.latest_decision(self.session, self.campaign.id)
            assert decided is not None
            assert decided.digest == digest

    def _require_enough(self, needed: int, level: str | None, digest: bytes) -> None:
        counting = [
            who
            for who, read in self.given
            if read == digest and (level is None or LEVELS.index(LEVEL[who]) <= LEVELS.index(level))
        ]
        hands = [HANDS.get(who, {who}) for who in counting]
        assert len(counting) >= max(1, needed), (counting, needed)
        assert all(not one & other for n, one in enumerate(hands) for other in hands[:n]), "one person twice"
        assert not any(one & self.authors for one in hands), "an author"

    def _do(self, what: str, with_: Any) -> None:
        session, campaign_id = self.session, self.campaign.id
        match what:
            case "change":
                self.number += 1
                services.change_campaign(session, self.people[with_], campaign_id, {"validity_s": 3600 + self.number})
            case "submit":
                services.submit_campaign(session, self.people[with_], campaign_id)
            case "approve" | "reject":
                yes = what == "approve"
                approval.decide_approval(session, self.people[with_], campaign_id, approve=yes, comment="阅")
            case "launch":
                if not launch_campaign(session, self.people[with_], campaign_id)[1]:
                    raise Conflict("it was launched before")
            case "join":
                make_person(session, self.tree.branch)
            case "segment":
                self.segment.rule = {"everyone": True} if with_ else {"all": [{"everyone": True}]}
                session.flush()
            case "rule":
                for rule in session.scalars(select(ApprovalRule)).all():
                    rule_acts.remove_approval_rule(session, self.tree.admin, rule.id)
                approvals, up_to, level = with_
                terms = {"approvals": approvals, "up_to": up_to, "approver_level": level}
                self.tree.rule(self.tree.city, **terms)
                self.rule = with_


@pytest.fixture
def people(session: Session) -> tuple[Tree, dict[str, Actor]]:
    tree = Tree(session)
    far = tree.approver(tree.city)
    delegate = make_account(session, tree.street, "delegate", ())
    today = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()).cast(Date))).one()
    lent = {"unit_id": tree.district.id, "login": "delegate", "until": today, "why": "出差"}
    delegations.lend_approval(session, far, **lent)
    double = make_account(session, tree.city, None, ("approver",), created_by=far.account_id)
    return tree, {
        "secretary": tree.secretary,
        "colleague": make_actor(session, tree.branch),
        "both": make_actor(session, tree.street, ("officer", "approver")),
        "near": tree.approver(tree.branch),
        "far": far,
        "double": load_actor(session, double.id),
        "second": tree.approver(tree.city),
        "delegate": load_actor(session, delegate.id),
    }


def test_nothing_goes_without_what_its_rule_asked_for(session: Session, people: tuple[Tree, dict[str, Actor]]) -> None:
    reached: set[str] = set()

    @settings(
        max_examples=count_examples(25),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # an example is short enough to be read
    )
    @given(st.lists(steps, min_size=4, max_size=14))
    def live(taken: list[tuple[str, Any]]) -> None:
        example = session.begin_nested()
        try:
            life = Life(session, *people)
            for what, with_ in taken:
                life.take(what, with_)
                reached.add(life.campaign.status)
                runs = session.scalars(select(Run.id)).all()
                assert (life.campaign.status == "active") == bool(runs)
        finally:
            example.rollback()
            session.expire_all()

    live()
    assert {"draft", "submitted", "approved"} <= reached
