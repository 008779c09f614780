"""A unit with a channel, a run that is posted to it, and who does the posting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.models import Campaign
from sms_service.channels.beginning import begin_posts
from sms_service.channels.models import Channel, ChannelPost
from sms_service.channels.owning import add_channel
from sms_service.channels.posting import post_next
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealer
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.gateways.posting import JsonPoster
from sms_service.ledger.models import Run
from tests.dispatch.city import City, make_city, make_run
from tests.factories import next_number
from tests.hostile_receiver import HostileReceiver

KEY = "a key of thirty-two characters or more"
SEALER = Sealer([KEY])


def make_channel(session: Session, unit: Unit, address: str = "", **kw: Any) -> Channel:
    """A channel of the unit; by default WeCom's, with an address of its own that nobody ever reaches."""
    address = address or f"https://robots.example.cn/{next_number()}"
    given = {"name": f"群{next_number()}", "kind": ChannelKind.wecom, **kw}
    allowed = ["127.0.0.1:" + address.split(":")[2].split("/")[0]] if address.startswith("http:") else []
    return add_channel(session, SYSTEM, SEALER, allowed, unit_id=unit.id, address=address, **given)


def make_posting_city(database: Database, address: str = "", *, begin: bool = True, **kw: Any) -> tuple[City, int]:
    """A city with a run that is frozen and has a post to one channel (with `begin`); the city and the channel's id."""
    given = {name: kw.pop(name) for name in ("kind", "secret", "keyword") if name in kw}
    city = make_city(database, **kw)
    with database.session() as session:
        channel_id = make_channel(session, city.unit, address, **given).id
        campaign_id = session.get_one(Run, city.run_id).campaign_id
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(channels=[channel_id]))
    if begin:
        assert begin_posts(database) == 1
    return city, channel_id


def poster_to(receiver: HostileReceiver, total_timeout_s: float = 5.0) -> JsonPoster:
    """Posts to this receiver of our own network."""
    return JsonPoster([receiver.host], total_timeout_s=total_timeout_s)


def post_due(database: Database, receiver: HostileReceiver, **kw: Any) -> bool:
    """Post what is due next."""
    poster = poster_to(receiver, kw.pop("total_timeout_s", 5.0))
    try:
        return post_next(database, poster, SEALER, **kw)
    finally:
        poster.close()


def only_post(database: Database) -> ChannelPost:
    """The one post, as it stands."""
    with database.session() as session:
        return session.scalars(select(ChannelPost)).one()


def free_channels(database: Database) -> None:
    """The waits of channels and posts are over."""
    with database.session() as session:
        session.execute(update(Channel).values(free_at=Channel.created_at))
        session.execute(update(ChannelPost).values(not_before=ChannelPost.created_at))


def make_post(session: Session, unit: Unit, status: str = "posted", title: str = "学习", **kw: Any) -> ChannelPost:
    """A post of a new run of the unit, to a new channel of its own, that stands so. `make_branch` makes the route."""
    run = make_run(session, unit)
    session.execute(update(Campaign).where(Campaign.id == run.campaign_id).values(name=title))
    content = {"title": title, "unit": unit.name, "text": "【云州先锋】请参加学习。", "people": 3}
    made = ChannelPost(
        channel_id=make_channel(session, unit).id,
        run_id=run.id,
        unit_id=unit.id,
        status=status,
        posted_at=func.sms_now() if status == "posted" else None,
        lease_until=func.sms_now() if status == "posting" else None,
        content=content,
        expires_at=func.sms_now(),
        **kw,
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    return made
