"""The kinds of schedule: each is one module that says when its items fire. All else is the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from sms_service.campaigns.items import Item
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.placing import install_schedules
from sms_service.campaigns.states import CampaignKind
from sms_service.directory.models import Unit
from sms_service.schedules import event, recurring, series


class ScheduleKind(Protocol):
    """When the items of a campaign of one kind fire."""

    def read_rule(self, given: Mapping[str, Any], unit: Unit, now: datetime) -> dict[str, Any]:
        """The rule as it is kept, of one that somebody gave. Raises Invalid (`schedule.<field>`)."""

    def plan_times(
        self, session: Session, rule: Mapping[str, Any], unit: Unit, items: Sequence[Item], now: datetime
    ) -> Mapping[int, datetime | None]:
        """When each of these items, by its number, fires next if the campaign is started `now`; None: not any more.
        Those that are skipped are among them only if they went before.
        """

    def find_following(self, rule: Mapping[str, Any], unit: Unit, fired_at: datetime) -> datetime | None:
        """When an item that fired for this time fires again; None: not any more."""


KINDS: Mapping[str, ScheduleKind] = {
    CampaignKind.recurring: recurring,
    CampaignKind.series: series,
    CampaignKind.event: event,
}


class AllKinds:
    """The schedules, as campaigns ask for them."""

    def place(
        self, session: Session, campaign: Campaign, unit: Unit, items: Sequence[Item], now: datetime
    ) -> Mapping[int, datetime | None]:
        """When each item fires next."""
        return KINDS[campaign.kind].plan_times(session, campaign.schedule or {}, unit, items, now)


install_schedules(AllKinds())
