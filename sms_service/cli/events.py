"""`python -m sms_service event …`: theme days and the like, from the invitation to who came."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.campaigns import campaign_id, read_moment, read_pair, read_picks
from sms_service.cli.options import as_anybody, as_somebody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

_WHY = click.option("--why", required=True, help="Why, for the trail.")
_BEGINS = click.option(
    "--begins", metavar="TIME", required=True, callback=read_moment, help="When it begins: ISO 8601 with offset."
)
_ENDS = click.option("--ends", metavar="TIME", callback=read_moment, help="When it ends.")


@click.group()
def event() -> None:
    """Theme days: invitation, reminder, thanks, and what happens when they move."""


@event.command()
@campaign_id
@as_somebody
@_BEGINS
@_ENDS
@click.option("--invitation", "invitation_days", type=int, default=3, show_default=True, help="Days before it.")
@click.option("--reminder", "reminder_days", type=int, default=1, show_default=True, help="Days before it.")
@click.option("--no-reminder", is_flag=True, help="There is none.")
@click.option("--thanks", "thanks_days", type=int, default=1, show_default=True, help="Days after it.")
@click.option("--no-thanks", is_flag=True, help="There are none.")
@click.option("--text", "pairs", multiple=True, metavar="ITEM=VERSION", help="Another text of item 2 to 5.")
def plan(campaign_id: int, login: str, pairs: tuple[str, ...], no_reminder: bool, no_thanks: bool, **rule: Any) -> None:
    """Make a draft an event, with the draft's text as its invitation."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.errors import Invalid
    from sms_service.schedules.event_planning import plan_event

    texts = {}
    for pair in pairs:
        number, version = read_pair(pair)
        if not (number.isdecimal() and version.isdecimal() and len(pair) < 20):
            raise Invalid("--text", pair, "must be written ITEM=VERSION, the id of a template's version")
        texts[int(number)] = int(version)
    given = rule | ({"reminder_days": None} if no_reminder else {}) | ({"thanks_days": None} if no_thanks else {})
    with open_session() as session:
        actor = acting(session, login)
        plan_event(session, actor, campaign_id, given, texts)
        _print(session, actor, campaign_id)


@event.command()
@campaign_id
@as_anybody
def show(campaign_id: int, login: str | None) -> None:
    """Show an event: its texts with their times and numbers, who said no, who came."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        _print(session, acting(session, login), campaign_id)


@event.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only those of this unit's subtree.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List the events that are to come, by when they begin."""
    from sqlalchemy import func, select

    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.schedules.event_viewing import begins_column, describe_event, find_events

    with open_session() as session:
        now = session.scalars(select(func.sms_now())).one()
        found = find_events(scope_of(session, acting(session, login), code), now)
        rows = session.execute(found.order_by(begins_column())).all()
        for row in rows:
            one = describe_event(row.Campaign, row.Unit)
            state = "called off" if one["cancelled"] else one["status"]
            click.echo(f"{one['campaign_id']}: {one['time']}, {one['unit']}: {one['subject']}, {one['place']}, {state}")
        if not rows:
            click.echo("no event is to come")


@event.command()
@campaign_id
@as_somebody
@_BEGINS
@_ENDS
@click.option("--value", "pairs", multiple=True, metavar="NAME=TEXT", help="Another value, such as 地点=礼堂.")
@click.option("--pick", "picks", multiple=True, metavar="LIST=ID", callback=read_picks, help="Another row of a list.")
@_WHY
def move(
    campaign_id: int,
    login: str,
    begins: datetime,
    ends: datetime | None,
    pairs: tuple[str, ...],
    picks: dict[str, int] | None,
    why: str,
) -> None:
    """Move an event that is under way: who was invited is told, what is still to go gets new times."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.event_changes import move_event

    values = dict(read_pair(pair) for pair in pairs)
    with open_session() as session:
        actor = acting(session, login)
        told = move_event(session, actor, campaign_id, begins, ends=ends, values=values, picks=picks, why=why).told
        _print(session, actor, campaign_id)
        click.echo(f"{told} people who were invited are told")


@event.command()
@campaign_id
@as_anybody
@_WHY
def cancel(campaign_id: int, login: str | None, why: str) -> None:
    """Call an event off: exactly those who were invited are told."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.event_changes import cancel_event

    with open_session() as session:
        told = cancel_event(session, acting(session, login), campaign_id, why).told
        click.echo(f"the event of campaign {campaign_id} is called off; {told} people who were invited are told")


@event.command()
@campaign_id
@as_somebody
@click.option("--person", "numbers", multiple=True, metavar="NUMBER", help="Somebody who came, by the office's number.")
@click.option("--but", "absent", multiple=True, metavar="NUMBER", help="All who were invited came, but for this one.")
def came(campaign_id: int, login: str, numbers: tuple[str, ...], absent: tuple[str, ...]) -> None:
    """Tick off who came to an event that has begun; they get the thanks."""
    from sms_service.cli.acting import acting, find_person_id
    from sms_service.cli.context import open_session
    from sms_service.errors import Invalid
    from sms_service.schedules.attendance import list_expected, record_attendance

    if bool(numbers) == bool(absent):
        raise Invalid("--person", None, "name those who came, or with --but those who did not")
    with open_session() as session:
        actor = acting(session, login)
        people = {find_person_id(session, number) for number in numbers}
        if absent:
            invited = {one.person_id for one in list_expected(session, actor, campaign_id) if one.invited}
            people = invited - {find_person_id(session, number) for number in absent}
        count, expected = record_attendance(session, actor, campaign_id, people)
        click.echo(f"{count} of {expected} people came")


def _print(session: Session, actor: Actor, campaign_id: int) -> None:
    from zoneinfo import ZoneInfo

    from sms_service.directory.models import Unit
    from sms_service.schedules.event_viewing import view_event

    found = view_event(session, actor, campaign_id)
    zone = ZoneInfo(session.get_one(Unit, found["unit_id"]).timezone)
    state = "called off" if found["cancelled"] else found["status"]
    click.echo(f"campaign {campaign_id} is {state}: {found['subject']}, {found['time']}, {found['place']}")
    for item in found["items"]:
        at = item["next_at"]
        words = [f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "waits" if item["fired_at"] is None else "went"]
        words += [str(item["note"])] if item["note"] else []
        words += [f"run {run.id} {run.status}, {run.left} of {run.people} left" for run in item["runs"]]
        click.echo(f"  {item['number']} {item['label']}: {'; '.join(words)}")
    if found["declined"]:
        click.echo(f"  said no: {'、'.join(one['name'] for one in found['declined'])}")
    if found["came"] is not None:
        click.echo(f"  came: {found['came']} of {found['expected']}")
    if found["undecided"]:
        click.echo("  what is still to go waits until somebody approves it")
