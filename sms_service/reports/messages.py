"""The rows behind every number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, false, func, literal, null, or_, select, tuple_, union_all
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Person, Unit
from sms_service.errors import Conflict, Forbidden, NotFound
from sms_service.ledger.archived import list_archived_months, require_unarchived, say_archived
from sms_service.ledger.models import Attempt, Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.reports.filters import Filter
from sms_service.reports.open_rows import unknown_attempts, with_unclassified
from sms_service.reports.parts import parts_taken
from sms_service.said import as_said, say


def find_messages(rows: Filter) -> Select[*tuple[Any, ...]]:
    """The ledger rows that `counts` counts for the same filter, to be ordered and paged.

    Each comes as Message, with its person's and unit's present names (`person`, `unit`), `campaign_id` and the
    campaign's name (`campaign`), the gateway account's name (`account`) and the parts of its accepted attempts
    (`parts_taken`). Whoever shows it hides what is personal from those who may not read the unit where it is by now, at
    the path `unit_now`.
    """
    return _rows().where(*rows.conditions())


def find_open_keys(rows: Filter) -> Select[*tuple[Any, ...]] | None:
    """Of a filter whose rows are few among all that was ever sent, the keys of its rows, to be ordered and paged by
    (`month`, `id`); None of any other filter.

    Unknown rows of whatever run are found by the unknown attempts, those with a code that no table has by such attempts
    and receipts: a page costs what is open now, and what is shown of a row is read for the rows of the page alone.
    """
    if rows.run_id is not None or (rows.status != MessageStatus.unknown and rows.unclassified is None):
        return None
    rest, same = rows, list[ColumnElement[bool]]()
    if rows.unclassified is not None:
        open_ = with_unclassified(rows.unclassified, rows.account)
        rest = replace(rows, unclassified=None, account=None)
    else:
        open_ = unknown_attempts(rows.account)
        same.append(open_.c.number == Message.attempts)
    keys: Select[*tuple[Any, ...]] = (
        select(open_.c.month.label("month"), open_.c.message_id.label("id"))
        .join(Message, (Message.month == open_.c.month) & (Message.id == open_.c.message_id))
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
        .where(*rest.conditions(), *same)
    )
    return keys


def read_messages(session: Session, keys: Sequence[tuple[date, int]]) -> list[Row[Any]]:
    """The rows with these keys, (month, id), as `find_messages` gives them, in this order."""
    if not keys:
        return []
    named = Message.month.in_({month for month, _ in keys}) & tuple_(Message.month, Message.id).in_(keys)
    found = {row.Message.id: row for row in session.execute(_rows().where(named))}
    return [found[id_] for _, id_ in keys if id_ in found]


def find_look_ups(session: Session, messages: Collection[Message]) -> Mapping[int, datetime | None]:
    """When the provider was last asked about the latest attempt of each of these messages, by the message's id."""
    keys = [(message.month, message.id, message.attempts) for message in messages]
    latest = select(Attempt.message_id, Attempt.looked_up_at).where(
        Attempt.month.in_({month for month, _, _ in keys}),
        tuple_(Attempt.month, Attempt.message_id, Attempt.number).in_(keys),
    )
    return dict(session.execute(latest).all())


def count_rows(session: Session, rows: Filter, most: int) -> int:
    """How many rows `find_messages` finds; `most` + 1 where there are more, so that it costs no more than that. Raises
    Conflict where some are archived.
    """
    found = find_open_keys(rows)
    if found is None:
        require_unarchived(session, *rows.of_runs())
        found = find_messages(rows).with_only_columns(literal(1), maintain_column_froms=True)
    some = found.limit(most + 1).subquery()
    return int(session.scalars(select(func.count()).select_from(some)).one())


def get_message(session: Session, actor: Actor, message_id: int) -> tuple[Row[Any], Sequence[Row[Any]]]:
    """A row as `find_messages` gives it, and its attempts, (Attempt, account), by number.

    Raises NotFound, Forbidden, or Conflict where it may be archived.
    """
    # Ids are unique over all months, but a month is how a partition and its index are found.
    months = select(Run.month).distinct().subquery()
    found = session.execute(
        _rows().join(months, months.c.month == Message.month).where(Message.id == message_id)
    ).first()
    if found is None:
        if archived := list_archived_months(session):
            reason = "message {id} is not in the database, and {archived}"
            raise Conflict(say(reason, id=str(message_id), archived=say_archived(archived)))
        raise NotFound("message", message_id)
    message: Message = found.Message
    actor.require(Permission.read, found.unit_now)
    return found, list_attempts(session, [(message.month, message.id)])


def list_attempts(session: Session, keys: Collection[tuple[date, int]]) -> Sequence[Row[Any]]:
    """The attempts of the messages with these keys, (month, id), as (Attempt, account), each message's by number."""
    if not keys:
        return ()
    statement: Select[*tuple[Any, ...]] = (
        select(Attempt, GatewayAccount.name.label("account"))
        .join(GatewayAccount, GatewayAccount.id == Attempt.gateway_account_id)
        .where(Attempt.month.in_({month for month, _ in keys}), tuple_(Attempt.month, Attempt.message_id).in_(keys))
        .order_by(Attempt.message_id, Attempt.number)
    )
    return session.execute(statement).all()


def latest_texts(session: Session, actor: Actor, person: Person, most: int = 10) -> Sequence[Row[Any]]:
    """What runs of the person's unit and of those above it did about them lately, the newest first, within what the
    actor may read: (Message, campaign, campaign_id, kind, launched_at).

    Of the last hundred runs of those units: no index finds a person's rows in all of them.
    """
    path = unit_path(session, person.unit_id)
    above = [path[: end + 1] for end, sign in enumerate(path) if sign == "/" and end > 0]
    runs = select(Run).where(Run.unit_path.in_(above)).order_by(Run.id.desc()).limit(100).subquery()
    run = aliased(Run, runs)
    statement: Select[*tuple[Any, ...]] = (
        select(Message, Campaign.name.label("campaign"), run.campaign_id, run.kind, run.launched_at)
        .join(Message, (Message.run_id == run.id) & (Message.month == run.month) & (Message.person_id == person.id))
        .outerjoin(Campaign, Campaign.id == run.campaign_id)
        .join(Unit, Unit.id == Message.unit_id)
        .where(or_(false(), *(Unit.path.op("^@")(held) for held in actor.scope(Permission.read))))
        .order_by(run.id.desc(), Message.id.desc())
        .limit(most)
    )
    return session.execute(statement).all()


def month_of_run(session: Session, run_id: int) -> date:
    """The month whose partition holds all messages of the run."""
    return session.scalars(select(Run.month).where(Run.id == run_id)).one()


def check_named(session: Session, actor: Actor, rows: Filter) -> str | None:
    """Refuse a filter that names a campaign, run or account which does not exist, or a campaign or run of another part
    of the tree, now and at its launch: nothing of it could be counted in the actor's scope, and an empty answer would
    say that there is nothing. Returns what the campaign is called, if one is named.

    Raises NotFound or Forbidden.
    """
    called: str | None = None
    for kind, name in ((as_said("campaign"), rows.campaign_id), (as_said("run"), rows.run_id)):
        if name is None:
            continue
        table = Run if kind == "run" else Campaign
        own = null() if kind == "run" else Campaign.name
        now: Select[*tuple[Any, ...]] = (
            select(Unit.path, own.label("name")).join(table, table.unit_id == Unit.id).where(table.id == name)
        )
        then = select(Run.unit_path, null()).where((Run.id if kind == "run" else Run.campaign_id) == name)
        found: Sequence[Row[*tuple[Any, ...]]] = session.execute(union_all(now, then)).all()
        if not found:
            raise NotFound(kind, name)
        called = called or next((row.name for row in found if row.name), None)
        if not any(_meet(held, row.path) for held in actor.scope(Permission.read) for row in found):
            raise Forbidden(
                say(
                    "{login} holds no role on the unit of {kind} {name}, nor above or below it",
                    login=actor.login,
                    kind=kind,
                    name=name,
                )
            )
    if rows.account:
        known = session.scalar(select(GatewayAccount.id).where(GatewayAccount.name == rows.account))
        if known is None:
            raise NotFound("gateway account", rows.account)
    return called


def _meet(held: str, path: str) -> bool:
    """Whether the unit at `held` is, or is above or below, the one that is or was at `path`."""
    own = held.strip("/").rpartition("/")[2]
    return held.startswith(path) or held == "/" or f"/{own}/" in path


def _rows() -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = (
        select(
            Message,
            Run.campaign_id.label("campaign_id"),
            Run.kind.label("kind"),
            case((Run.hides_text, null()), else_=Message.text).label("text"),
            Run.hides_text.label("hides_text"),
            Campaign.name.label("campaign"),
            Person.name.label("person"),
            Unit.name.label("unit"),
            func.coalesce(Unit.path, Message.unit_path).label("unit_now"),
            GatewayAccount.name.label("account"),
            parts_taken().label("parts_taken"),
        )
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(Campaign, Campaign.id == Run.campaign_id)
        .outerjoin(Person, Person.id == Message.person_id)
        .outerjoin(Unit, Unit.id == Message.unit_id)
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
    )
    return statement
