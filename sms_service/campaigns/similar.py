"""What people of an audience were sent lately that says the same: the same template, or the very same text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.rules import audience_select
from sms_service.campaigns.contents import Content
from sms_service.campaigns.models import Campaign
from sms_service.content.models import TemplateVersion
from sms_service.db.statements import Statement
from sms_service.directory.models import Unit
from sms_service.ledger.models import Run

SAMPLE_RUNS = Statement(__file__, "sample_runs")

LATELY = timedelta(days=7)
_MOST_RUNS = 50  # of those of the same template, then the newest
_SAMPLED = 50  # recipients of each such run


@dataclass(frozen=True, slots=True)
class SimilarRun:
    """A run of the last seven days whose text is like this one's and went to people of this audience. The campaign's
    name is None for whoever may not read its unit. `same_template`; otherwise texts of both are the same.
    """

    run_id: int
    campaign_id: int | None
    campaign: str | None
    unit: str
    launched_at: datetime
    same_template: bool


def find_similar_runs(
    session: Session, actor: Actor, content: Content, path: str, people: Collection[int], texts: Collection[str]
) -> list[SimilarRun]:
    """The runs of the last seven days that sent people of this audience the same template, or one of these texts.

    A large audience is compared by samples, from both sides: `people` are some of this audience, or all of a small one,
    and of each run some are asked whether this audience has them.
    """
    candidates = _find_candidates(session, content, path)
    if not candidates:
        return []
    theirs = [
        (row.run_id, row.person_id, row.same)
        for row in SAMPLE_RUNS(
            session.connection(),
            run_ids=[run.id for run in candidates],
            months=[run.month for run in candidates],
            people=list(people),
            texts=list(texts),
            most=_SAMPLED,
        )
    ]
    runs = {run.id: run for run in candidates}
    # Whom each run says the like to: the same template, or the same text.
    alike = [(run, person) for run, person, same in theirs if same or runs[run].same_template]
    found = {run for run, person in alike if person in people}
    asked = {person for run, person in alike if run not in found}
    if asked:
        audience = audience_select(session, content.segment_rule, path).subquery()
        ours = set(session.scalars(select(audience.c.person_id).where(audience.c.person_id.in_(asked))))
        found |= {run for run, person in alike if person in ours}
    similar = []
    for run in candidates:
        if run.id in found:
            named = actor.can(Permission.read, run.path)
            campaign_id, campaign = (run.campaign_id, run.campaign) if named else (None, None)
            similar.append(SimilarRun(run.id, campaign_id, campaign, run.unit, run.launched_at, run.same_template))
    return similar


def _find_candidates(session: Session, content: Content, path: str) -> Sequence[Any]:
    """Runs of late of units above and below: only these reach people of this part of the tree."""
    other = aliased(TemplateVersion)
    same_template = (other.template_id == content.version.template_id).label("same_template")
    return session.execute(
        select(
            Run.id,
            Run.month,
            Run.launched_at,
            Run.campaign_id,
            Campaign.name.label("campaign"),
            Unit.path,
            Unit.name.label("unit"),
            same_template,
        )
        .join(Campaign, Campaign.id == Run.campaign_id)
        .join(Unit, Unit.id == Run.unit_id)
        .join(other, other.id == Run.template_version_id)
        .where(
            Run.launched_at >= func.sms_now() - LATELY,
            Run.kind == "campaign",
            Run.frozen_at.is_not(None),
            Run.campaign_id != content.campaign.id,
            or_(Unit.path.op("^@")(path), literal(path).op("^@")(Unit.path)),
        )
        .order_by(same_template.desc(), Run.launched_at.desc(), Run.id.desc())
        .limit(_MOST_RUNS)
    ).all()
