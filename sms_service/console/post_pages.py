"""群发布: what was posted to channels and who forwarded it; one post with its text to copy; counts by unit."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.channels import forwarding, posts
from sms_service.channels.models import Channel, ChannelPost, ChannelState, PostStatus
from sms_service.channels.owning import find_channels
from sms_service.channels.robots.base import PostReason
from sms_service.channels.waiting import is_to_forward, is_to_settle
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import write_time
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import Unit
from sms_service.reports.tasks import TaskKind
from sms_service.said import Said, as_said, say
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange
from sms_service.web.words import name_of

MOST_OFFERED = 50  # campaigns and channels to choose from
# What waits for whom, by the kind of task: the right that it needs, and which posts these are.
_WAITING = {
    TaskKind.post_to_forward: (Permission.edit_campaigns, is_to_forward),
    TaskKind.unknown_post: (Permission.operate_campaigns, is_to_settle),
}


class PostsQuery(ScopedPageQuery):
    """Which posts; all that are given must hold. `sender`: of this very unit's runs; `waiting`: only what waits for who
    looks.
    """

    status = fields.String(load_default=None, validate=OneOfWords([*PostStatus]))
    channel = Id(load_default=None)
    campaign = Id(load_default=None)
    sender = Id(load_default=None)
    confirmed = fields.Boolean(load_default=None)
    tests = fields.Boolean(load_default=False)
    waiting = fields.String(load_default=None, validate=OneOfWords([*_WAITING]))


class PostCountsQuery(ScopedPageQuery):
    """Of which units; `campaign`: only its posts."""

    campaign = Id(load_default=None)


class ForwardingForm(In):
    """To which groups a unit has forwarded it, and how many people are in them."""

    unit_id = Id(required=True)
    groups = OneLine(forwarding.LONGEST_GROUPS, required=True)
    people = Whole(load_default=None, validate=WithinRange(0, forwarding.MOST_PEOPLE))


class SettlePostForm(WhyIn):
    """What somebody saw in the group."""

    posted = fields.Boolean(required=True)


@page_view("/channel-posts", Permission.read)
def list_channel_posts() -> str:
    """What was posted to the groups, newest first, and whether somebody says to have forwarded it."""
    query = read_query(PostsQuery)
    right, is_waiting = _WAITING[TaskKind(query["waiting"])] if query["waiting"] else (Permission.read, None)
    scope = scope_filter(g.session, g.actor, right, query["unit"])
    statement = posts.find_posts(
        scope.paths,
        status=query["status"],
        channel_id=query["channel"],
        campaign_id=query["campaign"],
        sender_id=query["sender"],
        confirmed=query["confirmed"],
        tests=query["tests"],
    )
    if is_waiting is not None:
        statement = statement.where(is_waiting(scope.paths))
    rows, following = fetch_page(
        g.session, statement, query, sort="id", key=ChannelPost.id, id_=ChannelPost.id, descending=True
    )
    channels = find_channels(scope.paths).with_only_columns(Channel.id, Channel.name).order_by(Channel.name, Channel.id)
    sender = g.session.get(Unit, query["sender"]) if query["sender"] else None
    return render_page(
        "posts.html",
        rows=[posts.describe_post(row) for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        query=query,
        sender=sender if sender is not None and g.actor.may_use(sender.path) else None,
        statuses=[(status, name_here(status)) for status in PostStatus],
        channels=[(row.id, row.name) for row in g.session.execute(channels.limit(MOST_OFFERED))],
        campaigns=posts.list_posted_campaigns(g.session, scope.paths, MOST_OFFERED),
    )


@page_view("/channel-posts/counts", Permission.read)
def show_post_counts() -> str:
    """By unit: how many posts there are, how many are forwarded, and how many are not yet."""
    query = read_query(PostCountsQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = posts.find_post_counts(scope.paths, campaign_id=query["campaign"])
    rows, following = fetch_page(g.session, statement, query, sort="path", key=Unit.path, id_=Unit.id)
    total = posts.sum_posts(g.session, scope.paths, campaign_id=query["campaign"])
    return render_page(
        "post_counts.html",
        rows=[posts.describe_post_count(row) for row in rows],
        total=total,
        others=[one for one, number in total["statuses"].items() if number and one != PostStatus.posted],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        campaigns=posts.list_posted_campaigns(g.session, scope.paths, MOST_OFFERED),
        query=query,
    )


@page_view("/channel-posts/<int:post_id>", Permission.read)
def show_post(post_id: int) -> str:
    """One post: its text to copy, the word that it was forwarded, who gave theirs, and what can be done about it."""
    post = posts.get_post(g.session, g.actor, post_id)
    said = forwarding.find_forwardings(post_id, g.actor.scope(Permission.read))
    confirmations = [
        {
            "forwarding": row.Forwarding,
            "unit": row.unit,
            "account": row.account,
            "may_take_back": g.actor.can(Permission.edit_campaigns, row.path),
        }
        for row in g.session.execute(said)
    ]
    units = _list_forwarders(post)
    first = units[0].id if units else None
    own = next((one["forwarding"] for one in confirmations if one["forwarding"].unit_id == first), None)
    return render_page(
        "post.html",
        post=post,
        state=say_post(post),
        reads_run=post["run_id"] is not None and g.actor.can(Permission.read, post["path"]),
        confirmations=confirmations,
        units=[(unit.id, unit.name) for unit in units],
        own=own,
        last_groups=forwarding.list_last_groups(g.session, first) if first and own is None else [],
        most_groups=forwarding.LONGEST_GROUPS,
        most_people=forwarding.MOST_PEOPLE,
        may_settle=post["status"] == PostStatus.unknown and _may_send(post),
        may_repeat=_is_repeatable(post) and _may_send(post),
    )


@act_view("/channel-posts/<int:post_id>/forwardings", Permission.edit_campaigns, again=show_post)
def say_forwarded(post_id: int) -> Response:
    """Keep that a unit has forwarded it; said again, the later counts."""
    form = read_form(ForwardingForm)
    forwarding.confirm_forwarding(g.session, g.actor, post_id, form["unit_id"], form["groups"], form["people"])
    return go_to("console.show_post", said=as_said("It is kept that you forwarded it. Thank you."), post_id=post_id)


@act_view("/channel-posts/<int:post_id>/forwardings/<int:unit_id>/take-back", Permission.edit_campaigns)
def take_forwarding_back(post_id: int, unit_id: int) -> Response:
    """Take back what was said by mistake."""
    forwarding.withdraw_forwarding(g.session, g.actor, post_id, unit_id)
    said = as_said("It is taken back: the unit has not forwarded it.")
    return go_to("console.show_post", said=said, post_id=post_id)


@page_view("/channel-posts/<int:post_id>/settle", Permission.operate_campaigns)
def ask_post_settlement(post_id: int) -> str:
    """Whether it stands in the group."""
    return _ask(post_id, "settle")


@act_view("/channel-posts/<int:post_id>/settle", Permission.operate_campaigns, again=ask_post_settlement)
def settle_one_post(post_id: int) -> Response:
    """Write down what somebody saw in the group."""
    form = read_form(SettlePostForm)
    posts.settle_post(g.session, g.actor, post_id, form["why"], posted=form["posted"])
    return go_to("console.show_post", said=as_said("It is kept."), post_id=post_id)


@page_view("/channel-posts/<int:post_id>/again", Permission.operate_campaigns)
def ask_post_again(post_id: int) -> str:
    """What posting it again means."""
    return _ask(post_id, "again")


@act_view("/channel-posts/<int:post_id>/again", Permission.operate_campaigns, again=ask_post_again)
def post_once_more(post_id: int) -> Response:
    """Have it posted again."""
    posts.post_again(g.session, g.actor, post_id, read_form(WhyIn)["why"])
    return go_to("console.show_post", said=as_said("It is posted again within a day."), post_id=post_id)


def say_post(post: dict[str, Any]) -> Said:
    """How far a post is, and why, in one sentence; `post` as `describe_post` has it."""
    why = name_of(PostReason(post["reason"])) if post["reason"] else None
    match post["status"]:
        case PostStatus.pending if post["channel_state"] == ChannelState.paused:
            return as_said("It waits: the channel is paused.")
        case PostStatus.pending if post["tries"]:
            return say("It was not taken at try {number}, and is tried again.", number=post["tries"])
        case PostStatus.pending:
            return as_said("It waits to be posted, for its turn and for whatever holds the texts back too.")
        case PostStatus.posting:
            return as_said("It is being posted.")
        case PostStatus.posted:
            return say("It was posted on {time}.", time=write_time(post["posted_at"]))
        case PostStatus.unknown:
            return as_said("Nobody can tell whether it stands in the group: look there, and say what you see.")
        case PostStatus.refused:
            return say("It was not posted. {why}.", why=why or as_said("unknown"))
        case _:
            return say("It is not posted any more. {why}.", why=why or as_said("unknown"))


def _ask(post_id: int, act: str) -> str:
    post = posts.get_post(g.session, g.actor, post_id)
    g.actor.require(Permission.operate_campaigns, post["path"])
    usable = post["status"] == PostStatus.unknown if act == "settle" else _is_repeatable(post)
    return render_page("post_act.html", post=post, state=say_post(post), act=act, usable=usable)


def _may_send(post: dict[str, Any]) -> bool:
    return bool(g.actor.can(Permission.operate_campaigns, post["path"]))


def _is_repeatable(post: dict[str, Any]) -> bool:
    """Whether it could be posted again, as far as the post itself says."""
    ended = (PostStatus.refused, PostStatus.unknown, PostStatus.cancelled)
    never = (PostReason.unrendered, PostReason.run_cancelled)
    return post["status"] in ended and post["channel_state"] != ChannelState.removed and post["reason"] not in never


def _list_forwarders(post: dict[str, Any]) -> list[Unit]:
    """The units for which the visitor can say that they forwarded it: the post's own or the highest of theirs below it
    comes first.
    """
    if post["run_id"] is None or post["status"] not in forwarding.FORWARDABLE:
        return []
    right = Permission.edit_campaigns
    if not any(post["path"].startswith(one) or one.startswith(post["path"]) for one in g.actor.scope(right)):
        return []
    choice = choose_unit(
        g.session, g.actor, right, post["unit_id"] if g.actor.can(right, post["path"]) else None, top=True
    )
    line = ([choice.unit] if choice.unit else []) + [*choice.below]
    return [unit for unit in line if unit.path.startswith(post["path"])]
