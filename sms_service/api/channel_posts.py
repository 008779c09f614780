"""`/channel-posts`: what was posted to channels, and who says to have forwarded it."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.channels import forwarding, posts
from sms_service.channels.models import ChannelPost, PostStatus
from sms_service.channels.robots.base import ChannelKind, PostReason
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, ScopeUnit, Whole, WhyIn, list_of
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint(
    "channel posts",
    description="One post of each run to each channel of its campaign. A post is made once: if nobody can tell whether "
    "it was taken it is `unknown`, and goes again only by a person's word. The units at and below the post's unit read "
    "it, and say when they have forwarded it.",
)

_STATUS = "One of " + ", ".join(PostStatus)
_PEOPLE = "How many people are in these groups; null: not counted"


class ChannelPostQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    status = fields.String(
        load_default=None, validate=OneOfWords(list(PostStatus)), metadata={"description": "Only posts of this status"}
    )
    channel = Id(load_default=None, metadata={"description": "Only posts to this channel"})
    run = Id(load_default=None, metadata={"description": "Only posts of this run"})
    campaign = Id(load_default=None, metadata={"description": "Only posts of this campaign's runs"})
    sender = Id(load_default=None, metadata={"description": "Only posts of this very unit's runs"})
    confirmed = fields.Boolean(
        load_default=None, metadata={"description": "Only those that somebody, or nobody, says to have forwarded"}
    )
    tests = fields.Boolean(load_default=False, metadata={"description": "With tests of channels"})


class ChannelPostCountQuery(In):
    """What to count."""

    unit = Id(
        load_default=None,
        metadata={"description": "Count this unit's subtree only; by default everything that the caller may read"},
    )
    campaign = Id(load_default=None, metadata={"description": "Only posts of this campaign's runs"})


class ForwardingIn(In):
    """That a unit has forwarded it."""

    unit_id = Id(required=True, metadata={"description": "The unit that forwarded it: the post's, or one below it"})
    groups = OneLine(forwarding.LONGEST_GROUPS, required=True, metadata={"description": "To which groups, in words"})
    people = Whole(
        load_default=None,
        allow_none=True,
        validate=WithinRange(0, forwarding.MOST_PEOPLE),
        metadata={"description": _PEOPLE},
    )


class SettlePostIn(WhyIn):
    """What a person saw."""

    posted = fields.Boolean(required=True, metadata={"description": "Whether the post stands in the group"})


class ChannelPostOut(Out):
    """A post."""

    id = fields.Integer(metadata={"description": "The post's id"})
    channel_id = fields.Integer(metadata={"description": "The channel"})
    channel = fields.String(metadata={"description": "The channel's name"})
    kind = fields.String(metadata={"description": "The channel's kind: one of " + ", ".join(ChannelKind)})
    run_id = fields.Integer(allow_none=True, metadata={"description": "The run; null: a test of the channel"})
    campaign_id = fields.Integer(allow_none=True, metadata={"description": "The run's campaign"})
    unit_id = fields.Integer(metadata={"description": "The run's unit; of a test, the channel's"})
    unit = fields.String(metadata={"description": "The unit's name"})
    status = fields.String(metadata={"description": _STATUS})
    reason = fields.String(allow_none=True, metadata={"description": "Why: one of " + ", ".join(PostReason)})
    code = fields.String(allow_none=True, metadata={"description": "The receiver's own code"})
    detail = MaskedText(allow_none=True, metadata={"description": "The receiver's own words, at most 200 characters"})
    tries = fields.Integer(metadata={"description": "How often it was about to be posted"})
    title = fields.String(metadata={"description": "What stands above the text: the campaign's name"})
    text = MaskedText(metadata={"description": "The text where no particular person is meant"})
    people = fields.Integer(allow_none=True, metadata={"description": "To how many people the run goes"})
    forwardings = fields.Integer(metadata={"description": "How many units say to have forwarded it"})
    forwarded_people = fields.Integer(
        allow_none=True, metadata={"description": "How many people are in their groups, as far as they say"}
    )
    posted_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was posted"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was made"})


class ForwardingOut(Out):
    """A unit that forwarded it."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    account = fields.String(allow_none=True, metadata={"description": "Who said so, by name; null: the service"})
    groups = MaskedText(metadata={"description": "To which groups"})
    people = fields.Integer(allow_none=True, metadata={"description": _PEOPLE})
    at = fields.AwareDateTime(metadata={"description": "When this was said"})


class WholePostOut(ChannelPostOut):
    """A post with who forwarded it."""

    plain = MaskedText(metadata={"description": "All that is posted, as one text"})
    confirmations = fields.List(
        fields.Nested(ForwardingOut), metadata={"description": "The units of the caller's scope that forwarded it"}
    )


class PostCountOut(Out):
    """The posts of one unit's runs."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    posts = fields.Integer(metadata={"description": "How many there are; the sum of `statuses`"})
    statuses = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "How many there are of each status"}
    )
    confirmed = fields.Integer(metadata={"description": "How many of those posted somebody says to have forwarded"})


class PostCountsOut(Out):
    """The posts by unit."""

    items = fields.List(fields.Nested(PostCountOut), metadata={"description": "One for each unit with posts"})
    scope = fields.List(fields.Nested(ScopeUnit), metadata={"description": "The units whose subtrees this covers"})


@blueprint.route("/channel-posts")
class ChannelPosts(MethodView):
    """The posts."""

    @endpoint(Permission.read)
    @blueprint.arguments(ChannelPostQuery, location="query")
    @blueprint.response(200, list_of(ChannelPostOut, "ChannelPostList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the posts of the scope's units and of the units above them, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = posts.find_posts(
            scope.paths,
            status=query["status"],
            channel_id=query["channel"],
            run_id=query["run"],
            campaign_id=query["campaign"],
            sender_id=query["sender"],
            confirmed=query["confirmed"],
            tests=query["tests"],
        )
        rows, following = fetch_page(
            g.session, statement, query, sort="id", key=ChannelPost.id, id_=ChannelPost.id, descending=True
        )
        return scope.answer([posts.describe_post(row) for row in rows], following)


@blueprint.route("/channel-posts/counts")
class ChannelPostCounts(MethodView):
    """How many there are."""

    @endpoint(Permission.read)
    @blueprint.arguments(ChannelPostCountQuery, location="query")
    @blueprint.response(200, PostCountsOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Count the posts of the scope's units, by unit, by status, and how many are confirmed"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        items = posts.count_posts(g.session, scope.paths, campaign_id=query["campaign"])
        return {"items": items, "scope": scope.units}


@blueprint.route("/channel-posts/<int:post_id>")
class OneChannelPost(MethodView):
    """One post."""

    @endpoint(Permission.read)
    @blueprint.response(200, WholePostOut)
    def get(self, post_id: int) -> dict[str, Any]:
        """Show a post, all that it says, and who forwarded it"""
        return _whole(post_id)


@blueprint.route("/channel-posts/<int:post_id>/again")
class AgainPosted(MethodView):
    """Once more."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyIn)
    @blueprint.response(200, WholePostOut)
    def post(self, body: dict[str, Any], post_id: int) -> dict[str, Any]:
        """Post again what was refused, is unknown or was given up; what was unknown may then stand there twice"""
        posts.post_again(g.session, g.actor, post_id, body["why"])
        return _whole(post_id)


@blueprint.route("/channel-posts/<int:post_id>/settle")
class SettledPost(MethodView):
    """What a person saw in the group."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(SettlePostIn)
    @blueprint.response(200, WholePostOut)
    def post(self, body: dict[str, Any], post_id: int) -> dict[str, Any]:
        """Write down whether an unknown post stands in the group"""
        posts.settle_post(g.session, g.actor, post_id, body["why"], posted=body["posted"])
        return _whole(post_id)


@blueprint.route("/channel-posts/<int:post_id>/forwardings")
class Forwardings(MethodView):
    """Who forwarded it."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(ForwardingIn)
    @blueprint.response(201, WholePostOut)
    def post(self, body: dict[str, Any], post_id: int) -> dict[str, Any]:
        """Say that a unit has forwarded it; said again, the later counts"""
        forwarding.confirm_forwarding(g.session, g.actor, post_id, **body)
        return _whole(post_id)


@blueprint.route("/channel-posts/<int:post_id>/forwardings/<int:unit_id>")
class OneForwarding(MethodView):
    """A unit's word."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.response(204)
    def delete(self, post_id: int, unit_id: int) -> None:
        """Take back what was said by mistake"""
        forwarding.withdraw_forwarding(g.session, g.actor, post_id, unit_id)


def _whole(post_id: int) -> dict[str, Any]:
    rows = g.session.execute(forwarding.find_forwardings(post_id, g.actor.scope(Permission.read)))
    said = ("unit_id", "groups", "people", "at")
    confirmations = [
        {**{name: getattr(row.Forwarding, name) for name in said}, "unit": row.unit, "account": row.account}
        for row in rows
    ]
    return {**posts.get_post(g.session, g.actor, post_id), "confirmations": confirmations}
