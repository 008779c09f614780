"""The units' inbox: replies that no rule settles, until somebody has seen to them.

Whoever writes for a unit sees to what its people wrote; replies of nobody known are for those who may do it everywhere.
Each act says in which state its actor saw the reply (`describe_state`), and is refused if it is in another one by now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.accounts.actors import Actor, load_actor
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.accounts.services import select_holders
from sms_service.audit import trail
from sms_service.db.locks import LockKey, share_lock
from sms_service.db.statements import Statement
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.directory.models import Person, Unit
from sms_service.directory.phones import read_phone
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere, top_paths
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from sms_service.replies.listing import find_replies, may_read_strangers, unit_id_of
from sms_service.replies.models import ReplyRow
from sms_service.said import say
from sms_service.vocabulary import InboxStatus

LOCK_REPLY = Statement(__file__, "lock_reply")

OPEN = (InboxStatus.unread, InboxStatus.assigned)
_MOST_ASSIGNEES = 50


class Assignee(NamedTuple):
    """An account that may see to a reply."""

    id: int
    name: str


def find_inbox(
    paths: Sequence[str],
    *,
    strangers: bool,
    status: str | None = None,
    campaign: int | None = None,
    assigned_to: int | None = None,
    wanted: str | None = None,
) -> Select[*tuple[Any, ...]]:
    """The replies of the inboxes of the units that are now under `paths`, as rows of `find_replies` with the unit's
    `path` and the name of whoever it is assigned to (`assignee`), to be ordered and paged. `wanted`: only those from
    this phone, from people whose names begin so, or with these words.
    """
    assignee = aliased(Account)
    found = (
        find_replies(paths, strangers=strangers, campaign=campaign)
        .add_columns(Unit.path.label("path"), assignee.name.label("assignee"))
        .outerjoin(assignee, assignee.id == ReplyRow.assigned_to)
    )
    known = [status] if status is not None else [one.value for one in InboxStatus]
    found = found.where(ReplyRow.inbox_status.in_(known))
    if assigned_to is not None:
        found = found.where(ReplyRow.assigned_to == assigned_to)
    return found if wanted is None else found.where(_is_wanted(wanted))


def get_inbox_reply(session: Session, actor: Actor, reply_id: int) -> Any:
    """One reply of an inbox as a row of `find_inbox`, with its `Person` and `Unit`. Raises NotFound or Forbidden."""
    found = find_inbox(["/"], strangers=True).add_columns(Person, Unit)
    row = session.execute(found.where(ReplyRow.id == reply_id)).one_or_none()
    if row is None:
        raise NotFound("reply of an inbox", reply_id)
    if row.path is not None:
        actor.require(Permission.read, row.path)
    elif not may_read_strangers(session, actor):
        raise Forbidden("only who may read everything reads replies of nobody known")
    return row


def describe_state(reply: ReplyRow) -> str:
    """The state in which somebody sees a reply: what became of it, and whom it is assigned to."""
    return f"{reply.inbox_status}{'' if reply.assigned_to is None else f':{reply.assigned_to}'}"


def may_see_to(session: Session, actor: Actor, row: Any) -> bool:
    """Whether the actor may assign, answer and close this reply."""
    try:
        require_on_reply(session, actor, row)
    except ServiceError:
        return False
    return True


def may_see_to_strangers(session: Session, actor: Actor) -> bool:
    """Whether the actor may see to replies that match nobody: whoever writes for everybody."""
    return all(actor.can(Permission.edit_campaigns, path) for path in top_paths(session))


def require_on_reply(session: Session, actor: Actor, row: Any) -> str:
    """The path of the unit whose reply it is. Raises Forbidden unless the actor writes for it."""
    if row.path is None:
        return require_everywhere(session, actor, Permission.edit_campaigns)
    actor.require(Permission.edit_campaigns, row.path)
    return str(row.path)


def list_assignees(session: Session, row: Any) -> list[Assignee]:
    """The accounts that may see to the reply, those of the nearest unit first."""
    path = row.path or top_paths(session)[0]
    rows = session.execute(select_holders(Permission.edit_campaigns, path)).all()
    nearest = sorted(rows, key=lambda one: (-one[2], one[1], one[0]))
    return list(dict.fromkeys(Assignee(one[0], one[1]) for one in nearest))[:_MOST_ASSIGNEES]


def assign_reply(session: Session, actor: Actor, reply_id: int, assignee_id: int | None, seen: str) -> None:
    """Ask an account to see to the reply; None: nobody any more, so that it is unread again.

    Raises NotFound, Forbidden, Invalid (`assignee_id`) for who may not see to it, or Conflict.
    """
    row = get_inbox_reply(session, actor, reply_id)
    path = require_on_reply(session, actor, row)
    if assignee_id is not None and not _may_be_asked(session, assignee_id, row):
        raise Invalid("assignee_id", assignee_id, "must be an account that writes for the reply's unit")
    status = InboxStatus.unread if assignee_id is None else InboxStatus.assigned
    changes = {"assigned_to": [row.ReplyRow.assigned_to, assignee_id]}
    change_in_inbox(session, row, seen, OPEN, inbox_status=status.value, assigned_to=assignee_id)
    details = {"to": assignee_id, "changes": changes}
    trail.record_act(session, actor.account_id, "reply.assign", "reply", reply_id, path, **details)


def close_reply(session: Session, actor: Actor, reply_id: int, seen: str, why: str | None = None) -> None:
    """Nothing more is to be done about the reply; `why`: in a word, kept in the trail.

    Raises NotFound, Forbidden, Invalid (`why`) or Conflict.
    """
    row = get_inbox_reply(session, actor, reply_id)
    path = require_on_reply(session, actor, row)
    details = {} if why is None else {"why": required_line("why", why, LONGEST_WHY)}
    change_in_inbox(session, row, seen, OPEN, inbox_status=InboxStatus.closed.value)
    trail.record_act(session, actor.account_id, "reply.close", "reply", reply_id, path, **details)


def reopen_reply(session: Session, actor: Actor, reply_id: int, seen: str) -> None:
    """See to the reply again: whoever it was assigned to, or everybody. Raises NotFound, Forbidden or Conflict."""
    row = get_inbox_reply(session, actor, reply_id)
    path = require_on_reply(session, actor, row)
    status = InboxStatus.unread if row.ReplyRow.assigned_to is None else InboxStatus.assigned
    over = (InboxStatus.answered, InboxStatus.closed)
    change_in_inbox(session, row, seen, over, inbox_status=status.value)
    trail.record_act(session, actor.account_id, "reply.reopen", "reply", reply_id, path)


def change_in_inbox(session: Session, row: Any, seen: str, before: Sequence[InboxStatus], **values: Any) -> None:
    """Change what became of the reply, if it is still as the actor saw it. Raises Conflict if it is not, or if it is
    none of `before`.
    """
    reply: ReplyRow = row.ReplyRow
    lock_reply(session, reply)
    if describe_state(reply) != seen or reply.inbox_status not in before:
        raise Conflict(_say_changed(session, reply))
    for name, value in values.items():
        setattr(reply, name, value)
    session.flush()


def lock_reply(session: Session, reply: ReplyRow) -> None:
    """Let nobody else change the reply until the commit, and read it as it stands now."""
    share_lock(session, LockKey.erase_person)  # before the reply, as whoever erases a person
    LOCK_REPLY(session.connection(), in_month=reply.in_month, id=reply.id)
    session.refresh(reply)


def count_open_replies(
    session: Session, paths: Sequence[str], *, strangers: bool, mine: int | None
) -> Mapping[str, int]:
    """How many replies are unread, how many are assigned, and, as `mine`, how many of these to this account."""
    found = find_inbox(paths, strangers=strangers).where(ReplyRow.inbox_status.in_([one.value for one in OPEN]))
    is_mine = (ReplyRow.inbox_status == InboxStatus.assigned, ReplyRow.assigned_to == (mine or 0))
    numbers = (func.count(), func.count().filter(*is_mine))
    counted = found.with_only_columns(ReplyRow.inbox_status, *numbers, maintain_column_froms=True)
    rows = session.execute(counted.group_by(ReplyRow.inbox_status)).all()
    return {str(row[0]): row[1] for row in rows} | {"mine": sum(row[2] for row in rows)}


def count_unread(actor: Actor) -> Waiting | None:
    """The unread replies that the actor may see to, as a task; None: there can be none."""
    waiting = _count_seen_to(actor)
    return None if waiting is None else waiting.where(ReplyRow.inbox_status == InboxStatus.unread)


def count_assigned(actor: Actor) -> Waiting | None:
    """The replies that are assigned to the actor, likewise."""
    waiting = _count_seen_to(actor)
    if waiting is None or actor.account_id is None:
        return None
    return waiting.where(ReplyRow.inbox_status == InboxStatus.assigned, ReplyRow.assigned_to == actor.account_id)


def _count_seen_to(actor: Actor) -> Waiting | None:
    """Those that the actor may see to, whatever became of them."""
    paths = actor.scope(Permission.edit_campaigns)
    if not paths:
        return None
    top = aliased(Unit)
    held = or_(*(top.path.op("^@", is_comparison=True)(path) for path in paths))
    elsewhere = select(top.id).where(top.parent_id.is_(None), ~held)
    within = or_(*(Unit.path.op("^@")(path) for path in paths), ReplyRow.unit_path.is_(None) & ~elsewhere.exists())
    waiting = select_waiting(ReplyRow.id, ReplyRow.received_at.expression).outerjoin(Unit, Unit.id == unit_id_of())
    return waiting.where(within)


def _is_wanted(wanted: str) -> ColumnElement[bool]:
    said = ReplyRow.text.contains(wanted, autoescape=True) | Person.name.startswith(wanted, autoescape=True)
    phone = read_phone(wanted).phone
    return said if phone is None else said | (ReplyRow.phone == phone)


def _may_be_asked(session: Session, assignee_id: int, row: Any) -> bool:
    try:
        return may_see_to(session, load_actor(session, assignee_id), row)
    except (NotFound, Forbidden):
        return False


def _say_changed(session: Session, reply: ReplyRow) -> str:
    """Who changed the reply last, when, and what it is now."""
    last = trail.find_last_act(session, "reply", str(reply.id))
    status = InboxStatus(reply.inbox_status or "")
    if last is None:
        return say("this reply is not as you saw it: it is {status} now; look at it again", status=status)
    who = None if last[0] is None else session.get_one(Account, last[0]).name
    said = "{who} changed this reply at {at}: it is {status} now; look at it again"
    return say(said, who=who or "the service", at=f"{last[1]:%Y-%m-%d %H:%M:%S %Z}", status=status)
