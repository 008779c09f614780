"""Telling accounts what waits for them: by a text of kind `notice` to their own phone, or by a post to a webhook
channel; once for each thing that is new.

The clock looks at a few accounts a second, each at most once a minute, and remembers in the transaction of the push
what it told. A kind of task is told at most once an hour, and nothing is told outside the window or on quiet days.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.accounts.models import Account
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.catalogues import get_catalogue
from sms_service.channels.owning import require_channel
from sms_service.channels.posts import post_push
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, Invalid, ServiceError
from sms_service.own_texts.models import OwnPurpose, PushSetting, PushWay, ToldTask
from sms_service.own_texts.phones import find_own_phone
from sms_service.own_texts.sending import count_own_texts, find_sender, is_window_open, send_own_text
from sms_service.reports.tasks import Task, TaskKind, find_single_approval, list_tasks
from sms_service.said import Said, say, translate
from sms_service.vocabulary import TextClass

AT_ONCE = 10  # accounts that are looked at in one tick of the clock
EVERY = timedelta(minutes=1)  # the soonest that the same account is looked at again
LATER = timedelta(minutes=10)  # where something keeps a push back
APART = timedelta(hours=1)  # between two pushes that name one kind
MOST_PUSHES = 20  # to an account in 24 hours
VALIDITY_S = 3600  # what has not left by then says what is not so any more

_OF_NOTICES = (TextClass.notice.value, "notice")  # class and kind of the run


def _(message: str) -> str:
    return message


# What a push says of each kind, and of one that has no words of its own yet.
_WORDS: Mapping[TaskKind, str] = {
    TaskKind.approval: _("{count} to approve"),
    TaskKind.returned: _("{count} returned to you"),
    TaskKind.held_run: _("{count} runs held"),
    TaskKind.breaker_open: _("{count} accounts paused by the breaker"),
    TaskKind.gateway_paused: _("{count} accounts paused"),
    TaskKind.unknown: _("{count} texts with an unknown outcome"),
    TaskKind.import_to_apply: _("{count} files to apply"),
    TaskKind.branch_without_contact: _("{count} branches without a contact"),
    TaskKind.lost_check: _("{count} people to look for"),
    TaskKind.quota: _("{count} quotas nearly used up"),
    TaskKind.post_to_forward: _("{count} posts to forward"),
    TaskKind.unknown_post: _("{count} posts to look for in their groups"),
    TaskKind.unread_reply: _("{count} replies to read"),
    TaskKind.assigned_reply: _("{count} replies for you to see to"),
}
_OTHERS = _("{count} others")


@dataclass(frozen=True, slots=True)
class Pushes:
    """How an account is told of its tasks, and of which kinds; `channel_id`: by which channel, of a webhook."""

    way: PushWay
    kinds: tuple[TaskKind, ...]
    channel_id: int | None = None


def get_pushes(session: Session, account_id: int) -> Pushes:
    """What the account has chosen; nothing is pushed to one that never did."""
    chosen = session.get(PushSetting, account_id)
    if chosen is None:
        return Pushes(PushWay.none, ())
    kinds = tuple(kind for kind in TaskKind if kind in chosen.kinds)
    return Pushes(PushWay(chosen.way), kinds, chosen.channel_id)


def set_pushes(
    session: Session, actor: Actor, way: PushWay, kinds: Collection[TaskKind], channel_id: int | None = None
) -> Pushes:
    """Choose how to be told, and of which kinds; what waits already is told at once. `channel_id` is for a webhook.

    Raises Forbidden for who is no account or may not post to the channel, Invalid (`kinds`, `channel_id`), NotFound
    (channel), or Conflict without a confirmed phone.
    """
    if actor.account_id is None:
        raise Forbidden("pushes go to an account; act as one")
    account = session.get_one(Account, actor.account_id, with_for_update={"key_share": True}, populate_existing=True)
    if way != PushWay.none and not kinds:
        raise Invalid("kinds", None, "choose at least one kind of task, or no pushes")
    if (way == PushWay.webhook) != (channel_id is not None):
        raise Invalid("channel_id", channel_id, "name a channel for a webhook, and for nothing else")
    if channel_id is not None:
        require_channel(session, actor, channel_id)
    if way == PushWay.text:
        known = find_own_phone(session, account.id)
        if known is None or known.confirmed_at is None:
            raise Conflict("confirm your own phone first: pushes go there")
    chosen = sorted(kind.value for kind in kinds)
    look_at = None if way == PushWay.none else session.scalars(select(func.sms_now())).one()
    values = {"way": way.value, "kinds": chosen, "look_at": look_at, "channel_id": channel_id}
    known_before = get_pushes(session, account.id)
    new = insert(PushSetting).values(account_id=account.id, **values)
    session.execute(new.on_conflict_do_update(index_elements=[PushSetting.account_id], set_=values))
    session.execute(delete(ToldTask).where(ToldTask.account_id == account.id, ToldTask.kind.not_in(chosen)))
    session.expire_all()
    path = session.get_one(Unit, account.unit_id).path
    before = {"way": known_before.way.value, "kinds": sorted(kind.value for kind in known_before.kinds)}
    details = {"changes": compare_before_after(before, {"way": way.value, "kinds": chosen})}
    trail.record_act(session, account.id, "own_phone.pushes", "account", account.id, path, **details)
    return get_pushes(session, account.id)


def push_tasks(database: Database, public_url: str) -> int:
    """Look at the accounts whose turn it is; returns to how many a push was written. `public_url`: where the pages
    are, without a slash at the end.
    """
    pushed = 0
    for _ in range(AT_ONCE):
        with database.session() as session:
            done = _push_next(session, public_url)
        if done is None:
            break
        pushed += done
    return pushed


def _push_next(session: Session, public_url: str) -> bool | None:
    """Look at the account whose turn it is, whose row another clock that does the same passes over; whether a push was
    written, None if it is nobody's turn.
    """
    row = session.execute(
        select(PushSetting, Account, Unit, func.sms_now().label("now"), is_window_open().label("is_open"))
        .add_columns(
            func.next_opening(Unit.path, Unit.timezone, Unit.window_opens, *_OF_NOTICES).label("opens_at"),
            func.is_quiet(Unit.path, Unit.timezone, *_OF_NOTICES).label("quiet"),
        )
        .join(Account, Account.id == PushSetting.account_id)
        .join(Unit, Unit.id == Account.unit_id)
        .where(PushSetting.look_at <= func.sms_now())
        .order_by(PushSetting.look_at)
        .limit(1)
        .with_for_update(of=PushSetting, skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    chosen: PushSetting = row.PushSetting
    now: datetime = row.now
    if not row.is_open or row.quiet:
        chosen.look_at = row.opens_at
        return False
    chosen.look_at = now + EVERY
    if row.Account.disabled_at is not None:
        chosen.look_at = now + LATER
        return False
    actor = load_actor(session, row.Account.id)
    tasks = list_tasks(session, actor, chosen.kinds)
    told = {one.kind: one for one in session.scalars(select(ToldTask).where(ToldTask.account_id == chosen.account_id))}
    open_ = [one for one in tasks if one.kind not in told or told[one.kind].told_at <= now - APART]
    pushed = any(_is_new(one, told.get(one.kind)) for one in open_)
    if pushed:
        try:
            with session.begin_nested():
                _send(session, actor, row.Account, row.Unit, open_, public_url, chosen.channel_id)
        except ServiceError:  # a stop, an opt-out, no phone any more: it is told once it can be
            chosen.look_at, pushed = now + LATER, False
    _remember(session, chosen.account_id, told, tasks, open_ if pushed else [], now)
    return pushed


def _is_new(task: Task, told: ToldTask | None) -> bool:
    """Whether something of it was not told: there are more, or the newest came later."""
    if told is None or task.number > told.number:
        return True
    return task.newest is not None and (told.newest is None or task.newest > told.newest)


def _send(
    session: Session,
    actor: Actor,
    account: Account,
    unit: Unit,
    tasks: Sequence[Task],
    public_url: str,
    channel_id: int | None,
) -> None:
    """Raises a ServiceError where the account cannot be told now."""
    what = [_describe(one) for one in tasks]
    said = say("To do: {what}. {link}", what=what, link=f"{public_url}{_page(session, actor, tasks)}")
    if channel_id is not None:
        title, chinese = say("What waits for {name}", name=account.name), get_catalogue("zh")  # as all posts to groups
        post_push(session, actor, channel_id, translate(title, chinese), translate(said, chinese))
        return
    known = find_own_phone(session, account.id)
    if known is None or known.confirmed_at is None:
        raise Conflict("confirm your own phone first: pushes go there")
    if count_own_texts(session, account.id, OwnPurpose.push) >= MOST_PUSHES:
        raise Conflict(say("{most} pushes in 24 hours are enough", most=MOST_PUSHES))
    sender = find_sender(session, unit)
    send_own_text(
        session,
        account,
        known.person_id,
        known.phone,
        OwnPurpose.push,
        sender.compose(said, account.language),
        sender,
        validity_s=VALIDITY_S,
        class_=TextClass.notice.value,
    )


def _describe(task: Task) -> Said:
    return say(_WORDS.get(task.kind, _OTHERS), count=task.number)


def _page(session: Session, actor: Actor, tasks: Sequence[Task]) -> str:
    """Where what is told is done: a single approval on its own page, several on their list, all else from the first
    page.
    """
    if {one.kind for one in tasks} != {TaskKind.approval}:
        return "/"
    campaign_id = find_single_approval(session, actor)
    return "/decisions" if campaign_id is None else f"/campaigns/{campaign_id}/decision"


def _remember(
    session: Session,
    account_id: int,
    told: Mapping[str, ToldTask],
    tasks: Sequence[Task],
    pushed: Sequence[Task],
    now: datetime,
) -> None:
    """Keep what was told, and of the rest how few are left, so that one more is news again."""
    for one in pushed:
        values = {"number": one.number, "newest": one.newest, "told_at": now}
        new = insert(ToldTask).values(account_id=account_id, kind=one.kind.value, **values)
        session.execute(new.on_conflict_do_update(index_elements=[ToldTask.account_id, ToldTask.kind], set_=values))
    left = {one.kind.value: one.number for one in tasks}
    for kind in told.keys() - {one.kind.value for one in pushed}:
        told[kind].number = min(told[kind].number, left.get(kind, 0))
