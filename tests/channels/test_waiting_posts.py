"""What waits at posts: to forward for the unit that posted and those below it, to settle for who sends there."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from sms_service.accounts.actors import SYSTEM
from sms_service.channels.forwarding import confirm_forwarding, list_last_groups, withdraw_forwarding
from sms_service.channels.models import ChannelPost
from sms_service.channels.posts import find_posts, settle_post, sum_posts
from sms_service.channels.waiting import FORWARDED_WITHIN, is_to_forward
from sms_service.reports.tasks import TaskKind, list_tasks
from tests.channels.chat import make_post
from tests.console.campaigning import make_branch
from tests.factories import make_actor, make_unit

KINDS = (TaskKind.post_to_forward, TaskKind.unknown_post)


def waiting(session, actor):
    return [(one.kind, one.number) for one in list_tasks(session, actor, KINDS)]


@pytest.fixture
def branch(session):
    return make_branch(session)


@pytest.fixture
def city(session, branch):
    return session.get_one(type(branch), branch.parent_id)


def test_each_unit_below_is_asked_to_forward_until_it_says_so(session, city, branch):
    post = make_post(session, city)
    officers = [make_actor(session, unit) for unit in (city, branch)]
    for officer in officers:
        assert waiting(session, officer) == [("post_to_forward", 1)]
    for role in ("approver", "auditor", "operator"):
        assert waiting(session, make_actor(session, branch, (role,))) == []
    assert waiting(session, make_actor(session, make_unit(session))) == []
    confirm_forwarding(session, officers[1], post.id, branch.id, "支部群", 30)
    assert waiting(session, officers[1]) == []
    assert waiting(session, officers[0]) == [("post_to_forward", 1)], "its own groups have not had it"
    paths = officers[0].grants[0].path, officers[1].grants[0].path
    found = [session.scalars(find_posts((path,)).where(is_to_forward((path,)))).all() for path in paths]
    assert [len(rows) for rows in found] == [1, 0]
    withdraw_forwarding(session, officers[1], post.id, branch.id)
    assert waiting(session, officers[1]) == [("post_to_forward", 1)]


def test_what_a_unit_below_posts_and_what_is_old_is_asked_of_nobody_above(session, city, branch):
    post = make_post(session, branch)
    assert waiting(session, make_actor(session, city)) == []
    officer = make_actor(session, branch)
    assert waiting(session, officer) == [("post_to_forward", 1)]
    old = ChannelPost.posted_at - FORWARDED_WITHIN
    session.execute(update(ChannelPost).where(ChannelPost.id == post.id).values(posted_at=old))
    assert waiting(session, officer) == []


@pytest.mark.parametrize("status", ["pending", "posting", "refused", "cancelled"])
def test_what_is_not_in_the_group_waits_for_nobody(session, branch, status):
    make_post(session, branch, status)
    assert waiting(session, make_actor(session, branch, ("administrator",))) == []


def test_an_unknown_post_waits_for_who_sends_there(session, city, branch):
    post = make_post(session, branch, "unknown")
    for unit, role in ((branch, "officer"), (city, "operator")):
        assert waiting(session, make_actor(session, unit, (role,))) == [("unknown_post", 1)]
    make_post(session, city, "unknown")
    assert waiting(session, make_actor(session, branch)) == [("unknown_post", 1)], "not those of units above"
    settle_post(session, SYSTEM, post.id, "群里有", posted=True)
    assert waiting(session, make_actor(session, branch)) == [("post_to_forward", 1)]


def test_the_last_groups_of_a_unit_come_first_and_once(session, branch):
    for groups in ("甲群", "乙群", "丙群", "丁群", "乙群"):
        confirm_forwarding(session, SYSTEM, make_post(session, branch).id, branch.id, groups)
    assert list_last_groups(session, branch.id) == ["乙群", "丁群", "丙群"]


def test_the_sum_has_every_post_once(session, city, branch):
    for unit, status in ((city, "posted"), (branch, "posted"), (branch, "refused")):
        made = make_post(session, unit, status)
    confirm_forwarding(session, SYSTEM, made.id - 1, branch.id, "支部群")
    found = sum_posts(session, (city.path,))
    assert (found["posts"], found["confirmed"], sum(found["statuses"].values())) == (3, 1, 3)
    assert sum_posts(session, (branch.path,))["posts"] == 2
    assert [row.ChannelPost.unit_id for row in session.execute(find_posts((branch.path,), sender_id=city.id))] == [
        city.id
    ]
