"""`/channels`: robots of group chats and receivers of one's own, to which campaigns are also posted."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.channel_posts import ChannelPostOut
from sms_service.channels import owning, posts
from sms_service.channels.models import Channel, ChannelState
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealer
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "channels",
    description="Robots of group chats (WeCom, DingTalk, Feishu) and receivers of one's own (signed JSON). A unit's "
    "may be used by it and all below it: a campaign names those to which its runs are also posted, so that officers "
    "forward the text. Address and secret are never shown again.",
)

_KINDS = "`wecom`, `dingtalk`, `feishu`: a robot of a group chat there; `json`: a receiver of one's own"
_KEYWORD = "Put into each post whose text lacks it, for robots that ask for one; null: none"


class ChannelIn(In):
    """A new channel."""

    unit_id = Id(required=True, metadata={"description": "The unit whose channel it is"})
    name = OneLine(owning.LONGEST_NAME, required=True, metadata={"description": "What people call the group"})
    kind = fields.String(required=True, validate=OneOfWords(list(ChannelKind)), metadata={"description": _KINDS})
    address = fields.String(
        required=True, metadata={"description": "The robot's whole address, https; never shown again"}
    )
    secret = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "8 to 200 characters that sign each post: DingTalk's 加签, Feishu's 签名校验, required for "
            "`json`; never shown again"
        },
    )
    keyword = OneLine(owning.LONGEST_KEYWORD, load_default=None, allow_none=True, metadata={"description": _KEYWORD})


class ChannelChange(In):
    """What to change; what is left out stays. Another robot is another channel."""

    name = OneLine(owning.LONGEST_NAME, metadata={"description": "What people call the group"})
    keyword = OneLine(owning.LONGEST_KEYWORD, allow_none=True, metadata={"description": _KEYWORD})
    state = fields.String(
        validate=OneOfWords([ChannelState.open, ChannelState.paused]),
        metadata={"description": "`paused`: what is to be posted waits; `open`: it is posted"},
    )


class ChannelOut(Out):
    """A channel."""

    id = fields.Integer(metadata={"description": "The channel's id"})
    unit_id = fields.Integer(metadata={"description": "The unit whose channel it is"})
    unit = fields.String(metadata={"description": "The unit's name"})
    name = fields.String(metadata={"description": "What people call the group"})
    kind = fields.String(metadata={"description": _KINDS})
    host = fields.String(metadata={"description": "The host of its address, with the port if there is one"})
    keyword = fields.String(allow_none=True, metadata={"description": _KEYWORD})
    state = fields.String(metadata={"description": "`open`, or `paused`: what is to be posted waits"})
    posts = fields.Integer(metadata={"description": "How many posts of runs it has had"})
    last_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When the last of them was posted"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was added"})


class EmptyIn(In):
    """No fields."""


@blueprint.route("/channels")
class Channels(MethodView):
    """The channels."""

    @endpoint(Permission.read)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(ChannelOut, "ChannelList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the channels that may be used in the scope: its units' own and those of the units above"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        rows, following = fetch_page(
            g.session, owning.find_channels(scope.paths), query, sort="id", key=Channel.id, id_=Channel.id
        )
        return scope.answer([owning.describe_channel(row) for row in rows], following)

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(ChannelIn)
    @blueprint.response(201, ChannelOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a channel; a robot is one channel, whosesoever it is"""
        settings = current_context().settings
        body["kind"] = ChannelKind(body["kind"])
        made = owning.add_channel(
            g.session, g.actor, Sealer(settings.channels_keys), settings.private_receivers, **body
        )
        return _shown(made.id)


@blueprint.route("/channels/<int:channel_id>")
class OneChannel(MethodView):
    """One channel."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(ChannelChange)
    @blueprint.response(200, ChannelOut)
    def patch(self, body: dict[str, Any], channel_id: int) -> dict[str, Any]:
        """Change its name or keyword, pause it or resume it"""
        channel, _ = owning.require_channel(g.session, g.actor, channel_id)
        state = body.pop("state", channel.state)
        if body:
            owning.change_channel(g.session, g.actor, channel_id, **body)
        if state != channel.state:
            move = owning.pause_channel if state == ChannelState.paused else owning.resume_channel
            move(g.session, g.actor, channel_id)
        return _shown(channel_id)

    @endpoint(Permission.operate_campaigns)
    @blueprint.response(204)
    def delete(self, channel_id: int) -> None:
        """Remove it for good, with its address; its posts stay, and what waits for it is given up"""
        owning.remove_channel(g.session, g.actor, channel_id)


@blueprint.route("/channels/<int:channel_id>/test")
class ChannelTest(MethodView):
    """Trying it."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(EmptyIn)
    @blueprint.response(202, ChannelPostOut)
    def post(self, body: dict[str, Any], channel_id: int) -> dict[str, Any]:
        """Have a short text posted that says that it is a test; `/channel-posts/{id}` says what became of it"""
        made = posts.request_test_post(g.session, g.actor, channel_id)
        return posts.get_post(g.session, g.actor, made.id)


def _shown(channel_id: int) -> dict[str, Any]:
    statement = owning.find_channels(g.actor.scope(Permission.read)).where(Channel.id == channel_id)
    return owning.describe_channel(g.session.execute(statement).one())
