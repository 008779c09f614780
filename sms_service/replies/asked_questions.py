"""Questions as people find and end them: which are open, when they close, and a reminder to those who are silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, false, func, literal, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.invitations import ensure_segment
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.picks import copy_picks
from sms_service.campaigns.services import LONGEST_NAME, create_campaign
from sms_service.controls.models import Route
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.answers import find_question, list_readable
from sms_service.said import say

FURTHEST = timedelta(days=365)  # to which a question can be extended
REMINDER = "（催复）"  # after the campaign's name
_COPIED = ("signature", "validity_s", "urgent", "canary_receipts")


def find_questions(
    paths: Sequence[str], *, is_open: bool | None = None, campaign: int | None = None
) -> Select[*tuple[Any, ...]]:
    """The questions that ask people of the units that are now within the subtrees at `paths`, or may: those of these
    units, and of units above them. Rows (QuestionRow, campaign, unit, path, is_open), to be ordered and paged.
    """
    near = (or_(Unit.path.op("^@")(path), literal(path).op("^@")(Unit.path)) for path in paths)
    open_now = QuestionRow.closes_at >= func.sms_now()
    statement: Select[*tuple[Any, ...]] = (
        select(QuestionRow, Campaign.name.label("campaign"), Unit.name.label("unit"))
        .add_columns(Unit.path.label("path"), open_now.label("is_open"))
        .join(Campaign, Campaign.id == QuestionRow.campaign_id)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(or_(false(), *near))
    )
    if is_open is not None:
        statement = statement.where(open_now if is_open else ~open_now)
    return statement if campaign is None else statement.where(QuestionRow.campaign_id == campaign)


def get_question(session: Session, actor: Actor, question_id: int) -> Any:
    """One question as a row of `find_questions`, for whoever may read some of the people whom it asks. Raises NotFound
    or Forbidden.
    """
    row = session.execute(find_questions(["/"]).where(QuestionRow.id == question_id)).one_or_none()
    if row is None:
        raise NotFound("question of a campaign", question_id)
    list_readable(actor, row.path, question_id)
    return row


def close_question(session: Session, actor: Actor, question_id: int, closes_at: datetime | None = None) -> QuestionRow:
    """Let answers count until then, within 365 days; None: until now. What is late now may count again.

    Raises NotFound, Forbidden without operate_campaigns over the campaign's unit, Conflict for one that is closed
    anyway, Invalid (`closes_at`).
    """
    question, path = find_question(session, question_id)
    actor.require(Permission.operate_campaigns, path)
    session.refresh(question, with_for_update=True)
    now: datetime = session.scalars(select(func.sms_now())).one()
    until = now if closes_at is None else closes_at
    if not now <= until <= now + FURTHEST:
        raise Invalid("closes_at", until.isoformat(), say("must lie within {days} days from now", days=FURTHEST.days))
    if closes_at is None and question.closes_at <= now:
        raise Conflict(say("question {question} is closed", question=question_id))
    before, question.closes_at = question.closes_at, until
    session.flush()
    trail.record_act(
        session,
        actor.account_id,
        "question.close",
        "campaign",
        question.campaign_id,
        path,
        question=question_id,
        until=until.isoformat(timespec="minutes"),
        changes={"closes_at": [before.isoformat(), until.isoformat()]},
    )
    return question


def remind_silent(session: Session, actor: Actor, question_id: int) -> Campaign:
    """A draft with the text that asked the question, to those who are silent when it is launched. Raises NotFound,
    Forbidden, Conflict once the question is closed, and as `create_segment` and `create_campaign` do.
    """
    question, path = find_question(session, question_id)
    actor.require(Permission.edit_campaigns, path)
    now: datetime = session.scalars(select(func.sms_now())).one()
    if question.closes_at < now:
        raise Conflict(say("question {question} is closed; extend it to remind anybody", question=question_id))
    old = session.get_one(Campaign, question.campaign_id)
    content = content_of(session, old, held=False)
    item = next((one for one in content.items if one.number == question.item), None)
    if item is not None:
        content = content.of_item(item)
    silent = {"campaign": {"id": old.id, "outcome": "unanswered"} | ({"item": item.number} if item else {})}
    rule = {"all": [{"segment": old.segment_id}, silent]}
    name = old.name[: LONGEST_NAME - len(REMINDER)] + REMINDER
    copied = copy_picks(session, old)
    copied["values"] = {**copied["values"], **(item.values if item else {})}
    new = create_campaign(
        session,
        actor,
        unit_id=old.unit_id,
        name=name,
        template_version_id=content.version.id,
        segment_id=ensure_segment(session, actor, old.unit_id, rule, name).id,
        route=session.scalars(select(Route.name).where(Route.id == old.route_id)).one(),
        asks={"same_as": question_id},
        launch_on_approval=True,
        **copied,
        **{field: getattr(old, field) for field in _COPIED},
    )
    trail.record_act(session, actor.account_id, "question.remind", "campaign", new.id, path, question=question_id)
    return new
