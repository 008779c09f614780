"""Which channels a unit can use: its own and those of the units above it (`campaigns/also_posted.py` asks)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Select, literal, select
from sqlalchemy.orm import Session

from sms_service.campaigns.also_posted import install_channels
from sms_service.channels.models import Channel, ChannelState
from sms_service.directory.models import Unit


def find_usable_channels(path: str) -> Select[Channel, str]:
    """The channels that the unit at the path can use, each with the name of its unit; not ordered."""
    return (
        select(Channel, Unit.name)
        .join(Unit, Unit.id == Channel.unit_id)
        .where(literal(path).op("^@", is_comparison=True)(Unit.path), Channel.state != ChannelState.removed)
    )


def name_channels(session: Session, ids: Collection[int]) -> Mapping[int, str]:
    """The names of these channels by id, also of those that are removed."""
    if not ids:
        return {}
    rows = session.execute(select(Channel.id, Channel.name).where(Channel.id.in_(ids)).order_by(Channel.id))
    return {row.id: row.name for row in rows}


class _Known:
    def find_usable(self, session: Session, path: str, ids: Collection[int]) -> Collection[int]:
        """See `UsableChannels`."""
        found = find_usable_channels(path).where(Channel.id.in_(ids)).with_only_columns(Channel.id)
        return session.scalars(found).all()

    def find_from_above(self, session: Session, path: str, ids: Collection[int]) -> Collection[int]:
        """See `UsableChannels`."""
        found = find_usable_channels(path).where(Channel.id.in_(ids), Unit.path != path)
        return session.scalars(found.with_only_columns(Channel.id)).all()


install_channels(_Known())
