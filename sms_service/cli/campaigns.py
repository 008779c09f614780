"""`python -m sms_service campaign …`: the API's acts on campaigns from the shell, as an account (`--as LOGIN`).

Writing and deciding always need an account, so that two people see every campaign. The other acts, without `--as`, are
acts of the service itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import as_anybody, as_somebody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor
    from sms_service.content.findings import LintFinding
    from sms_service.ledger.models import Run

campaign_id = click.argument("campaign_id", metavar="ID", type=click.IntRange(1))
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def read_moment(_: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """An option's time, by its callback. Raises Invalid."""
    from sms_service.errors import Invalid

    try:
        return None if value is None else datetime.fromisoformat(value)
    except ValueError:
        reason = "must be a time with its offset, such as 2026-12-01T09:00:00+08:00"
        raise Invalid(option.opts[0], value, reason) from None


def read_picks(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, int] | None:
    """An option's rows of reference lists, by its callback; None: none is given. Raises Invalid."""
    from sms_service.errors import Invalid

    picks = {}
    for one in given:
        name, _equals, row_id = one.partition("=")
        if not (name and row_id.isdecimal() and len(row_id) < 19):
            raise Invalid(option.opts[0], one, "must be written LIST=ID, the id of a row of the list")
        picks[name] = int(row_id)
    return picks or None


def read_asks_json(_: click.Context, option: click.Parameter, given: str | None) -> dict[str, Any] | None:
    """An option's `asks`, by its callback; its words are checked when it is kept. Raises Invalid."""
    from sms_service.errors import Invalid

    if given is None:
        return None
    try:
        asks = json.loads(given)
    except (ValueError, RecursionError):
        asks = None
    if not isinstance(asks, dict):
        raise Invalid(option.opts[0], given, """must be a JSON object, such as {"kind": "rsvp"}""")
    return asks


_ASKS = """What its texts ask, as JSON: '{"kind": "rsvp"}', '{"kind": "survey", "options": ["满意", "不满意"]}'."""
_CHANNEL = "A channel to which its runs are also posted; may be given again."
_PICK = "A row of a reference list, by the row's id; may be given again."


@click.group()
def campaign() -> None:
    """Write, decide on, launch and stop campaigns."""


@campaign.command()
@as_somebody
@click.option("--unit", "code", metavar="CODE", required=True, help="The code of the unit that sends it.")
@click.option("--name", required=True, help="Its name.")
@click.option("--template", "template_id", type=int, required=True, metavar="ID", help="The template.")
@click.option("--version", "number", type=int, metavar="N", help="Its version; by default the newest.")
@click.option("--segment", "segment_id", type=int, required=True, metavar="ID", help="The segment.")
@click.option("--signature", required=True, help="Stands in front as 【signature】; without brackets.")
@click.option("--value", "pairs", multiple=True, metavar="NAME=TEXT", help="A variable's value; may be given again.")
@click.option("--pick", "picks", multiple=True, metavar="LIST=ID", callback=read_picks, help=_PICK)
@click.option("--asks", metavar="JSON", callback=read_asks_json, help=_ASKS)
@click.option("--channel", "channels", multiple=True, type=int, metavar="ID", help=_CHANNEL)
@click.option("--route", default="default", show_default=True, help="A route of gateways.toml.")
@click.option("--validity", "validity_s", type=int, default=86_400, show_default=True, metavar="SECONDS")
@click.option("--urgent", is_flag=True, help="It goes before all that is not.")
@click.option("--canary-receipts", is_flag=True, help="After its first texts it waits for their receipts.")
@click.option("--launch-on-approval", is_flag=True, help="Its approval launches it.")
@click.option("--planned", "planned_at", metavar="TIME", callback=read_moment, help="When: ISO 8601 with offset.")
def create(login: str, code: str, template_id: int, number: int | None, pairs: tuple[str, ...], **fields: Any) -> None:
    """Write a campaign; it is a draft."""
    from sms_service.campaigns import services
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.library import get_numbered_version

    values = dict(read_pair(pair) for pair in pairs)
    with open_session() as session:
        actor = acting(session, login)
        _, version = get_numbered_version(session, actor, template_id, number)
        made = services.create_campaign(
            session,
            actor,
            unit_id=find_unit_id(session, code),
            template_version_id=version.id,
            values=values,
            **fields,
        )
        _say(session, actor, made.id)


@campaign.command()
@campaign_id
@as_somebody
@click.option("--name", help="Its name.")
@click.option("--signature", help="Stands in front as 【signature】; without brackets.")
@click.option("--pick", "picks", multiple=True, metavar="LIST=ID", callback=read_picks, help=_PICK)
@click.option("--asks", metavar="JSON", callback=read_asks_json, help=_ASKS)
@click.option("--asks-nothing", is_flag=True, help="Its texts ask nothing any more.")
@click.option("--channel", "channels", multiple=True, type=int, metavar="ID", help=_CHANNEL)
@click.option("--no-channel", is_flag=True, help="It is posted to no channel any more.")
@click.option("--route", help="A route of gateways.toml.")
@click.option("--validity", "validity_s", type=int, metavar="SECONDS", help="From launch until texts expire.")
@click.option("--urgent/--not-urgent", default=None, help="It goes before all that is not.")
@click.option("--canary-receipts/--no-canary-receipts", default=None, help="Its first texts' receipts are waited for.")
@click.option("--launch-on-approval/--no-launch-on-approval", default=None, help="Its approval launches it.")
@click.option("--planned", "planned_at", metavar="TIME", callback=read_moment, help="When: ISO 8601 with offset.")
def change(
    campaign_id: int, login: str, channels: tuple[int, ...], no_channel: bool, asks_nothing: bool, **changes: Any
) -> None:
    """Change a draft; an approved or rejected campaign becomes a draft again."""
    from sms_service.campaigns.services import change_campaign

    given = {name: value for name, value in changes.items() if value is not None}
    if channels or no_channel:
        given["channels"] = channels
    if asks_nothing:
        given["asks"] = None
    act_on(campaign_id, login, lambda session, actor: change_campaign(session, actor, campaign_id, given))


@campaign.command()
@campaign_id
@as_anybody
def lint(campaign_id: int, login: str | None) -> None:
    """Print what is odd about a campaign before it is sent."""
    from sms_service.campaigns.outlook import lint_campaign
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        print_findings(lint_campaign(session, acting(session, login), campaign_id))


@campaign.command()
@campaign_id
@as_somebody
def submit(campaign_id: int, login: str) -> None:
    """Put a draft before an approver."""
    from sms_service.campaigns.services import submit_campaign

    act_on(campaign_id, login, lambda session, actor: submit_campaign(session, actor, campaign_id))


@campaign.command()
@campaign_id
@as_somebody
@click.option("--comment", help="A remark for the people who wrote it.")
@click.option("--tick", "ticks", metavar="KEY", multiple=True, help="A finding of `lint` that was seen.")
def approve(campaign_id: int, login: str, comment: str | None, ticks: tuple[str, ...]) -> None:
    """Approve a submitted campaign as it stands; not one that the same account wrote, changed or submitted."""
    from sms_service.campaigns.approval import decide_approval

    act_on(
        campaign_id,
        login,
        lambda session, actor: decide_approval(session, actor, campaign_id, approve=True, comment=comment, ticks=ticks),
    )


@campaign.command()
@campaign_id
@as_somebody
@click.option("--comment", required=True, help="Why, for the people who wrote it.")
def reject(campaign_id: int, login: str, comment: str) -> None:
    """Reject a submitted campaign."""
    from sms_service.campaigns.approval import decide_approval

    act_on(
        campaign_id,
        login,
        lambda session, actor: decide_approval(session, actor, campaign_id, approve=False, comment=comment),
    )


@campaign.command()
@campaign_id
@as_somebody
def withdraw(campaign_id: int, login: str) -> None:
    """Give up a campaign that was never launched."""
    from sms_service.campaigns.services import withdraw_campaign

    act_on(campaign_id, login, lambda session, actor: withdraw_campaign(session, actor, campaign_id))


@campaign.command()
@campaign_id
@as_anybody
@click.option("--at", metavar="TIME", callback=read_moment, help="ISO 8601 with offset; by default now.")
def launch(campaign_id: int, login: str | None, at: datetime | None) -> None:
    """Launch an approved campaign, once: launching it again shows its run."""
    from sms_service.campaigns.launch import launch_campaign

    act_on(campaign_id, login, lambda session, actor: launch_campaign(session, actor, campaign_id, at))


@campaign.command()
@campaign_id
@as_anybody
@_json
def show(campaign_id: int, login: str | None, as_json: bool) -> None:
    """Show a campaign, the last decision on it, and its run's numbers."""
    from sms_service.campaigns import control, overview
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        found = overview.get_campaign(session, actor, campaign_id)
        found["class"] = found.pop("class_")
        if found["run_id"] is not None:
            found["run"] = _numbers(session, control.get_run(session, actor, found["run_id"]))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, default=str))
        return
    for name, value in found.items():
        nested = isinstance(value, (dict, list))
        click.echo(f"{name}: {json.dumps(value, ensure_ascii=False, default=str) if nested else value}")


@campaign.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only those of this unit's subtree.")
@click.option("--status", help="Only those of this status.")
@as_anybody
@_json
def list_(code: str | None, status: str | None, login: str | None, as_json: bool) -> None:
    """List campaigns, newest first."""
    from rich.console import Console
    from rich.table import Table

    from sms_service.campaigns import overview
    from sms_service.campaigns.models import Campaign
    from sms_service.campaigns.states import CampaignStatus
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.errors import Invalid

    if status is not None and status not in [*CampaignStatus]:
        raise Invalid("--status", status, f"must be one of {', '.join(CampaignStatus)}")
    names = ("id", "unit", "name", "status", "class", "segment", "template", "run_id", "run_status")
    with open_session() as session:
        statement = overview.find_campaigns(scope_of(session, acting(session, login), code), status=status)
        rows = session.execute(statement.order_by(Campaign.id.desc())).all()
        described = [overview.describe_campaign(row) for row in rows]
    lines = [{name: found["class_" if name == "class" else name] for name in names} for found in described]
    if as_json:
        click.echo(json.dumps(lines, ensure_ascii=False))
        return
    table = Table(*names)
    for line in lines:
        table.add_row(*("" if value is None else str(value) for value in line.values()))
    Console().print(table)


def act_on(campaign_id: int, login: str | None, act: Callable[[Session, Actor], Any]) -> None:
    """Act on a campaign in one transaction, then say how it stands."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        act(session, actor)
        _say(session, actor, campaign_id)


def _say(session: Session, actor: Actor, campaign_id: int) -> None:
    from sms_service.campaigns.overview import get_campaign

    found = get_campaign(session, actor, campaign_id)
    run = f", run {found['run_id']} is {found['run_status']}" if found["run_id"] else ""
    click.echo(f"campaign {campaign_id} {found['name']} is {found['status']}{run}")
    if found["missing_values"]:
        click.echo(f"only recipients' attributes can fill: {', '.join(found['missing_values'])}", err=True)


def _numbers(session: Session, run: Run) -> dict[str, Any]:
    from sms_service.controls.stops import stops_of
    from sms_service.reports.counts import check_identity

    stops = [stop["id"] for stop in stops_of(session, run.unit_path, run.route_id)]
    about = {
        "id": run.id,
        "status": run.status,
        "reason": run.reason,
        "held_for": run.held_for,
        "lane": run.lane,
        "canary": run.in_canary,
        "stops": stops,
    }
    if run.audience is None:
        return {**about, "due_at": run.due_at}
    found = check_identity(session, run.id)
    return {**about, "audience": found.audience, "statuses": found.statuses, "identity": found.holds}


def print_findings(findings: Sequence[LintFinding]) -> None:
    """A line for each finding: severity, key, place, what and what helps."""
    for one in findings:
        click.echo(f"{one.severity} [{one.key}] {one.place}: {one.text}; {one.remedy}")
        if one.people:
            click.echo(f"  {', '.join(one.people)}")
    if not findings:
        click.echo("nothing is odd")


def read_pair(given: str) -> tuple[str, str]:
    """Name and text of a value as it is written on the command line. Raises Invalid."""
    from sms_service.errors import Invalid

    name, equals, value = given.partition("=")
    if not (name and equals):
        raise Invalid("--value", given, "must be written NAME=TEXT")
    return name, value
