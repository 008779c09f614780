"""群机器人: the channels that a unit can use, adding one, trying it, and taking it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, g
from marshmallow import fields
from sqlalchemy import func, select

from sms_service.accounts.permissions import Permission
from sms_service.channels import owning, posts
from sms_service.channels.models import Channel, ChannelPost, ChannelState, PostStatus
from sms_service.channels.robots import ROBOTS
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealer
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import Unit
from sms_service.errors import Invalid, NotFound
from sms_service.said import Said, as_said
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import In, OneLine
from sms_service.web.validators import OneOfWords

LAST_POSTS = 5  # on a channel's page


@dataclass(frozen=True, slots=True)
class KindHints:
    """What somebody needs to know who adds a channel of a kind. `secret`: None where there is none; `takes_keyword`:
    such a robot may ask for one.
    """

    where: Said
    example: str
    most: Said
    secret: Said | None
    takes_keyword: bool = True


KINDS: Mapping[ChannelKind, KindHints] = {
    ChannelKind.wecom: KindHints(
        as_said("Add a robot (群机器人) in the group's settings at WeCom, and copy its webhook address."),
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
        as_said("A post has at most 4,096 bytes, about 1,300 Chinese characters."),
        None,
        takes_keyword=False,
    ),
    ChannelKind.dingtalk: KindHints(
        as_said("Add a custom robot (自定义机器人) in the group's settings at DingTalk, and copy its webhook address."),
        "https://oapi.dingtalk.com/robot/send?access_token=…",
        as_said("A post has at most 20,000 bytes, about 6,000 Chinese characters."),
        as_said("What begins with SEC, if the robot's security settings sign (加签)."),
    ),
    ChannelKind.feishu: KindHints(
        as_said("Add a custom robot (自定义机器人) in the group's settings at Feishu, and copy its webhook address."),
        "https://open.feishu.cn/open-apis/bot/v2/hook/…",
        as_said("A post has at most 20 KB, about 6,000 Chinese characters."),
        as_said("If the robot's security settings check a signature (签名校验)."),
    ),
    ChannelKind.json: KindHints(
        as_said("A program of your own that takes JSON and forwards it: an operator has to run it."),
        "https://robots.example.cn/hook",
        as_said("A post has whatever length it has."),
        as_said("8 to 200 characters that the receiver knows too: by them it sees that a post is ours."),
    ),
}


class ChannelKindQuery(UnitQuery):
    """For which unit, and whose robot it is; without a kind it is chosen first."""

    kind = fields.String(load_default=None, validate=OneOfWords([*ChannelKind]))


class ChannelForm(In):
    """A new channel but for its unit and kind."""

    name = OneLine(owning.LONGEST_NAME, required=True)
    address = fields.String(required=True)
    secret = fields.String(load_default=None)
    keyword = OneLine(owning.LONGEST_KEYWORD, load_default=None)


class ChannelChangeForm(In):
    """What can be changed of one."""

    name = OneLine(owning.LONGEST_NAME, required=True)
    keyword = OneLine(owning.LONGEST_KEYWORD, load_default=None)


@page_view("/channels", Permission.read)
def list_channels() -> str:
    """The channels that one's units can use."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    rows, following = fetch_page(
        g.session, owning.find_channels(scope.paths), query, sort="id", key=Channel.id, id_=Channel.id
    )
    return render_page(
        "channels.html",
        rows=[owning.describe_channel(row) for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        query=query,
        may_add=bool(g.actor.scope(Permission.operate_campaigns)),
    )


@page_view("/channels/new", Permission.operate_campaigns)
def show_new_channel() -> str:
    """Whose group it is and which kind of robot; then its address."""
    query = read_query(ChannelKindQuery)
    place = choose_unit(g.session, g.actor, Permission.operate_campaigns, query["unit"], top=True)
    kind = ChannelKind(query["kind"]) if query["kind"] and place.unit else None
    return render_page(
        "channel_new.html",
        place=place,
        unit=place.unit,
        kinds=KINDS,
        kind=kind,
        hints=KINDS[kind] if kind else None,
        must_sign=kind is not None and ROBOTS[kind].must_sign,
        longest_name=owning.LONGEST_NAME,
        longest_keyword=owning.LONGEST_KEYWORD,
    )


@act_view("/channels/new", Permission.operate_campaigns, again=show_new_channel)
def add_one_channel() -> Response:
    """Add it; its address is shown to nobody again."""
    query = read_query(ChannelKindQuery)
    place = choose_unit(g.session, g.actor, Permission.operate_campaigns, query["unit"], top=True)
    if place.unit is None or query["kind"] is None:
        raise Invalid("kind", query["kind"], "choose the unit and the kind first")
    form, settings = read_form(ChannelForm), current_context().settings
    kind, sealer = ChannelKind(query["kind"]), Sealer(settings.channels_keys)
    try:
        made = owning.add_channel(
            g.session, g.actor, sealer, settings.private_receivers, unit_id=place.unit.id, kind=kind, **form
        )
    except owning.ChannelTaken as taken:
        raise Invalid(taken.field, None, taken.said) from None
    said = as_said("The channel is added. Post a test, and look into the group.")
    return go_to("console.show_channel", said=said, channel_id=made.id)


@page_view("/channels/<int:channel_id>", Permission.read)
def show_channel(channel_id: int) -> str:
    """One channel: whose it is, its last posts, and what can be done with it."""
    channel, unit = _get(channel_id)
    statement = posts.find_posts(g.actor.scope(Permission.read), channel_id=channel_id, tests=True)
    last = g.session.execute(statement.order_by(ChannelPost.id.desc()).limit(LAST_POSTS))
    return render_page(
        "channel.html",
        channel=channel,
        state=ChannelState(channel.state),
        unit=unit,
        last=[posts.describe_post(row) for row in last],
        may_change=channel.state != ChannelState.removed and g.actor.can(Permission.operate_campaigns, unit.path),
        takes_keyword=KINDS[ChannelKind(channel.kind)].takes_keyword or channel.keyword is not None,
        longest_name=owning.LONGEST_NAME,
        longest_keyword=owning.LONGEST_KEYWORD,
    )


@act_view("/channels/<int:channel_id>/change", Permission.operate_campaigns, again=show_channel)
def change_one_channel(channel_id: int) -> Response:
    """Give it another name or keyword."""
    try:
        owning.change_channel(g.session, g.actor, channel_id, **read_form(ChannelChangeForm))
    except owning.ChannelTaken as taken:
        raise Invalid(taken.field, None, taken.said) from None
    return go_to("console.show_channel", said=as_said("The change is kept."), channel_id=channel_id)


@act_view("/channels/<int:channel_id>/test", Permission.operate_campaigns)
def try_channel(channel_id: int) -> Response:
    """Have a short text posted that says that it is a test."""
    made = posts.request_test_post(g.session, g.actor, channel_id)
    return go_to("console.show_post", post_id=made.id)


@act_view("/channels/<int:channel_id>/pause", Permission.operate_campaigns)
def pause_one_channel(channel_id: int) -> Response:
    """Let what is to be posted wait."""
    owning.pause_channel(g.session, g.actor, channel_id)
    said = as_said("It is paused: what is to be posted to it waits until somebody resumes it.")
    return go_to("console.show_channel", said=said, channel_id=channel_id)


@act_view("/channels/<int:channel_id>/resume", Permission.operate_campaigns)
def resume_one_channel(channel_id: int) -> Response:
    """Post to it again."""
    owning.resume_channel(g.session, g.actor, channel_id)
    return go_to("console.show_channel", said=as_said("It is in use again."), channel_id=channel_id)


@page_view("/channels/<int:channel_id>/remove", Permission.operate_campaigns)
def ask_channel_removal(channel_id: int) -> str:
    """What removing it means."""
    channel, unit = _get(channel_id)
    g.actor.require(Permission.operate_campaigns, unit.path)
    waits = select(func.count(ChannelPost.id)).where(
        ChannelPost.channel_id == channel_id, ChannelPost.status == PostStatus.pending
    )
    return render_page("channel_remove.html", channel=channel, waiting=g.session.scalars(waits).one())


@act_view("/channels/<int:channel_id>/remove", Permission.operate_campaigns)
def remove_one_channel(channel_id: int) -> Response:
    """Take it away for good, with its address."""
    owning.remove_channel(g.session, g.actor, channel_id)
    return go_to("console.list_channels", said=as_said("The channel is removed, and its address with it."))


def _get(channel_id: int) -> tuple[Channel, Unit]:
    """The channel, also one that is removed, and its unit. Raises NotFound or Forbidden."""
    channel = g.session.get(Channel, channel_id)
    if channel is None:
        raise NotFound("channel", channel_id)
    unit = g.session.get_one(Unit, channel.unit_id)
    posts.require_in_line(g.actor, unit.path)
    return channel, unit
