"""A changed campaign is never sent on an old approval: in each status each thing is changed, behind the service's back,
and then everybody who could send it tries every way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.planning import describe_text
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.content.models import TemplateVersion
from sms_service.controls.models import Route
from sms_service.directory.models import Person
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from tests.audience.listing import bring_list
from tests.campaigns.approving import Tree
from tests.campaigns.every_status import DO, bring_to, write_kind
from tests.campaigns.turned import carried, run_clock, turn_to_next
from tests.factories import make_actor, make_segment, make_template

A, S, K = CampaignAct, CampaignStatus, CampaignKind
# Each thing that an approval covers, as SQL changes it. `id`: the campaign's.
CHANGES: Mapping[str, str] = {
    "text": "UPDATE campaigns SET template_version_id = :version WHERE id = :id",
    "class": "UPDATE templates SET class = 'survey' WHERE id = (SELECT template_id FROM template_versions v"
    " JOIN campaigns c ON c.template_version_id = v.id WHERE c.id = :id)",
    "values": 'UPDATE campaigns SET values = values || \'{"说明": "改"}\' WHERE id = :id',
    "signature": "UPDATE campaigns SET signature = '城西街道' WHERE id = :id",
    "segment": 'UPDATE segments SET rule = \'{"not": {"tag": "退休"}}\''
    " WHERE id = (SELECT segment_id FROM campaigns WHERE id = :id)",
    "unit": "UPDATE campaigns SET unit_id = (SELECT parent_id FROM units WHERE id = unit_id) WHERE id = :id",
    "route": "UPDATE campaigns SET route_id = :route WHERE id = :id",
    "validity": "UPDATE campaigns SET validity_s = 3600 WHERE id = :id",
    "urgent": "UPDATE campaigns SET urgent = NOT urgent WHERE id = :id",
    "canary": "UPDATE campaigns SET canary_receipts = NOT canary_receipts WHERE id = :id",
    "channels": "UPDATE campaigns SET channels = '{7}' WHERE id = :id",
    "window": "UPDATE units SET window_opens = 60 WHERE id = (SELECT unit_id FROM campaigns WHERE id = :id)",
    "planned time": "UPDATE campaigns SET planned_at = now() + interval '9 days' WHERE id = :id",
    "schedule": "UPDATE campaigns SET schedule = schedule || '{\"other\": 1}' WHERE id = :id",
    "item's values": 'UPDATE campaign_items SET values = values || \'{"说明": "改"}\' WHERE campaign_id = :id',
    "item's rule": 'UPDATE campaign_items SET rule = \'{"not": {"tag": "退休"}}\' WHERE campaign_id = :id',
    "item's text": "UPDATE campaign_items SET template_version_id = :version WHERE campaign_id = :id",
}
OF_SCHEDULES = {name for name in CHANGES if name.startswith("item's")} | {"schedule"}
WAYS: tuple[Callable[[Session, Campaign], object], ...] = (
    lambda session, campaign: DO[A.launch](session, SYSTEM, campaign),
    lambda session, campaign: DO[A.start](session, SYSTEM, campaign),
    lambda session, campaign: DO[A.go_on](session, SYSTEM, campaign),
    lambda session, campaign: (turn_to_next(session, campaign.id), run_clock(session)),
    lambda session, campaign: [control.resume_run(session, SYSTEM, one, "放行") for one in _runs(session, campaign)],
    lambda session, campaign: (turn_to_next(session, campaign.id), run_clock(session)),
)


def _runs(session: Session, campaign: Campaign) -> list[int]:
    held = (RunStatus.held, RunStatus.paused)
    return list(session.scalars(select(Run.id).where(Run.campaign_id == campaign.id, Run.status.in_(held))))


def _texts(session: Session, campaign: Campaign) -> dict[bytes, str]:
    """What the campaign would send as it stands, by the digest of each of its texts."""
    content = content_of(session, campaign)
    each = [content.of_item(item) for item in content.items] or [content]
    return {one.digest(): carried(SimpleNamespace(**describe_text(one))) for one in each}


def _try_all(session: Session, campaign: Campaign) -> list[Run]:
    """Everybody tries everything; returns the runs that have begun."""
    for way in WAYS:
        with suppress(Conflict, Forbidden, Invalid, NotFound), session.begin_nested():
            way(session, campaign)
        session.expire_all()
    begun = Run.status.not_in((RunStatus.planned, RunStatus.held, RunStatus.cancelled))
    return list(session.scalars(select(Run).where(Run.campaign_id == campaign.id, begun)))


@pytest.mark.parametrize("kind", K)
@pytest.mark.parametrize("status", S)
def test_what_was_changed_is_refused_or_held(session: Session, kind: CampaignKind, status: CampaignStatus) -> None:
    tree = Tree(session)
    author, approver = make_actor(session, tree.street), make_actor(session, tree.street, ("approver",))
    campaign = write_kind(session, tree, tree.street, author, kind)
    if bring_to(session, campaign, status, author, approver) is None:
        pytest.skip(f"no {kind} campaign is ever {status}")
    version = session.get_one(TemplateVersion, campaign.template_version_id)
    other = make_template(session, tree.street, f"另：{version.body}", variables=tuple(version.variables))
    route = Route(name="other")
    session.add(route)
    session.flush()
    given = {"id": campaign.id, "version": other.id, "route": route.id}
    goes = status in (S.approved, S.active, S.suspended)
    approved = _texts(session, campaign) if goes else {}
    for what, statement in CHANGES.items():
        if what in OF_SCHEDULES and kind == K.plain:
            continue
        attempt = session.begin_nested()
        before = _texts(session, campaign)
        session.execute(text(statement), given)
        session.expire_all()
        now = _texts(session, campaign)
        assert now.keys() != before.keys(), f"no approval covers: {what}"
        for run in _try_all(session, campaign):
            case = f"{what} of a {kind} campaign that is {status}: run {run.id} is {run.status}"
            # What a run was planned with before the change goes; of an event, texts that the change does not concern.
            assert approved.get(run.digest or b"") == carried(run), case
        attempt.rollback()
        session.expire_all()
    assert bool(_try_all(session, campaign)) == goes, "and unchanged it goes"


def test_other_rows_of_a_list_are_another_content(session: Session) -> None:
    tree = Tree(session)
    person = session.scalars(select(Person).where(Person.unit_id == tree.branch.id).limit(1)).one()
    rows = bring_list(session, tree.branch, f"编号,座位\n{person.number},1排\n")
    segment = make_segment(session, tree.branch, {"list": rows.id})
    campaign = tree.submitted(tree.branch, tree.secretary, segment_id=segment.id)
    tree.approve(tree.approver(tree.branch), campaign)
    rows.digest = b"other"
    session.flush()
    assert _try_all(session, campaign) == []
