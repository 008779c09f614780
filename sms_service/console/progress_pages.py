"""进度: how far the people of a series are, by unit and by name."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.console.forms import read_query
from sms_service.console.pages import go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import list_above
from sms_service.directory.models import Unit
from sms_service.reports.progress import (
    HadChoice,
    ProgressLine,
    Readers,
    count_progress,
    describe_readers,
    find_readers,
    open_readers,
)
from sms_service.schedules.cohorts import list_cohorts
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import Id, In, Whole
from sms_service.web.validators import OneOfWords


class ProgressQuery(In):
    """Whose progress."""

    unit = Id(load_default=None)


class ReadersQuery(PageQuery):
    """Whose progress, and who of them."""

    unit = Id(load_default=None)
    subtree = fields.Boolean(load_default=True)
    firing = Whole(load_default=None)
    had = fields.String(load_default=None, validate=OneOfWords([*HadChoice]))


@page_view("/campaigns/<int:campaign_id>/progress", Permission.read)
def show_progress(campaign_id: int) -> str | Response:
    """How far the people of a series are, by unit, and which cohorts it has."""
    campaign = g.session.get(Campaign, campaign_id)
    if campaign is not None and campaign.kind != CampaignKind.series:
        return go_to("console.show_campaign", campaign_id=campaign_id)
    unit_id = read_query(ProgressQuery)["unit"]
    readers = open_readers(g.session, g.actor, campaign_id, unit_id)
    own, below = count_progress(g.session, readers)
    path = unit_path(g.session, readers.campaign.unit_id)
    whole = readers.paths == (path,)
    return render_page(
        "progress.html",
        campaign=readers.campaign,
        readers=readers,
        line=[one for one in _list_line(readers) if one.path.startswith(path)],
        may_open=g.actor.can(Permission.read, path),
        own=own,
        rows=[(line, own is None or line.unit_id != own.unit_id) for line in below],
        behind=_count_behind,
        width=_width,
        cohorts=list_cohorts(g.session, readers.campaign, readers.items) if whole else (),
        coming=min((item.next_at for item in readers.items if item.next_at is not None), default=None),
    )


@page_view("/campaigns/<int:campaign_id>/progress/people", Permission.read)
def list_progress_people(campaign_id: int) -> str:
    """The people of a series with what they had, those who had least first."""
    query = read_query(ReadersQuery)
    readers = open_readers(g.session, g.actor, campaign_id, query["unit"])
    people = readers.people.c
    found = find_readers(readers, query["had"], subtree=query["subtree"], firing=query["firing"])
    rows, following = fetch_page(g.session, found, query, sort="had", key=people.had, id_=people.person_id)
    return render_page(
        "progress_people.html",
        campaign=readers.campaign,
        readers=readers,
        rows=describe_readers(readers, rows),
        following=following,
        query=query,
        scope=readers.units,
        choices=[(None, None), *((choice.value, name_here(choice)) for choice in HadChoice)],
    )


def _list_line(readers: Readers) -> list[Unit]:
    """The unit that is read, below those above it."""
    if len(readers.units) != 1:
        return []
    (unit,) = readers.units
    return [*list_above(g.session, g.actor, unit), unit]


def _count_behind(line: ProgressLine) -> int:
    return line.people - line.had_all


def _width(part: int, whole: int) -> float:
    """A bar's length in per cent."""
    return round(100 * part / whole, 2) if whole else 0.0
