"""连载: the series that there are, and one of them with its calendar and its texts: gone, next, to come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from flask import g

from sms_service.accounts.permissions import Permission
from sms_service.audience.wording import describe_rule
from sms_service.campaigns import overview
from sms_service.campaigns.acts import EDITABLE, CampaignAct
from sms_service.campaigns.contents import Content
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.console.forms import read_query
from sms_service.console.pages import page_view
from sms_service.console.rendering import render_page
from sms_service.console.series_steps import draw_months, expect_series
from sms_service.console.texts import fill_in_general
from sms_service.console.unit_choice import choose_unit
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed
from sms_service.content.language import get_compiled
from sms_service.content.values import write_value
from sms_service.ledger.states import RunStatus
from sms_service.said import Said
from sms_service.schedules.series_days import SeriesRun, list_series_runs, view_series_days
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter


class ShownItem(NamedTuple):
    """An item as a page of its series lists it. `place`: among all of them, from 1; `words`: what its values say;
    `text`: where no particular person is meant, or why there is none; `at`: when it goes or went; `waits`: it was
    changed and is to be approved; `next`: it is the one that goes next.
    """

    number: int
    place: int
    label: str
    words: str
    text: Composed | Said
    at: datetime | None
    skipped: bool
    waits: bool
    next: bool
    gone: bool
    run: SeriesRun | None


@page_view("/series", Permission.read)
def list_series() -> str:
    """The study series, newest first, and how far each is."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = overview.find_campaigns(scope.paths).where(Campaign.kind == CampaignKind.series)
    rows, following = fetch_page(
        g.session, statement, query, sort="id", key=Campaign.id, id_=Campaign.id, descending=True
    )
    return render_page(
        "series_list.html",
        rows=[overview.describe_campaign(row) for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        query=query,
        may_write=bool(g.actor.scope(Permission.edit_campaigns)),
    )


@page_view("/campaigns/<int:campaign_id>/series", Permission.read)
def show_series(campaign_id: int) -> str:
    """One series: how far it is, its calendar, its texts, and what can be done with each."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    expect_series(campaign)
    days = view_series_days(g.session, campaign["content"], campaign["owner"], campaign["now"])
    items = list_shown_items(campaign, list_series_runs(g.session, campaign_id))
    return render_page(
        "series.html",
        campaign=campaign,
        items=items,
        places={item.number: item.place for item in items},
        whom=describe_rule(g.session, g.actor, campaign["unit_id"], campaign["segment_rule"]),
        found=days,
        is_draft=campaign["status"] in EDITABLE,
        may_change=may_change_items(campaign),
        may_decide=CampaignAct.approve in campaign["acts"],
        **draw_months(days),
    )


def may_change_items(campaign: Mapping[str, Any]) -> bool:
    """Whether the visitor may change texts of the series, as `overview.get_campaign` found it, that are to come."""
    return bool({CampaignAct.change, CampaignAct.correct} & {*campaign["acts"]})


def list_shown_items(campaign: Mapping[str, Any], runs: Mapping[int, SeriesRun]) -> list[ShownItem]:
    """The items of a series in their order."""
    content: Content = campaign["content"]
    coming = [item.next_at for item in content.items if item.next_at is not None]
    first = min(coming, default=None)
    shown = []
    for place, item in enumerate(content.items, start=1):
        run = runs.get(item.number)
        under_way = item.next_at is not None or (run is not None and run.status == RunStatus.held)
        shown.append(
            ShownItem(
                number=item.number,
                place=place,
                label=item.label,
                words=" · ".join(write_value(value) for value in item.values.values()),
                text=compose_item(content.of_item(item)),
                at=item.next_at or item.fired_at,
                skipped=item.skipped,
                waits=campaign["undecided"]
                and under_way
                and not item.skipped
                and item.approved != content.of_item(item).digest(),
                next=item.next_at is not None and item.next_at == first,
                gone=item.fired_at is not None and item.next_at is None,
                run=run,
            )
        )
    return shown


def compose_item(content: Content) -> Composed | Said:
    """The text of an item where no particular person is meant; why there is none otherwise."""
    version = content.version
    try:
        compiled = get_compiled(version.id, version.body)
    except CannotRender as error:
        return error.said
    return fill_in_general(compiled, content.class_, content.campaign.signature, content.values)
