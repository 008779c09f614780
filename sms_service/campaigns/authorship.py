"""Who had a hand in a campaign, and who therefore may not decide on it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, cast, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign, Decision

AUTHORSHIP = (
    *("campaign.create", "campaign.change", "campaign.submit"),
    *("event.move", "item.change", "item.insert", "item.move"),
)


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


def select_authors(campaign: Campaign) -> Select[int | None]:
    """The accounts of everybody who had a hand in it; None for the service itself."""
    return select(TrailEntry.account_id).where(*_hand_in(campaign))


def is_of_others(actor: Actor) -> ColumnElement[bool]:
    """SQL over Campaign: the trail does not name the actor's own account as one of its authors, nor has the actor
    approved it since it was submitted last.
    """
    own = select(TrailEntry.id).where(
        TrailEntry.target_kind == "campaign",
        TrailEntry.target_id == cast(Campaign.id, Text),
        TrailEntry.act.in_(AUTHORSHIP),
        TrailEntry.account_id == actor.account_id,
    )
    decided = select(Decision.id).where(
        Decision.campaign_id == Campaign.id,
        Decision.submission == Campaign.submissions,
        Decision.account_id == actor.account_id,
    )
    # The query around them may ask the trail and the decisions too.
    return ~own.correlate_except(TrailEntry).exists() & ~decided.correlate_except(Decision).exists()


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


def is_one_person(account_id: int, authors: Collection[int], behind: dict[int, set[int]]) -> bool:
    """Whether the account could be that of the same person as one of the others, by `people_behind` all of them."""
    return bool(behind[account_id] & set(authors)) or any(account_id in behind[author] for author in authors)
