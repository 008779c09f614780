"""Officers who forward what was posted say so: for which unit, to which groups, and how many people are in them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, delete, false, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.channels.models import Channel, ChannelPost, Forwarding, PostStatus
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say

LONGEST_GROUPS = 200
MOST_PEOPLE = 10_000_000
# What may stand in the group.
FORWARDABLE = (PostStatus.posted, PostStatus.unknown)


def confirm_forwarding(
    session: Session, actor: Actor, post_id: int, unit_id: int, groups: str, people: int | None = None
) -> Forwarding:
    """Write down that the unit has forwarded a post to these groups, with so many people; said again, the later counts.

    The unit is the post's or one below it. Raises NotFound (post, unit), Forbidden without `edit_campaigns` over the
    unit, Invalid (unit_id, groups, people), or Conflict unless it is posted, or unknown and so perhaps in the group.
    """
    post, channel, path = _post_and_unit(session, actor, post_id, unit_id)
    if post.status not in FORWARDABLE:
        message = "post {post} is {status}; only what is in the group can be forwarded"
        raise Conflict(say(message, post=post_id, status=PostStatus(post.status)))
    if people is not None and not 0 <= people <= MOST_PEOPLE:
        raise Invalid("people", people, say("must be from {least} to {most}", least=0, most=MOST_PEOPLE))
    said = {"groups": required_line("groups", groups, LONGEST_GROUPS), "people": people, "account_id": actor.account_id}
    new = insert(Forwarding).values(post_id=post_id, unit_id=unit_id, at=func.sms_now(), **said)
    made = session.scalars(
        new.on_conflict_do_update(index_elements=["post_id", "unit_id"], set_={**said, "at": func.sms_now()}).returning(
            Forwarding
        ),
        execution_options={"populate_existing": True},
    ).one()
    trail.record_act(
        session, actor.account_id, "post.forward", "post", post_id, path, people=people, channel=channel.name
    )
    return made


def withdraw_forwarding(session: Session, actor: Actor, post_id: int, unit_id: int) -> None:
    """Take back what was said by mistake. Raises NotFound, also where nothing was said, or Forbidden."""
    _, channel, path = _post_and_unit(session, actor, post_id, unit_id)
    gone = session.scalar(
        delete(Forwarding)
        .where(Forwarding.post_id == post_id, Forwarding.unit_id == unit_id)
        .returning(Forwarding.id)
        .execution_options(synchronize_session=False)
    )
    if gone is None:
        raise NotFound("forwarding of this unit", post_id)
    trail.record_act(session, actor.account_id, "post.unforward", "post", post_id, path, channel=channel.name)


def list_last_groups(session: Session, unit_id: int) -> list[str]:
    """To which groups the unit said last to have forwarded something, each once, at most three."""
    last = func.max(Forwarding.id)
    statement = select(Forwarding.groups).where(Forwarding.unit_id == unit_id).group_by(Forwarding.groups)
    return list(session.scalars(statement.order_by(last.desc()).limit(3)))


def find_forwardings(post_id: int, scope: Sequence[str]) -> Select[Forwarding, str, str | None, str]:
    """Which units within `scope` say to have forwarded the post: each with its name, the account's, and its path,
    oldest first.
    """
    return (
        select(Forwarding, Unit.name.label("unit"), Account.name.label("account"), Unit.path)
        .join(Unit, Unit.id == Forwarding.unit_id)
        .outerjoin(Account, Account.id == Forwarding.account_id)
        .where(Forwarding.post_id == post_id, or_(false(), *(Unit.path.op("^@")(path) for path in scope)))
        .order_by(Forwarding.id)
    )


def _post_and_unit(session: Session, actor: Actor, post_id: int, unit_id: int) -> tuple[ChannelPost, Channel, str]:
    row = session.execute(
        select(ChannelPost, Channel, Unit.path)
        .join(Channel, Channel.id == ChannelPost.channel_id)
        .join(Unit, Unit.id == ChannelPost.unit_id)
        .where(ChannelPost.id == post_id, ChannelPost.run_id.is_not(None))
    ).first()
    if row is None:
        raise NotFound("post", post_id)
    path = unit_path(session, unit_id)
    actor.require(Permission.edit_campaigns, path)
    if not path.startswith(row[2]):
        raise Invalid("unit_id", unit_id, "is neither the unit of the post nor one below it")
    return row[0], row[1], path
