"""A tree of units in which campaigns are written and approved."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns import approval, rule_acts, services
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.rule_models import ApprovalRule
from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Unit
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_actor, make_person, make_segment, make_template, make_unit


class Tree:
    """A city, a district, a street and a branch of three people, each with an approver of its own."""

    def __init__(self, session: Session) -> None:
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        self.session = session
        self.city = make_unit(session, **ALL_DAY)
        self.district = make_unit(session, parent=self.city, **ALL_DAY)
        self.street = make_unit(session, parent=self.district, **ALL_DAY)
        self.branch = make_unit(session, parent=self.street, **ALL_DAY)
        for _ in range(3):
            make_person(session, self.branch)
        make_person(session, self.street)
        self.secretary = make_actor(session, self.branch)
        self.officer = make_actor(session, self.city)
        self.admin = make_actor(session, self.city, ("administrator",))

    def approver(self, unit: Unit) -> Actor:
        return make_actor(self.session, unit, ("approver",))

    def rule(self, unit: Unit, approvals: int, actor: Actor | None = None, **terms: Any) -> ApprovalRule:
        terms = {"approvals": approvals, **terms}
        return rule_acts.add_approval_rule(self.session, actor or self.admin, unit_id=unit.id, **terms)

    def write(self, unit: Unit, actor: Actor, class_: str = "study", **kw: Any) -> Campaign:
        return services.create_campaign(
            self.session,
            actor,
            unit_id=unit.id,
            **{
                "name": "学习",
                "template_version_id": make_template(self.session, unit, class_=class_).id,
                "segment_id": make_segment(self.session, unit, {"everyone": True}).id,
                "signature": "城东街道",
                **kw,
            },
        )

    def submitted(self, unit: Unit, actor: Actor, **kw: Any) -> Campaign:
        campaign = self.write(unit, actor, **kw)
        return services.submit_campaign(self.session, actor, campaign.id)

    def approve(self, actor: Actor, campaign: Campaign) -> str:
        return approval.decide_approval(self.session, actor, campaign.id, approve=True).status
