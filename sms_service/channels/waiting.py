"""What waits for people at posts: those that they are to forward, and those of which nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import aliased

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.channels.models import ChannelPost, Forwarding, PostStatus
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.directory.models import Unit
from sms_service.directory.units import list_ancestors

FORWARDED_WITHIN = timedelta(days=7)  # of being posted; nobody is asked to forward what is older


def is_to_forward(paths: Sequence[str]) -> ColumnElement[bool]:
    """SQL over posts and their units: it was posted lately by one of the units at the paths or above it, and that unit
    of the paths has not said to have forwarded it. What units below post is forwarded there.
    """
    asked = [Unit.path.in_([*list_ancestors(path), path]) & ~_is_forwarded_by(path) for path in paths]
    lately = ChannelPost.posted_at > func.sms_now() - FORWARDED_WITHIN
    return and_(ChannelPost.status == PostStatus.posted, ChannelPost.run_id.is_not(None), lately, or_(false(), *asked))


def is_to_settle(paths: Sequence[str]) -> ColumnElement[bool]:
    """SQL over posts and their units: nobody can tell whether the post of a unit at or below the paths stands in the
    group.
    """
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    return and_(ChannelPost.status == PostStatus.unknown, ChannelPost.run_id.is_not(None), within)


def count_to_forward(actor: Actor) -> Waiting | None:
    """What the units on which the actor may write campaigns are to forward; None if there are none."""
    paths = actor.scope(Permission.edit_campaigns)
    waiting = select_waiting(ChannelPost.id, ChannelPost.posted_at.expression)
    return _of_posts(waiting).where(is_to_forward(paths)) if paths else None


def count_to_settle(actor: Actor) -> Waiting | None:
    """The unknown posts of the units for which the actor sends; None if there are none."""
    paths = actor.scope(Permission.operate_campaigns)
    waiting = select_waiting(ChannelPost.id, ChannelPost.created_at.expression)
    return _of_posts(waiting).where(is_to_settle(paths)) if paths else None


def _is_forwarded_by(path: str) -> ColumnElement[bool]:
    own = aliased(Unit)
    said = select(Forwarding.id).join(own, own.id == Forwarding.unit_id)
    return said.where(Forwarding.post_id == ChannelPost.id, own.path == path).correlate(ChannelPost).exists()


def _of_posts(waiting: Waiting) -> Waiting:
    return waiting.select_from(ChannelPost).join(Unit, Unit.id == ChannelPost.unit_id)
