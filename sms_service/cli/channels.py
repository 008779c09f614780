"""`python -m sms_service channel …` and `… post …`: robots of group chats, and what was posted to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from sms_service.cli.options import as_anybody, why

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

T = TypeVar("T")
channel_id = click.argument("channel_id", metavar="ID", type=click.IntRange(1))
post_id = click.argument("post_id", metavar="ID", type=click.IntRange(1))


@click.group()
def channel() -> None:
    """Channels of units: robots of group chats, and receivers of one's own."""


@channel.command("list")
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@as_anybody
def list_channels(code: str | None, login: str | None) -> None:
    """List the channels."""
    from sms_service.channels.models import Channel
    from sms_service.channels.owning import find_channels
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session

    with open_session() as session:
        statement = find_channels(scope_of(session, acting(session, login), code))
        rows = session.execute(statement.order_by(Channel.id)).all()
        for row in rows:
            one, unit = row.Channel, row.Unit
            click.echo(f"{one.id}: {one.name}, {one.kind} at {one.host}, {unit.code} {unit.name}, {one.state}")
        if not rows:
            click.echo("there is no channel")


@channel.command()
@click.argument("name")
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit whose channel it is.")
@click.option("--kind", type=click.Choice(["wecom", "dingtalk", "feishu", "json"]), required=True)
@click.option("--address", prompt=True, hide_input=True, help="Asked for, so that it stays out of the shell's history.")
@click.option("--signed", is_flag=True, help="Ask for the secret that signs each post, too.")
@click.option("--keyword", help="Put into each post whose text lacks it.")
@as_anybody
def add(name: str, code: str, kind: str, address: str, signed: bool, keyword: str | None, login: str | None) -> None:
    """Add a channel; its address is kept sealed and never shown again."""
    from sms_service.channels.owning import add_channel
    from sms_service.channels.robots.base import ChannelKind
    from sms_service.channels.sealing import Sealer
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session, running_settings
    from sms_service.ops.variables import service_variables
    from sms_service.settings import load_settings

    settings = running_settings()
    keys = load_settings(service_variables(settings), settings.root).channels_keys
    secret = click.prompt("Secret", hide_input=True) if signed else None
    with open_session() as session:
        made = add_channel(
            session,
            acting(session, login),
            Sealer(keys),
            settings.private_receivers,
            unit_id=find_unit_id(session, code),
            name=name,
            kind=ChannelKind(kind),
            address=address,
            secret=secret,
            keyword=keyword,
        )
        click.echo(f"channel {made.id} {made.name} is added")


@channel.command()
@channel_id
@as_anybody
def pause(channel_id: int, login: str | None) -> None:
    """Let what is to be posted wait."""
    from sms_service.channels.owning import pause_channel

    _act(login, lambda session, actor: pause_channel(session, actor, channel_id))
    click.echo(f"channel {channel_id} is paused")


@channel.command()
@channel_id
@as_anybody
def resume(channel_id: int, login: str | None) -> None:
    """Post to a paused channel again."""
    from sms_service.channels.owning import resume_channel

    _act(login, lambda session, actor: resume_channel(session, actor, channel_id))
    click.echo(f"channel {channel_id} is open")


@channel.command()
@channel_id
@as_anybody
def remove(channel_id: int, login: str | None) -> None:
    """Remove a channel for good, with its address."""
    from sms_service.channels.owning import remove_channel

    _act(login, lambda session, actor: remove_channel(session, actor, channel_id))
    click.echo(f"channel {channel_id} is removed")


@channel.command()
@channel_id
@as_anybody
def test(channel_id: int, login: str | None) -> None:
    """Have a text posted that says that it is a test."""
    from sms_service.channels.posts import request_test_post

    made = _act(login, lambda session, actor: request_test_post(session, actor, channel_id).id)
    click.echo(f"post {made} will be posted; `post list --tests` says what became of it")


@click.group()
def post() -> None:
    """What was posted to channels."""


@post.command("list")
@click.option("--unit", "code", metavar="CODE", help="The unit with this code, and all below it.")
@click.option("--campaign", "campaign_id", type=click.IntRange(1), metavar="ID", help="Only of this campaign.")
@click.option("--status", help="Only posts of this status.")
@click.option("--tests", is_flag=True, help="With tests of channels.")
@as_anybody
def list_posts(code: str | None, campaign_id: int | None, status: str | None, tests: bool, login: str | None) -> None:
    """List the last 100 posts, newest first."""
    from sms_service.channels.models import ChannelPost
    from sms_service.channels.posts import describe_post, find_posts
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session

    with open_session() as session:
        scope = scope_of(session, acting(session, login), code)
        statement = find_posts(scope, status=status, campaign_id=campaign_id, tests=tests)
        rows = session.execute(statement.order_by(ChannelPost.id.desc()).limit(100)).all()
        for one in map(describe_post, rows):
            reason = f" ({one['reason']}{' ' + one['code'] if one['code'] else ''})" if one["reason"] else ""
            said = f", forwarded by {one['forwardings']} units" if one["forwardings"] else ""
            click.echo(f"{one['id']}: {one['title']} to {one['channel']}: {one['status']}{reason}{said}")
        if not rows:
            click.echo("there is no post")


@post.command()
@post_id
@why
@as_anybody
def again(post_id: int, why: str, login: str | None) -> None:
    """Post again what was refused, is unknown or was given up; what was unknown may then stand there twice."""
    from sms_service.channels.posts import post_again

    _act(login, lambda session, actor: post_again(session, actor, post_id, why))
    click.echo(f"post {post_id} will be posted again")


@post.command("settle")
@post_id
@click.option("--posted/--not-posted", required=True, help="Whether it stands in the group.")
@why
@as_anybody
def settle_one(post_id: int, posted: bool, why: str, login: str | None) -> None:
    """Write down whether an unknown post stands in the group."""
    from sms_service.channels.posts import settle_post

    _act(login, lambda session, actor: settle_post(session, actor, post_id, why, posted=posted))
    click.echo(f"post {post_id} is {'posted' if posted else 'refused'}")


@post.command()
@post_id
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit that forwarded it.")
@click.option("--groups", required=True, help="To which groups, in words.")
@click.option("--people", type=click.IntRange(0), metavar="N", help="How many people are in these groups.")
@as_anybody
def forwarded(post_id: int, code: str, groups: str, people: int | None, login: str | None) -> None:
    """Say that a unit has forwarded a post."""
    from sms_service.channels.forwarding import confirm_forwarding
    from sms_service.cli.acting import find_unit_id

    _act(
        login,
        lambda session, actor: (
            confirm_forwarding(session, actor, post_id, find_unit_id(session, code), groups, people).id
        ),
    )
    click.echo(f"post {post_id} was forwarded by {code}")


def _act(login: str | None, act: Callable[[Session, Actor], T]) -> T:
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        return act(session, acting(session, login))
