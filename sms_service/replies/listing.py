"""Replies to be read, each within the scope of whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, cast, false, func, or_, select

from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Person, Unit
from sms_service.replies.models import ReplyRow

MEANINGS = ("stop",)


def find_replies(
    paths: Sequence[str],
    *,
    strangers: bool,
    meaning: str | None = None,
    account: str | None = None,
    has_phone: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[*tuple[Any, ...]]:
    """The replies of people of the units that are now under `paths`, to be ordered and paged: `ReplyRow`, the gateway
    account's name (`account`), the person's present name (`person`). `strangers`: also those that match nobody. A long
    reply is one, once all its parts are there. `has_phone` False: only those whose sender cannot be read as a phone.
    `since` (inclusive) and `until` (exclusive) bound when they came in.
    """
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    its_unit = cast(func.split_part(func.rtrim(ReplyRow.unit_path, "/"), "/", -1), BigInteger)
    statement: Select[*tuple[Any, ...]] = (
        select(ReplyRow, GatewayAccount.name.label("account"), Person.name.label("person"))
        .join(GatewayAccount, GatewayAccount.id == ReplyRow.gateway_account_id)
        .outerjoin(Person, Person.id == ReplyRow.person_id)
        .outerjoin(Unit, Unit.id == its_unit)
        .where(ReplyRow.joined_to.is_(None))
        .where(or_(within, ReplyRow.unit_path.is_(None)) if strangers else within)
    )
    if meaning is not None:
        statement = statement.where(ReplyRow.meaning == meaning)
    if account is not None:
        statement = statement.where(GatewayAccount.name == account)
    if has_phone is not None:
        statement = statement.where(ReplyRow.sender.is_(None) if has_phone else ReplyRow.sender.is_not(None))
    if since is not None:
        statement = statement.where(ReplyRow.received_at >= since)
    if until is not None:
        statement = statement.where(ReplyRow.received_at < until)
    return statement
