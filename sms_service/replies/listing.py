"""Replies to be read, each within the scope of whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, cast, false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import top_paths
from sms_service.ledger.archived import find_archived_months, require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.replies.models import ReplyRow


def may_read_strangers(session: Session, actor: Actor) -> bool:
    """Whether the actor may read replies that match nobody: whoever may read everything."""
    return all(actor.can(Permission.read, path) for path in top_paths(session))


class AnsweredCampaign(NamedTuple):
    """The campaign whose text a reply answers, and the path of its unit."""

    id: int
    name: str
    path: str


def find_answered_campaigns(session: Session, rows: Sequence[ReplyRow]) -> dict[int, AnsweredCampaign]:
    """The campaigns whose texts these replies answer, by the text's id."""
    answered = {row.message_id: row.month for row in rows if row.message_id is not None}
    if not answered:
        return {}
    found = session.execute(
        select(Message.id, Campaign.id, Campaign.name, Unit.path)
        .join(Run, Run.id == Message.run_id)
        .join(Campaign, Campaign.id == Run.campaign_id)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Message.id.in_(answered), Message.month.in_(set(answered.values())))
    )
    return {row[0]: AnsweredCampaign(row[1], row[2], row[3]) for row in found}


def require_texts_of(session: Session, campaign_id: int | None) -> None:
    """Raises Conflict where texts of the campaign are archived: what answers them would not be found by it."""
    if campaign_id is not None:
        require_unarchived(session, Run.campaign_id == campaign_id)


def count_campaign_replies(session: Session, actor: Actor, campaign_id: int) -> int | None:
    """How many replies to texts of the campaign the actor may read: the rows of `find_replies` with this campaign. None
    where texts of it are archived.
    """
    if find_archived_months(session, Run.campaign_id == campaign_id):
        return None
    found = find_replies(actor.scope(Permission.read), strangers=False, campaign=campaign_id)
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0


def find_replies(
    paths: Sequence[str],
    *,
    strangers: bool,
    meaning: str | None = None,
    campaign: int | None = None,
    reply: int | None = None,
    account: str | None = None,
    has_phone: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[*tuple[Any, ...]]:
    """The replies of people of the units that are now under `paths`, to be ordered and paged: `ReplyRow`, the gateway
    account's name (`account`), the person's present name (`person`), the unit's name (`unit`). `strangers`: also those
    that match nobody. A long reply is one, once all its parts are there. `campaign`: only those that answer a text of
    this campaign. `reply`: only the one with this id. `has_phone` False: only those whose sender cannot be read as a
    phone. `since` (inclusive) and `until` (exclusive) bound when they came in.
    """
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    statement: Select[*tuple[Any, ...]] = (
        select(ReplyRow, GatewayAccount.name.label("account"), Person.name.label("person"), Unit.name.label("unit"))
        .join(GatewayAccount, GatewayAccount.id == ReplyRow.gateway_account_id)
        .outerjoin(Person, Person.id == ReplyRow.person_id)
        .outerjoin(Unit, Unit.id == unit_id_of())
        .where(ReplyRow.joined_to.is_(None))
        .where(or_(within, ReplyRow.unit_path.is_(None)) if strangers else within)
    )
    if meaning is not None:
        statement = statement.where(ReplyRow.meaning == meaning)
    if campaign is not None:
        answered = select(Message.id).join(Run, Run.id == Message.run_id)
        answered = answered.where(Message.id == ReplyRow.message_id, Message.month == ReplyRow.month)
        # Nobody answers a text before its run is launched; so what came before is not even looked at.
        launched = select(func.min(Run.launched_at)).where(Run.campaign_id == campaign).scalar_subquery()
        statement = statement.where(
            ReplyRow.received_at >= launched, answered.where(Run.campaign_id == campaign).exists()
        )
    if reply is not None:
        statement = statement.where(ReplyRow.id == reply)
    if account is not None:
        statement = statement.where(GatewayAccount.name == account)
    if has_phone is not None:
        statement = statement.where(ReplyRow.sender.is_(None) if has_phone else ReplyRow.sender.is_not(None))
    if since is not None:
        statement = statement.where(ReplyRow.received_at >= since)
    if until is not None:
        statement = statement.where(ReplyRow.received_at < until)
    return statement


def unit_id_of() -> ColumnElement[int]:
    """SQL over replies: the id of the unit that a reply belongs to; NULL where nobody is known."""
    return cast(func.split_part(func.rtrim(ReplyRow.unit_path, "/"), "/", -1), BigInteger)
