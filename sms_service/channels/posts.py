"""The posts: which there are, how they went, and what people do about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, null, or_, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.models import Campaign
from sms_service.channels.models import Channel, ChannelPost, ChannelState, Forwarding, PostStatus
from sms_service.channels.owning import require_channel
from sms_service.channels.robots.base import ChannelKind, PostReason
from sms_service.channels.writing import write_plain_post, write_test
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import say

TEST_WAITS = timedelta(minutes=10)  # for its channel; then it is given up
AGAIN_WAITS = timedelta(days=1)
PUSH_WAITS = timedelta(hours=1)  # then what it says is not so any more
MOST_PUSHED = 20  # of an account, to one channel in 24 hours
_AGAIN = (PostStatus.refused, PostStatus.unknown, PostStatus.cancelled)


def find_posts(
    scope: Sequence[str],
    *,
    status: str | None = None,
    channel_id: int | None = None,
    run_id: int | None = None,
    campaign_id: int | None = None,
    sender_id: int | None = None,
    confirmed: bool | None = None,
    tests: bool = False,
) -> Select[*tuple[Any, ...]]:
    """The posts that concern the unit paths of `scope`: those of units within, and of units above, whose officers
    forward them. As rows for `describe_post`; not ordered.

    `sender_id`: the unit whose run it is of; `confirmed`: whether somebody says to have forwarded it; `tests`: with
    tests of channels.
    """
    statement = _rows().where(usable_from(scope))
    if confirmed is not None:
        statement = statement.where(is_forwarded() if confirmed else ~is_forwarded())
    if not tests:
        statement = statement.where(ChannelPost.run_id.is_not(None))
    for column, wanted in (
        (ChannelPost.status, status),
        (ChannelPost.channel_id, channel_id),
        (ChannelPost.run_id, run_id),
        (Run.campaign_id, campaign_id),
        (ChannelPost.unit_id, sender_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


def get_post(session: Session, actor: Actor, post_id: int) -> dict[str, Any]:
    """One post, described. Raises NotFound or Forbidden."""
    row = session.execute(_rows().where(ChannelPost.id == post_id)).first()
    if row is None:
        raise NotFound("post", post_id)
    require_in_line(actor, row.Unit.path)
    return describe_post(row)


def require_in_line(actor: Actor, path: str) -> None:
    """Raises Forbidden unless the actor may read the unit at the path, or one below it: what a unit posts to a group is
    read by those who forward it.
    """
    if not any(one.startswith(path) for one in actor.scope(Permission.read)):
        actor.require(Permission.read, path)


def describe_post(row: Any) -> dict[str, Any]:
    """A row of `find_posts` as doors show it, with the text as it is posted (`plain`)."""
    post: ChannelPost = row.ChannelPost
    names = ("id", "channel_id", "run_id", "unit_id", "reason", "code", "detail", "tries")
    shown = {name: getattr(post, name) for name in (*names, "posted_at", "created_at", "not_before")}
    return {
        **shown,
        "status": PostStatus(post.status),
        "channel": row.Channel.name,
        "kind": ChannelKind(row.Channel.kind),
        "channel_state": ChannelState(row.Channel.state),
        "campaign_id": row.campaign_id,
        "title": post.content["title"],
        "text": post.content["text"],
        "plain": write_plain_post(post.content, row.Channel.keyword),
        "people": post.content.get("people"),
        "unit": row.Unit.name,
        "path": row.Unit.path,
        "forwardings": row.forwardings,
        "forwarded_people": row.forwarded_people,
    }


def count_posts(session: Session, scope: Sequence[str], *, campaign_id: int | None = None) -> list[dict[str, Any]]:
    """The rows of `find_post_counts`, described, in the order of the tree."""
    statement = find_post_counts(scope, campaign_id=campaign_id).order_by(Unit.path)
    return [describe_post_count(row) for row in session.execute(statement)]


def sum_posts(session: Session, scope: Sequence[str], *, campaign_id: int | None = None) -> dict[str, Any]:
    """All of them as one; `unit_id` and `unit` are None."""
    statement = _count(scope, campaign_id, null().label("id"), null().label("name"))
    return describe_post_count(session.execute(statement).one())


def find_post_counts(scope: Sequence[str], *, campaign_id: int | None = None) -> Select[*tuple[Any, ...]]:
    """By unit within `scope` whose runs were posted: how many posts there are (`posts`), by status, and how many of
    those posted somebody says to have forwarded (`confirmed`). As rows for `describe_post_count`; not ordered.
    """
    return _count(scope, campaign_id, Unit.id, Unit.name).group_by(Unit.id, Unit.name, Unit.path)


def describe_post_count(row: Any) -> dict[str, Any]:
    """A row of `find_post_counts` as doors show it."""
    statuses = {status: getattr(row, status) for status in PostStatus}
    return {"unit_id": row.id, "unit": row.name, "posts": row.posts, "statuses": statuses, "confirmed": row.confirmed}


def list_posted_campaigns(session: Session, scope: Sequence[str], most: int) -> list[tuple[int, str]]:
    """The last campaigns with posts that concern the unit paths of `scope`: ids and names, newest first."""
    statement = (
        select(Campaign.id, Campaign.name)
        .join(Run, Run.campaign_id == Campaign.id)
        .join(ChannelPost, ChannelPost.run_id == Run.id)
        .join(Unit, Unit.id == ChannelPost.unit_id)
        .where(usable_from(scope))
        .group_by(Campaign.id, Campaign.name)
        .order_by(Campaign.id.desc())
    )
    return [(row.id, row.name) for row in session.execute(statement.limit(most))]


def _count(scope: Sequence[str], campaign_id: int | None, *of: Any) -> Select[*tuple[Any, ...]]:
    statuses = {status: func.count().filter(ChannelPost.status == status.value).label(status) for status in PostStatus}
    confirmed = func.count().filter(ChannelPost.status == PostStatus.posted.value, is_forwarded()).label("confirmed")
    within = or_(literal(False), *(Unit.path.op("^@")(path) for path in scope))
    statement = (
        select(*of, func.count().label("posts"), *statuses.values(), confirmed)
        .select_from(ChannelPost)
        .join(Unit, Unit.id == ChannelPost.unit_id)
        .where(within, ChannelPost.run_id.is_not(None))
    )
    if campaign_id is not None:
        statement = statement.join(Run, Run.id == ChannelPost.run_id).where(Run.campaign_id == campaign_id)
    return statement


def is_forwarded() -> ColumnElement[bool]:
    """SQL over posts: somebody says to have forwarded it."""
    return select(Forwarding.id).where(Forwarding.post_id == ChannelPost.id).correlate(ChannelPost).exists()


def request_test_post(session: Session, actor: Actor, channel_id: int) -> ChannelPost:
    """Have a worker post a short text that says that it is a test.

    Raises NotFound, Forbidden, or Conflict where the channel is paused or a test of it waits already.
    """
    channel, path = require_channel(session, actor, channel_id)
    if channel.state != ChannelState.open:
        raise Conflict("the channel is paused; resume it first")
    waits = select(ChannelPost.id).where(
        ChannelPost.channel_id == channel_id, ChannelPost.run_id.is_(None), ChannelPost.status == PostStatus.pending
    )
    if session.scalar(waits.limit(1)) is not None:
        raise Conflict("a test of this channel waits to be posted already")
    unit = session.get_one(Unit, channel.unit_id)
    made = ChannelPost(
        channel_id=channel_id,
        unit_id=channel.unit_id,
        content=write_test(channel.name, unit.name),
        expires_at=func.sms_now() + TEST_WAITS,
        not_before=func.sms_now(),
        created_by=actor.account_id,
    )
    session.add(made)
    session.flush()
    trail.record_act(session, actor.account_id, "channel.test", "channel", channel_id, path, channel=channel.name)
    return made


def post_push(session: Session, actor: Actor, channel_id: int, title: str, text: str) -> ChannelPost:
    """Have the channel post what waits for the actor; it belongs to no run, and is given up after an hour.

    Raises NotFound, Forbidden without `operate_campaigns` over the channel's unit, or Conflict after 20 in 24 hours.
    """
    channel, path = require_channel(session, actor, channel_id)
    own = (ChannelPost.created_by == actor.account_id, ChannelPost.run_id.is_(None))
    lately = ChannelPost.created_at > func.now() - timedelta(days=1)
    count = select(func.count(ChannelPost.id)).where(ChannelPost.channel_id == channel_id, *own, lately)
    if session.scalars(count).one() >= MOST_PUSHED:
        raise Conflict(say("{most} pushes in 24 hours are enough", most=MOST_PUSHED))
    unit = session.get_one(Unit, channel.unit_id)
    made = ChannelPost(
        channel_id=channel_id,
        unit_id=channel.unit_id,
        content={"title": title, "unit": unit.name, "text": text},
        expires_at=func.sms_now() + PUSH_WAITS,
        not_before=func.sms_now(),
        created_by=actor.account_id,
    )
    session.add(made)
    session.flush()
    trail.record_act(session, actor.account_id, "channel.push", "channel", channel_id, path, channel=channel.name)
    return made


def post_again(session: Session, actor: Actor, post_id: int, why: str) -> ChannelPost:
    """Have a post that was refused, is unknown or was given up posted again, within a day; what is unknown may then
    stand in the group twice.

    Raises NotFound, Forbidden without `operate_campaigns` over its unit, Invalid (why), or Conflict in any other
    status, of a cancelled run, or where the channel is removed.
    """
    post, channel, path, why = _for_act(session, actor, post_id, why)
    if channel.state == ChannelState.removed:
        raise Conflict("the channel is removed, so nothing can be posted to it")
    if post.run_id is not None and session.get_one(Run, post.run_id).status == RunStatus.cancelled:
        raise Conflict("the run is cancelled, so nothing more is posted of it")
    if post.reason == PostReason.unrendered:
        raise Conflict("no text can be made of the campaign, so there is nothing to post")
    changes = {"status": PostStatus.pending.value, "reason": None, "expires_at": func.sms_now() + AGAIN_WAITS}
    _move(session, post, _AGAIN, changes | {"not_before": func.sms_now()})
    trail.record_act(session, actor.account_id, "post.again", "post", post_id, path, why=why, channel=channel.name)
    return post


def settle_post(session: Session, actor: Actor, post_id: int, why: str, *, posted: bool) -> ChannelPost:
    """Write down what a person saw in the group of a post of which nobody knew. Raises as `post_again` does."""
    post, channel, path, why = _for_act(session, actor, post_id, why)
    status = PostStatus.posted if posted else PostStatus.refused
    changes = {"status": status.value, "reason": PostReason.settled.value}
    _move(session, post, (PostStatus.unknown,), changes | {"posted_at": func.sms_now() if posted else None})
    details = {"why": why, "channel": channel.name, "verdict": status.value}
    trail.record_act(session, actor.account_id, "post.settle", "post", post_id, path, **details)
    return post


def _for_act(session: Session, actor: Actor, post_id: int, why: str) -> tuple[ChannelPost, Channel, str, str]:
    post = session.get(ChannelPost, post_id)
    if post is None:
        raise NotFound("post", post_id)
    path = unit_path(session, post.unit_id)
    actor.require(Permission.operate_campaigns, path)
    return post, session.get_one(Channel, post.channel_id), path, required_line("why", why, LONGEST_WHY)


def _move(session: Session, post: ChannelPost, sources: Sequence[PostStatus], changes: Mapping[str, Any]) -> None:
    moved = session.scalar(
        update(ChannelPost)
        .where(ChannelPost.id == post.id, ChannelPost.status.in_(sources))
        .values(changes)
        .returning(ChannelPost.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(post)
    if moved is None:
        message = "post {post} is {status}; only {sources: or } ones can become {target}"
        status, target = PostStatus(post.status), PostStatus(changes["status"])
        raise Conflict(say(message, post=post.id, status=status, sources=sources, target=target))


def _rows() -> Select[*tuple[Any, ...]]:
    said = select(func.count(), func.sum(Forwarding.people)).where(Forwarding.post_id == ChannelPost.id)
    counted = said.correlate(ChannelPost)
    return (
        select(
            ChannelPost,
            Channel,
            Unit,
            Run.campaign_id.label("campaign_id"),
            counted.with_only_columns(func.count()).scalar_subquery().label("forwardings"),
            counted.with_only_columns(func.sum(Forwarding.people)).scalar_subquery().label("forwarded_people"),
        )
        .join(Channel, Channel.id == ChannelPost.channel_id)
        .join(Unit, Unit.id == ChannelPost.unit_id)
        .outerjoin(Run, Run.id == ChannelPost.run_id)
    )
