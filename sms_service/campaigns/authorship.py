"""Who had a hand in a campaign, and who therefore may not decide on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Text, cast, exists, literal, null, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, people_behind
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.accounts.services import select_holders
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign
from sms_service.said import Said, say

AUTHORSHIP = ("campaign.create", "campaign.change", "campaign.submit")


class Authored(NamedTuple):
    """Somebody wrote, changed or submitted a campaign. `name`: None for the service itself."""

    account_id: int | None
    name: str | None
    act: str
    at: datetime


def list_authors(session: Session, campaign: Campaign) -> list[Authored]:
    """Each act by which somebody had a hand in the campaign, as the trail has them, oldest first."""
    rows = session.execute(
        select(TrailEntry.account_id, Account.name, TrailEntry.act, TrailEntry.at)
        .outerjoin(Account, Account.id == TrailEntry.account_id)
        .where(*_hand_in(campaign))
        .order_by(TrailEntry.id)
    )
    return [Authored(*row) for row in rows]


def say_why_not(session: Session, actor: Actor, campaign: Campaign, authored: Sequence[Authored]) -> Said | None:
    """Why this actor may not decide on the campaign, although they may on others of its unit; None: they may.

    They may not if they wrote, changed or submitted it, or if their owner could have logged in as an author, or an
    author as them. Otherwise an administrator could create an approver and approve their own text.
    """
    if actor.account_id is None:
        return None
    authors = {one.account_id for one in authored} | {campaign.created_by}
    authors.discard(None)
    if actor.account_id in authors:
        return say(
            "{login} had a hand in campaign {campaign}; another person must decide on it",
            login=actor.login,
            campaign=campaign.id,
        )
    known = {author for author in authors if author is not None}
    if _is_one_person(actor.account_id, known, people_behind(session, {actor.account_id, *known})):
        return say(
            "{login} is no other person than who wrote campaign {campaign}: one of the two created the other's "
            "account or set its password, or did so for an account that did; another approver must decide on it",
            login=actor.login,
            campaign=campaign.id,
        )
    return None


def is_of_others(actor: Actor) -> ColumnElement[bool]:
    """SQL over Campaign: the trail does not name the actor's own account as one of its authors."""
    own = exists().where(
        TrailEntry.target_kind == "campaign",
        TrailEntry.target_id == cast(Campaign.id, Text),
        TrailEntry.act.in_(AUTHORSHIP),
        TrailEntry.account_id == actor.account_id,
    )
    return ~own


def find_approvers(
    session: Session, campaign: Campaign, path: str, submitter: int | None = None, most: int = 3
) -> list[str]:
    """The names of people who may decide on the campaign of the unit at `path`, the nearest first. `submitter`: the
    account that is about to submit it and so has a hand in it.
    """
    wrote = select(TrailEntry.account_id, cast(null(), Text), literal(0)).where(*_hand_in(campaign))
    holders = select_holders(Permission.approve_campaigns, path)
    rows: list[tuple[int | None, str | None, int]] = [tuple(row) for row in session.execute(wrote.union_all(holders))]  # type: ignore[misc]
    authors = {account_id for account_id, name, _ in rows if name is None} | {campaign.created_by, submitter}
    known = {author for author in authors if author is not None}
    names = {account_id: name for account_id, name, _ in rows if account_id is not None and name is not None}
    nearness = {one: max(near for account_id, _, near in rows if account_id == one) for one in names}
    behind = people_behind(session, {*known, *names})
    able = [one for one in names if one not in known and not _is_one_person(one, known, behind)]
    return [names[one] for one in sorted(able, key=lambda one: (-nearness[one], one))[:most]]


def find_last_change(session: Session, segment_id: int) -> str | None:
    """The name of who changed the segment last; None: nobody did, or the service itself."""
    return session.scalar(
        select(Account.name)
        .join(TrailEntry, TrailEntry.account_id == Account.id)
        .where(
            TrailEntry.target_kind == "segment",
            TrailEntry.target_id == str(segment_id),
            TrailEntry.act == "segment.change",
        )
        .order_by(TrailEntry.id.desc())
        .limit(1)
    )


def _hand_in(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    return (
        TrailEntry.target_kind == "campaign",
        TrailEntry.target_id == str(campaign.id),
        TrailEntry.act.in_(AUTHORSHIP),
    )


def _is_one_person(account_id: int, authors: Collection[int], behind: dict[int, set[int]]) -> bool:
    return bool(behind[account_id] & set(authors)) or any(account_id in behind[author] for author in authors)
