"""An invitation: a campaign to the people of one unit, written without knowing what a segment is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audience import segments
from sms_service.audience.models import Segment
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.services import change_campaign, create_campaign
from sms_service.vocabulary import QuestionKind

MOST_TICKED = 60  # people who are listed to be ticked; a larger unit is invited as a whole
EVERYONE: Mapping[str, Any] = {"everyone": True}


def write_invitation(
    session: Session,
    actor: Actor,
    *,
    unit_id: int,
    name: str,
    template_version_id: int,
    signature: str,
    values: Mapping[str, str],
    people: Collection[int] | None,
    segment_name: str,
    planned_at: datetime | None = None,
    campaign: Campaign | None = None,
    unchanged_since: datetime | None = None,
    picks: Mapping[str, int | None] | None = None,
) -> Campaign:
    """A draft of the unit to these people (ids), or to everybody of the unit where that is None; `campaign`: the one
    that is changed instead. It asks whether they come. Its approval sends it, `planned_at` or at once.

    The segment that says so is the unit's own under `segment_name`, with a number where that is taken; one with the
    same rule is used again. Raises as `create_segment`, `create_campaign` and `change_campaign` do.
    """
    rule = dict(EVERYONE) if people is None else {"people": sorted(people)}
    fields: dict[str, Any] = {
        "name": name,
        "template_version_id": template_version_id,
        "signature": signature,
        "values": dict(values),
        "planned_at": planned_at,
        "launch_on_approval": True,
        "asks": {"kind": QuestionKind.rsvp.value},
        "segment_id": ensure_segment(session, actor, unit_id, rule, segment_name, campaign).id,
    }
    if picks is not None:
        fields["picks"] = dict(picks)
    if campaign is None:
        return create_campaign(session, actor, unit_id=unit_id, **fields)
    return change_campaign(session, actor, campaign.id, fields, unchanged_since)


def ensure_segment(
    session: Session, actor: Actor, unit_id: int, rule: dict[str, Any], name: str, campaign: Campaign | None = None
) -> Segment:
    """The unit's own segment with this rule, made under `name`, with a number where that is taken, if there is none;
    `campaign`: whose list of people is changed instead. Raises as `create_segment` does.
    """
    same = select(Segment).where(Segment.unit_id == unit_id, Segment.rule == rule).order_by(Segment.id).limit(1)
    found = session.scalar(same)
    if found is not None:
        return found
    if campaign is not None and _is_its_own(session, campaign):
        return segments.change_segment(session, actor, campaign.segment_id, rule=rule)
    return segments.create_segment(session, actor, unit_id, segments.find_free_name(session, unit_id, name), rule)


def _is_its_own(session: Session, campaign: Campaign) -> bool:
    """Whether the campaign's segment is a list of people that no other campaign uses."""
    used = exists().where(Campaign.segment_id == Segment.id, Campaign.id != campaign.id)
    lists = Segment.rule.has_key("people")
    return session.scalar(select(Segment.id).where(Segment.id == campaign.segment_id, lists, ~used)) is not None
