"""`python -m sms_service schedule …`: campaigns that are sent more than once, and another time for one that waits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.campaigns import act_on, campaign_id, read_moment, read_pair
from sms_service.cli.options import as_anybody, as_somebody, why

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

_number = click.argument("number", metavar="ITEM", type=click.IntRange(1))


@click.group()
def schedule() -> None:
    """When campaigns are sent again: the rule, what comes next, and how it is suspended and ended."""


@schedule.command()
@campaign_id
@as_anybody
def show(campaign_id: int, login: str | None) -> None:
    """Show when a campaign is sent: the rule in words, its items with their runs, the next ten times."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        _print(session, acting(session, login), campaign_id)


@schedule.command()
@campaign_id
@as_somebody
@click.option("--rrule", required=True, help="A rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,TH.")
@click.option("--first", metavar="DAY", required=True, help="The day from which it counts, such as 2026-12-01.")
@click.option("--at", default="08:30", show_default=True, metavar="TIME", help="The time of day.")
@click.option("--until", metavar="DAY", help="The last day.")
@click.option("--count", type=int, metavar="N", help="How many times in all.")
def recur(campaign_id: int, login: str, **rule: Any) -> None:
    """Let a draft be sent again and again by a rule, in the time zone of its unit."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.scheduling import set_schedule

    with open_session() as session:
        actor = acting(session, login)
        set_schedule(session, actor, campaign_id, "recurring", rule)
        _print(session, actor, campaign_id)


@schedule.command()
@campaign_id
@as_somebody
def clear(campaign_id: int, login: str) -> None:
    """Make a draft a campaign again that is sent once."""
    from sms_service.schedules.scheduling import clear_schedule

    act_on(campaign_id, login, lambda session, actor: clear_schedule(session, actor, campaign_id))


@schedule.command()
@campaign_id
@as_anybody
def start(campaign_id: int, login: str | None) -> None:
    """Start the schedule of an approved campaign."""
    from sms_service.campaigns.launch import start_campaign

    act_on(campaign_id, login, lambda session, actor: start_campaign(session, actor, campaign_id))


@schedule.command()
@campaign_id
@as_anybody
@why
def suspend(campaign_id: int, login: str | None, why: str) -> None:
    """Let nothing fire until somebody goes on with it; runs under way go on."""
    from sms_service.schedules.scheduling import suspend_campaign

    act_on(campaign_id, login, lambda session, actor: suspend_campaign(session, actor, campaign_id, why))


@schedule.command("continue")
@campaign_id
@as_anybody
@why
def continue_(campaign_id: int, login: str | None, why: str) -> None:
    """Let a suspended schedule fire again, from now on."""
    from sms_service.schedules.scheduling import continue_campaign

    act_on(campaign_id, login, lambda session, actor: continue_campaign(session, actor, campaign_id, why))


@schedule.command()
@campaign_id
@as_anybody
@why
def end(campaign_id: int, login: str | None, why: str) -> None:
    """Fire nothing more, for good; its runs go on."""
    from sms_service.schedules.scheduling import end_schedule

    act_on(campaign_id, login, lambda session, actor: end_schedule(session, actor, campaign_id, why))


@schedule.command()
@campaign_id
@_number
@as_somebody
@click.option("--no", "take_back", is_flag=True, help="Take that back: it goes after all.")
def skip(campaign_id: int, number: int, login: str, take_back: bool) -> None:
    """Leave an item out: it does not go."""
    _change_item(campaign_id, number, login, {"skipped": not take_back})


@schedule.command()
@campaign_id
@_number
@as_somebody
@click.option("--label", help="What people call it.")
@click.option("--value", "pairs", multiple=True, metavar="NAME=TEXT", help="A value of its own; may be given again.")
@click.option("--version", "template_version_id", type=int, metavar="ID", help="A text of its own.")
def correct(campaign_id: int, number: int, login: str, pairs: tuple[str, ...], **given: Any) -> None:
    """Correct an item; of a running schedule it alone waits until somebody approves it."""
    from sms_service.errors import Invalid

    changes = {name: value for name, value in given.items() if value is not None}
    if pairs:
        changes["values"] = dict(read_pair(pair) for pair in pairs)
    if not changes:
        raise Invalid("--value", None, "give what is to be corrected: --value, --label or --version")
    _change_item(campaign_id, number, login, changes)


@schedule.command()
@campaign_id
@as_somebody
@click.option("--at", metavar="TIME", required=True, callback=read_moment, help="When: ISO 8601 with offset.")
def retime(campaign_id: int, login: str, at: datetime) -> None:
    """Let the run of a launched campaign without a schedule begin at another time, as long as it waits."""
    from sms_service.campaigns.retiming import change_planned_time

    act_on(campaign_id, login, lambda session, actor: change_planned_time(session, actor, campaign_id, at))


def _change_item(campaign_id: int, number: int, login: str, changes: dict[str, Any]) -> None:
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.correcting import change_item

    with open_session() as session:
        actor = acting(session, login)
        if "values" in changes:
            changes["values"] = _own_values(session, campaign_id, number) | changes["values"]
        change_item(session, actor, campaign_id, number, changes)
        _print(session, actor, campaign_id)


def _own_values(session: Session, campaign_id: int, number: int) -> dict[str, Any]:
    """What the item has, so that one value is corrected and not all others lost."""
    from sms_service.campaigns.models import CampaignItem

    item = session.get(CampaignItem, (campaign_id, number))
    return {} if item is None else dict(item.values)


def _print(session: Session, actor: Actor, campaign_id: int) -> None:
    from zoneinfo import ZoneInfo

    from sms_service.campaigns.models import Campaign
    from sms_service.directory.models import Unit
    from sms_service.schedules.viewing import view_schedule

    found = view_schedule(session, actor, campaign_id)
    campaign = session.get_one(Campaign, campaign_id)
    zone = ZoneInfo(session.get_one(Unit, campaign.unit_id).timezone)
    words = f": {found['words']}" if found["words"] else ""
    click.echo(f"campaign {campaign_id} is {campaign.status}, {campaign.kind}{words}")
    for item in found["items"]:
        at = item["next_at"]
        state = [f"next {at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "not to come"]
        state += ["left out"] if item["skipped"] else []
        state += ["waits for an approval"] if item["waits"] else []
        state += [f"runs {', '.join(map(str, item['runs']))}"] if item["runs"] else []
        click.echo(f"  {item['number']} {item['label']}: {'; '.join(state)}")
    for at in found["next_times"]:
        quiet = found["quiet_days"].get(at.isoformat())
        click.echo(f"  {at.astimezone(zone):%Y-%m-%d %H:%M}" + (f" ({quiet}: a quiet day)" if quiet else ""))
