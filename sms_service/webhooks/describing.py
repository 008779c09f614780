"""What webhooks are told of a happening: ids, names of units and campaigns, statuses and masked phones; never a text, a
whole phone or a name of a person.

It is described once, after the transaction in which it happened has committed, and kept: each try and each webhook gets
the same. What the target is since then is in the kind; the rest is as the target stands when it is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.directory.import_models import Import
from sms_service.directory.models import Unit
from sms_service.ledger.models import Message, Run
from sms_service.masking import mask_phone
from sms_service.replies.models import ReplyRow

WHOLE_TREE = "/"  # the path of what belongs to no unit; it concerns the tops of the tree alone


class Described(NamedTuple):
    """The path of the unit that a happening concerns, and what is told of it."""

    unit_path: str
    data: dict[str, Any]


def describe_happenings(session: Session, rows: Sequence[Any]) -> dict[int, Described]:
    """What is told of these happenings (`id`, `kind`, `month`, `target_id`, `reason`), by id. What is not there any
    more, or belongs to no campaign, is left out.
    """
    found: dict[int, Described] = {}
    for area, of_area in groupby(sorted(rows, key=_area), key=_area):
        alike = list(of_area)
        targets = _FIND[area](session, alike)
        for row in alike:
            if (target := targets.get(row.target_id)) is not None:
                data = {**target.data, "status": row.kind.partition(".")[2]}
                found[row.id] = Described(target.unit_path, data | _why(area, row.reason))
    return found


def write_body(uid: object, kind: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a POST, with the names of fields that Standard Webhooks has."""
    return {"id": str(uid), "type": kind, "timestamp": at.isoformat(), "data": data}


def _area(row: Any) -> str:
    return str(row.kind).partition(".")[0]


def _why(area: str, reason: str | None) -> dict[str, str | None]:
    match area:
        case "run":
            return {"held_for": reason}
        case "message":
            return {"reason": reason}
    return {}


def _find_runs(session: Session, rows: Iterable[Any]) -> dict[int, Described]:
    statement = (
        select(Run, Campaign.name.label("campaign"), Unit.name.label("unit"), Unit.path)
        .join(Campaign, Campaign.id == Run.campaign_id)
        .join(Unit, Unit.id == Run.unit_id)
        .where(Run.id.in_({row.target_id for row in rows}))
    )
    return {
        row.Run.id: Described(
            row.path,
            {
                **_of_unit(row.Run.unit_id, row.unit),
                "run_id": row.Run.id,
                "campaign_id": row.Run.campaign_id,
                "campaign": row.campaign,
                "item": row.Run.item,
                "firing": row.Run.firing,
                "due_at": _moment(row.Run.due_at),
                "launched_at": _moment(row.Run.launched_at),
                "audience": row.Run.audience,
            },
        )
        for row in session.execute(statement)
    }


def _find_messages(session: Session, rows: Sequence[Any]) -> dict[int, Described]:
    statement = (
        select(
            *(Message.id, Message.month, Message.person_id, Message.unit_id, Message.unit_path, Message.phone),
            *(Message.run_id, Run.campaign_id, Campaign.name.label("campaign"), Unit.name.label("unit")),
        )
        .join(Run, Run.id == Message.run_id)
        .join(Campaign, Campaign.id == Run.campaign_id)  # a text of no campaign is nobody's business but its owner's
        .join(Unit, Unit.id == Message.unit_id)
        .where(Message.month.in_({row.month for row in rows}), Message.id.in_({row.target_id for row in rows}))
    )
    return {
        row.id: Described(
            row.unit_path,
            {
                **_of_unit(row.unit_id, row.unit),
                "message_id": row.id,
                "run_id": row.run_id,
                "campaign_id": row.campaign_id,
                "campaign": row.campaign,
                "person_id": row.person_id,
                "phone": row.phone and mask_phone(row.phone),
            },
        )
        for row in session.execute(statement)
    }


def _find_replies(session: Session, rows: Sequence[Any]) -> dict[int, Described]:
    its_unit = cast(func.split_part(func.rtrim(ReplyRow.unit_path, "/"), "/", -1), BigInteger)
    statement = (
        select(ReplyRow, Unit.id.label("unit_id"), Unit.name.label("unit"), Unit.path, Run.campaign_id)
        .add_columns(Message.run_id)
        .outerjoin(Unit, Unit.id == its_unit)
        .outerjoin(Message, (Message.month == ReplyRow.month) & (Message.id == ReplyRow.message_id))
        .outerjoin(Run, Run.id == Message.run_id)
        .where(ReplyRow.in_month.in_({row.month for row in rows}), ReplyRow.id.in_({row.target_id for row in rows}))
    )
    return {
        row.ReplyRow.id: Described(
            row.path or WHOLE_TREE,
            {
                **_of_unit(row.unit_id, row.unit),
                "reply_id": row.ReplyRow.id,
                "received_at": _moment(row.ReplyRow.received_at),
                "meaning": row.ReplyRow.meaning,
                "rule": row.ReplyRow.rule,
                "question_id": row.ReplyRow.question_id,
                "message_id": row.ReplyRow.message_id,
                "run_id": row.run_id,
                "campaign_id": row.campaign_id,
                "person_id": row.ReplyRow.person_id,
                "phone": row.ReplyRow.phone and mask_phone(row.ReplyRow.phone),
            },
        )
        for row in session.execute(statement)
    }


def _find_approvals(session: Session, rows: Iterable[Any]) -> dict[int, Described]:
    statement = (
        select(Campaign, Unit.name.label("unit"), Unit.path)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.id.in_({row.target_id for row in rows}))
    )
    return {
        row.Campaign.id: Described(
            row.path,
            {
                **_of_unit(row.Campaign.unit_id, row.unit),
                "campaign_id": row.Campaign.id,
                "campaign": row.Campaign.name,
                "kind": row.Campaign.kind,
            },
        )
        for row in session.execute(statement)
    }


def _find_imports(session: Session, rows: Iterable[Any]) -> dict[int, Described]:
    statement = (
        select(Import, Unit.name.label("unit"), Unit.path)
        .outerjoin(Unit, Unit.id == Import.unit_id)
        .where(Import.id.in_({row.target_id for row in rows}))
    )
    counts = ("rows", "created", "changed", "moved", "unchanged", "refused")
    return {
        row.Import.id: Described(
            row.path or WHOLE_TREE,
            {
                **_of_unit(row.Import.unit_id, row.unit),
                "import_id": row.Import.id,
                "kind": row.Import.kind,
                **{name: getattr(row.Import, name) for name in counts},
            },
        )
        for row in session.execute(statement)
    }


def _of_unit(unit_id: int | None, name: str | None) -> dict[str, Any]:
    return {"unit_id": unit_id, "unit": name}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


_FIND: Mapping[str, Callable[[Session, Sequence[Any]], dict[int, Described]]] = {
    "run": _find_runs,
    "message": _find_messages,
    "reply": _find_replies,
    "approval": _find_approvals,
    "import": _find_imports,
}
