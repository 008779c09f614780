"""Who was texted by an earlier campaign, and who answered: what segments' rules ask for (`audience/earlier.py`).

A person whose row names another row (the phone is the same) has what became of that one. A person with several rows
has an outcome if one of them has it, but was not delivered, texted or heard from only if that is so of none of them.
Of somebody who answered several times, the last yes or no counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from sms_service.audience.earlier import EarlierCampaign, EarlierRun, install_earlier_campaigns
from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Unit
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.replies.gathering import gather_asked, gather_given
from sms_service.replies.models import ReplyRow
from sms_service.schedules.attendance_models import Attendance
from sms_service.vocabulary import Meaning

S = MessageStatus
# What cannot be told may have arrived: who is texted because nothing came must not be texted twice.
TEXTED = (S.submitting, S.accepted, S.unknown, S.delivered, S.undelivered, S.no_receipt)
NOT_DELIVERED = (S.undelivered, S.no_receipt)
OPEN = (S.pending, S.claimed)


class EarlierTexts:
    """The ledger and the replies, as the audience asks them."""

    def load(self, session: Session, ids: Collection[int]) -> Mapping[int, EarlierCampaign]:
        """These campaigns; one that is not there is left out."""
        rows = session.execute(
            select(Campaign.id, Campaign.name, Unit.path, Run.id, Run.month, Run.launched_at, func.sms_now())
            .add_columns(Run.item, Run.question_id)
            .join(Unit, Unit.id == Campaign.unit_id)
            .outerjoin(Run, and_(Run.campaign_id == Campaign.id, Run.kind == "campaign"))
            .where(Campaign.id.in_(ids))
            .order_by(Campaign.id, Run.id)
        )
        found: dict[int, EarlierCampaign] = {}
        for campaign_id, name, path, run_id, month, launched_at, now, item, question_id in rows:
            campaign = found.get(campaign_id, EarlierCampaign(campaign_id, name, path, ()))
            if run_id is not None:
                since = None if launched_at is None else launched_at.date()
                run = EarlierRun(run_id, month, _months(since, now.date()), item, question_id)
                campaign = campaign._replace(runs=(*campaign.runs, run))
            found[campaign_id] = campaign
        return found

    def require_whole(self, session: Session, ids: Collection[int]) -> None:
        """Raises Conflict where rows of one of these campaigns are archived: some people would not be found."""
        require_unarchived(session, Run.campaign_id.in_(ids))

    def select_people(self, campaign: EarlierCampaign, outcome: str) -> Select[int]:
        """The ids of the people with this outcome."""
        if outcome == "came":
            came = Attendance.campaign_id == literal(campaign.id), Attendance.came
            return select(Attendance.person_id).where(*came)
        if not campaign.runs:
            return select(Attendance.person_id).where(false())
        if outcome in ("accepted", "declined"):
            return _select_said(campaign.runs, Meaning.yes if outcome == "accepted" else Meaning.no)
        if outcome == "unanswered":
            return _select_unanswered(campaign.runs)
        rows = union_all(*(_rows(run) for run in campaign.runs)).subquery("rows")
        status, answered = rows.c.status, rows.c.answered
        texted = func.bool_or(status.in_(TEXTED))
        holds: ColumnElement[bool]
        match outcome:
            case "in_audience":
                holds = true()
            case "texted":
                holds = texted
            case "not_texted":
                holds = not_(func.bool_or(status.in_((*TEXTED, *OPEN))))
            case "delivered":
                holds = func.bool_or(status == S.delivered)
            case "not_delivered":
                holds = and_(func.bool_or(status.in_(NOT_DELIVERED)), not_(func.bool_or(status == S.delivered)))
            case "answered":
                holds = func.bool_or(answered)
            case _:
                holds = and_(texted, not_(func.bool_or(answered)))
        return select(rows.c.person_id).group_by(rows.c.person_id).having(holds)


def _rows(run: EarlierRun) -> Select[*tuple[Any, ...]]:
    """The run's people with what became of the text and whether somebody answered it."""
    own, sent = aliased(Message), aliased(Message)
    month = literal(run.month)
    return (
        select(
            own.person_id,
            func.coalesce(sent.status, own.status).label("status"),
            func.coalesce(own.duplicate_of, own.id).in_(_answered(run)).label("answered"),
        )
        .outerjoin(sent, and_(sent.month == month, sent.id == own.duplicate_of))
        .where(own.month == month, own.run_id == run.id)
    )


def _answered(run: EarlierRun) -> Select[int]:
    """The messages that somebody answered. A stop is an answer, too."""
    found: Select[Any] = select(ReplyRow.message_id).where(*_replies_to(run))
    return found


def _replies_to(run: EarlierRun) -> tuple[ColumnElement[bool], ...]:
    in_months = or_(*(ReplyRow.in_month == literal(month) for month in run.reply_months or (run.month,)))
    return in_months, ReplyRow.month == literal(run.month), ReplyRow.message_id.is_not(None)


def _select_said(runs: Sequence[EarlierRun], said: Meaning) -> Select[int]:
    """Those whose last yes or no to what these texts asked, before it closed, was this."""
    given = gather_given(_list_asked(runs), gather_asked(_by_month(runs)))
    last = (
        select(given.c.person_id, given.c.said)
        .where(given.c.said.in_((Meaning.yes, Meaning.no)), ~given.c.is_late)
        .ext(distinct_on(given.c.person_id))
        .order_by(given.c.person_id, given.c.at.desc(), given.c.id.desc())
        .subquery("last")
    )
    return select(last.c.person_id).where(last.c.said == said)


def _select_unanswered(runs: Sequence[EarlierRun]) -> Select[int]:
    """Those whom the last question of these texts reached, and who said nothing to it before it closed."""
    questions = _list_asked(runs)[-1:]
    asked = gather_asked(_by_month([run for run in runs if run.question_id in questions]))
    given = gather_given(questions, asked)
    heard = select(given.c.person_id).where(~given.c.is_late)
    return select(asked.c.person_id).where(asked.c.reached, asked.c.person_id.not_in(heard))


def _list_asked(runs: Sequence[EarlierRun]) -> list[int]:
    return sorted({run.question_id for run in runs if run.question_id is not None})


def _by_month(runs: Sequence[EarlierRun]) -> dict[date, list[int]]:
    months: dict[date, list[int]] = {}
    for run in runs:
        months.setdefault(run.month, []).append(run.id)
    return months


def _months(since: date | None, until: date) -> tuple[date, ...]:
    """The first days of the months from one day to another, by UTC, as replies lie in them."""
    if since is None:
        return ()
    first, last = since.year * 12 + since.month - 1, until.year * 12 + until.month - 1
    return tuple(date(month // 12, month % 12 + 1, 1) for month in range(first, last + 1))


install_earlier_campaigns(EarlierTexts())
