"""Channels of units: added, named, paused, removed. Whoever may send for a unit may say to which groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import read_before_after
from sms_service.channels.models import Channel, ChannelPost, ChannelState
from sms_service.channels.robots import ROBOTS
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealed, Sealer, digest_address
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.gateways.posting import LONGEST_ADDRESS, AddressFault, check_address
from sms_service.said import Said, say

LONGEST_NAME = 40
LONGEST_KEYWORD = 20
SHORTEST_SECRET, LONGEST_SECRET = 8, 200


class ChannelTaken(Conflict):
    """Another channel has this already; `field`: what it has."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def add_channel(
    session: Session,
    actor: Actor,
    sealer: Sealer,
    allowed: Sequence[str],
    *,
    unit_id: int,
    name: str,
    kind: ChannelKind,
    address: str,
    secret: str | None = None,
    keyword: str | None = None,
) -> Channel:
    """A new channel of the unit. `allowed`: the hosts that may be private (PRIVATE_RECEIVERS).

    Raises NotFound, Forbidden without `operate_campaigns` over the unit, Invalid (name, address, secret, keyword),
    ChannelTaken (address, name), or Conflict if the installation has no key.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.operate_campaigns, path)
    address, secret = address.strip(), (secret or "").strip() or None
    if (why_not := check_address(address, allowed)) is not None:
        raise Invalid("address", None, say_address_fault(why_not))  # never the address itself: it is a secret
    if secret is None and ROBOTS[kind].must_sign:
        raise Invalid("secret", None, "is missing: the receiver knows by it that a post is ours")
    if secret is not None and not (SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET and secret.isprintable()):
        raise Invalid("secret", None, "must have 8 to 200 characters without line breaks")
    made = Channel(
        unit_id=unit_id,
        name=required_line("name", name, LONGEST_NAME),
        kind=kind.value,
        host=str(urlsplit(address).netloc)[:200],
        sealed=sealer.seal(Sealed(address, secret)),
        digest=digest_address(address),
        keyword=_keyword(keyword),
        created_by=actor.account_id,
    )
    _keep(session, made)
    trail.record_act(session, actor.account_id, "channel.add", "channel", made.id, path, channel=made.name, kind=kind)
    return made


def say_address_fault(fault: AddressFault) -> Said:
    """Why nothing can be posted to an address, for who typed it in."""
    match fault:
        case AddressFault.malformed:
            return say("must be at most {most} letters, digits and signs without blanks", most=LONGEST_ADDRESS)
        case AddressFault.incomplete:
            return say("must be the whole address, such as https://robots.example.cn/hook")
        case AddressFault.superfluous:
            return say("must have neither a user before the host nor anything after #")
        case AddressFault.plain:
            return say("must begin with https://")
    return say("leads into a network of our own; an operator can allow single hosts (PRIVATE_RECEIVERS)")


def change_channel(session: Session, actor: Actor, channel_id: int, **changes: str | None) -> Channel:
    """Change `name` or `keyword`. An address is not changed: what was approved says to which robot it goes.

    Raises NotFound, Forbidden, Invalid, or ChannelTaken (name).
    """
    channel, path = require_channel(session, actor, channel_id)
    if "name" in changes:
        channel.name = required_line("name", changes["name"] or "", LONGEST_NAME)
    if "keyword" in changes:
        channel.keyword = _keyword(changes["keyword"])
    details = {"channel": channel.name, "changes": read_before_after(channel, ("name", "keyword"))}
    _keep(session, channel)
    trail.record_act(session, actor.account_id, "channel.change", "channel", channel_id, path, **details)
    return channel


def pause_channel(session: Session, actor: Actor, channel_id: int) -> Channel:
    """Let what is to be posted wait. Raises NotFound, Forbidden, or Conflict unless it is open."""
    channel, path = _move(session, actor, channel_id, ChannelState.open, ChannelState.paused)
    trail.record_act(session, actor.account_id, "channel.pause", "channel", channel_id, path, channel=channel.name)
    return channel


def resume_channel(session: Session, actor: Actor, channel_id: int) -> Channel:
    """Post again to a channel that was paused. Raises NotFound, Forbidden, or Conflict unless it is paused."""
    channel, path = _move(session, actor, channel_id, ChannelState.paused, ChannelState.open)
    trail.record_act(session, actor.account_id, "channel.resume", "channel", channel_id, path, channel=channel.name)
    return channel


def remove_channel(session: Session, actor: Actor, channel_id: int) -> None:
    """Take it away for good, with its address; its posts stay. Raises NotFound or Forbidden."""
    channel, path = require_channel(session, actor, channel_id)
    channel.state, channel.sealed = ChannelState.removed.value, None
    session.flush()
    trail.record_act(session, actor.account_id, "channel.remove", "channel", channel_id, path, channel=channel.name)


def require_channel(session: Session, actor: Actor, channel_id: int) -> tuple[Channel, str]:
    """The channel, locked, and its unit's path, for who may change it. Raises NotFound, also for one that is removed,
    or Forbidden.
    """
    channel = session.get(Channel, channel_id, with_for_update=True, populate_existing=True)
    if channel is None or channel.state == ChannelState.removed:
        raise NotFound("channel", channel_id)
    path = unit_path(session, channel.unit_id)
    actor.require(Permission.operate_campaigns, path)
    return channel, path


def find_channels(scope: Sequence[str]) -> Select[Channel, Unit, int, Any]:
    """The channels that may be used on the unit paths of `scope`, each with its unit, the number of its posts
    (`posts`) and when something was posted last (`last_at`); not ordered.
    """
    return (
        select(
            Channel,
            Unit,
            _of_posts(func.count()).label("posts"),
            _of_posts(func.max(ChannelPost.posted_at)).label("last_at"),
        )
        .join(Unit, Unit.id == Channel.unit_id)
        .where(usable_from(scope), Channel.state != ChannelState.removed)
    )


def describe_channel(row: Any) -> dict[str, Any]:
    """A row of `find_channels` as doors show it: of the address its host alone, and never a secret."""
    channel: Channel = row.Channel
    shown = {name: getattr(channel, name) for name in ("id", "unit_id", "name", "host", "keyword", "created_at")}
    shown |= {"kind": ChannelKind(channel.kind), "state": ChannelState(channel.state)}
    return {**shown, "unit": row.Unit.name, "posts": row.posts, "last_at": row.last_at}


def _of_posts(what: ColumnElement[Any]) -> ColumnElement[Any]:
    return (
        select(what)
        .select_from(ChannelPost)
        .where(ChannelPost.channel_id == Channel.id, ChannelPost.run_id.is_not(None))
        .correlate(Channel)
        .scalar_subquery()
    )


def _keyword(keyword: str | None) -> str | None:
    return required_line("keyword", keyword, LONGEST_KEYWORD) if keyword and keyword.strip() else None


def _keep(session: Session, channel: Channel) -> None:
    """Write it. Raises ChannelTaken where the address or the name is."""
    try:
        with session.begin_nested():
            session.add(channel)
            session.flush()
    except IntegrityError as error:
        if "uq_channels_digest" in str(error.orig):
            raise ChannelTaken("this robot is a channel already, of this unit or of another one", "address") from None
        if "uq_channels_unit_id_name" in str(error.orig):
            raise ChannelTaken("the unit has a channel of this name", "name") from None
        raise


def _move(
    session: Session, actor: Actor, channel_id: int, source: ChannelState, target: ChannelState
) -> tuple[Channel, str]:
    channel, path = require_channel(session, actor, channel_id)
    moved = session.scalar(
        update(Channel)
        .where(Channel.id == channel_id, Channel.state == source)
        .values(state=target.value)
        .returning(Channel.id)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        raise Conflict("the channel is not in a state in which this can be done; look at it again")
    session.refresh(channel)
    return channel, path
