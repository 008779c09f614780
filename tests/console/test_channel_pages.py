"""群机器人 and 群发布: added, tried and taken away; named by a campaign; forwarded with a phone in hand; counted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign
from sms_service.channels.models import Channel, ChannelPost, Forwarding
from tests.channels.chat import make_channel, make_post
from tests.console.campaigning import Walker, approve_draft, make_branch, write_draft
from tests.factories import make_template, make_unit

EVIL = '"><svg onload=alert(1)><b>'
ADDRESS = "https://oapi.dingtalk.com/robot/send?access_token=geheim"


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def city(session, branch):
    return session.get_one(type(branch), branch.parent_id)


def only(session, table=Channel):
    session.expire_all()
    return session.scalars(select(table).order_by(table.id.desc())).first()


def status_of(visitor, path):
    return visitor.get(path).status_code


@pytest.mark.parametrize(("language", "add", "kind", "button"), [
    ("zh", "登记群机器人", "钉钉", "登记"), ("en", "Add a channel", "DingTalk", "Add it"),
])  # fmt: skip
def test_a_channel_is_added_kind_first_and_its_address_never_shown(
    log_in, branch, session, language, add, kind, button
):
    officer = log_in(branch, "officer", language=language)
    walker = Walker(officer, "/channels").tap(add).tap(kind)
    assert "SEC" in walker.text
    walker.tap(button, "/channels/new", name=f"支部群{EVIL}", address=ADDRESS, secret="SECgeheim", keyword="通知")
    made = only(session)
    assert (made.unit_id, made.kind, made.host, made.keyword) == (branch.id, "dingtalk", "oapi.dingtalk.com", "通知")
    pages = [walker.text] + [officer.get(path).text for path in ("/channels", "/trail", f"/channels/{made.id}/remove")]
    for page in pages:
        assert "geheim" not in page
        assert "<svg onload" not in page
    assert "oapi.dingtalk.com" in pages[0]


def test_each_mistake_stands_at_its_field(log_in, branch, session):
    make_channel(session, branch, ADDRESS, name="工作群")
    session.commit()
    walker = Walker(log_in(branch, "officer"), f"/channels/new?unit={branch.id}&kind=json")
    given = {"name": "新群", "address": "https://robots.example.cn/x", "secret": "geheimnis"}
    for wrong, said, field in (
        ({"address": "http://robots.example.cn/x"}, "must begin with https://", "address"),
        ({"address": "https://10.0.0.1/x"}, "leads into a network of our own", "address"),
        ({"address": ADDRESS}, "this robot is a channel already", "address"),
        ({"name": "工作群"}, "the unit has a channel of this name", "name"),
        ({"secret": "kurz"}, "must have 8 to 200 characters", "secret"),
        ({"secret": ""}, "is missing: the receiver knows by it", "secret"),
        ({"keyword": "长" * 21}, "20", "keyword"),
    ):
        walker.tap("Add it", **{**given, **wrong})
        assert walker.answer.status_code == 422, wrong
        assert f'href="#f-{field}"' in walker.text
        assert said in walker.text
        assert wrong.get("name", "新群") in walker.text, "what was written is kept"
    assert len(session.scalars(select(Channel)).all()) == 1
    walker.tap("Add it", **given, keyword="")
    assert walker.answer.status_code == 200
    assert only(session).name == "新群"


def test_it_is_tried_paused_renamed_and_removed(log_in, branch, session):
    channel = make_channel(session, branch, name="工作群")
    make_post(session, branch)
    session.commit()
    walker = Walker(log_in(branch, "officer"), f"/channels/{channel.id}")
    assert "Nothing was posted to it yet." in walker.text
    walker.tap("Post a test")
    assert "It waits to be posted" in walker.text
    walker = Walker(walker.visitor, f"/channels/{channel.id}").tap("Post a test")
    assert walker.answer.status_code == 409, "one waits already"
    walker = Walker(walker.visitor, f"/channels/{channel.id}").tap("Pause")
    assert only(session, ChannelPost).channel_id == channel.id
    assert (
        "It waits: the channel is paused." in walker.visitor.get(f"/channel-posts/{only(session, ChannelPost).id}").text
    )
    walker.tap("Resume")
    walker.tap("Keep the change", name="新名字")
    assert "新名字" in walker.text
    walker.tap("Remove the channel")
    assert "1 post waits for it and is given up." in walker.text
    walker.tap("Remove it for good")
    assert "新名字" not in walker.visitor.get("/channels").text
    page = walker.visitor.get(f"/channels/{channel.id}")
    assert (page.status_code, "Post a test" in page.text) == (200, False), "its posts stay, and it is seen why"
    assert "It is removed already." in walker.visitor.get(f"/channels/{channel.id}/remove").text
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.target_kind == "channel").order_by(TrailEntry.id))
    assert list(acts)[-5:] == [f"channel.{act}" for act in ("test", "pause", "resume", "change", "remove")]


def test_who_is_below_uses_it_and_changes_nothing(log_in, city, branch, session):
    channel = make_channel(session, city, name="市里的群")
    other = make_unit(session, name="别的市")
    session.commit()
    page, removal = f"/channels/{channel.id}", f"/channels/{channel.id}/remove"
    secretary, stranger, auditor = log_in(branch, "officer"), log_in(other, "officer"), log_in(city, "auditor")
    assert "市里的群" in secretary.get("/channels").text
    assert "市里的群" not in stranger.get("/channels").text
    assert [status_of(one, page) for one in (secretary, auditor, stranger)] == [200, 200, 403]
    assert [status_of(one, removal) for one in (secretary, auditor, stranger)] == [403, 403, 403]
    for visitor in (secretary, auditor, stranger):
        for act in ("change", "test", "pause", "resume", "remove"):
            answer = visitor.post(f"{page}/{act}", data={"name": "x"})
            assert answer.status_code == 403, act
    for visitor in (secretary, auditor):
        assert f"{page}/pause" not in visitor.get(page).text
    assert "Add a channel" not in auditor.get("/channels").text
    assert status_of(secretary, f"/channels/new?unit={city.id}") == 403


def test_nothing_yet_has_the_one_button(log_in, branch):
    officer, auditor = log_in(branch, "officer"), log_in(branch, "auditor")
    empty = officer.get("/channels").text
    assert "there is no channel yet" in empty
    assert "/channels/new" not in auditor.get("/channels").text
    assert "nothing was posted to a group yet" in officer.get("/channel-posts").text
    assert "Nothing waits to be forwarded." in officer.get("/channel-posts?waiting=post_to_forward").text
    assert "nothing was posted to a group yet" in officer.get("/channel-posts/counts").text


def test_a_campaigns_channels_are_part_of_what_is_approved(log_in, city, branch, session):
    channels = [make_channel(session, unit, name=name) for unit, name in ((city, f"市群{EVIL}"), (branch, "支部群"))]
    make_channel(session, make_unit(session, parent=city), name="邻居的群")
    make_template(session, branch)
    campaign = write_draft(session, branch)
    session.commit()
    walker = Walker(log_in(branch, "officer"), f"/campaigns/{campaign.id}/change")
    assert "邻居的群" not in walker.text
    walker.tap("Keep and check", channels=[str(channel.id) for channel in channels])
    assert "Also posted to" in walker.text
    assert "支部群" in walker.text
    assert only(session, Campaign).channels == [channel.id for channel in channels]
    approve_draft(session, only(session, Campaign))
    session.commit()
    walker = Walker(walker.visitor, f"/campaigns/{campaign.id}/change")
    assert walker.text.count("checked") == 2
    walker.tap("Keep and check", channels=[str(channels[1].id)])
    assert only(session, Campaign).status == "draft", "the approval was of something else"
    walker.tap("Submit for approval")
    decision = log_in(branch, "approver").get(f"/campaigns/{campaign.id}/decision").text
    assert "Different from what was approved" in decision
    assert "<svg onload" not in decision
    change = decision.split("<h3>Also posted to</h3>")[1]
    then, now = change.split("<del>")[1].split("</del>")[0], change.split("<ins>")[1].split("</ins>")[0]
    assert ("支部群" in then, "市群" in then, now) == (True, True, "支部群")


def test_a_channel_that_is_no_longer_usable_falls_out_of_the_draft(log_in, branch, session):
    channel = make_channel(session, branch)
    campaign = write_draft(session, branch, channels=[channel.id])
    session.commit()
    Walker(log_in(branch, "officer"), f"/channels/{channel.id}/remove").tap("Remove it for good")
    Walker(log_in(branch, "officer"), f"/campaigns/{campaign.id}/change").tap("Keep and check")
    assert only(session, Campaign).channels == []


@pytest.mark.parametrize(("language", "task", "button", "again", "back"), [
    ("zh", "待转发的群发布", "我已转发", "我已转发", "撤回"),
    ("en", "Posts to forward", "I have forwarded it", "I have forwarded it", "Take back"),
])  # fmt: skip
def test_a_secretary_forwards_says_so_again_and_takes_it_back(
    log_in, city, branch, session, language, task, button, again, back
):
    post = make_post(session, city, title=f"学习{EVIL}")
    session.commit()
    walker = Walker(log_in(branch, "officer", language=language)).tap(task).tap("学习", "/channel-posts/")
    assert "【云州先锋】请参加学习。" in walker.text
    assert walker.taps == 2
    walker.tap(button, groups="", people="30")
    assert walker.answer.status_code == 422
    walker.tap(button, groups=f"支部群{EVIL}", people="many")
    assert walker.answer.status_code == 422
    assert "<svg onload" not in walker.text
    walker.tap(button, groups=f"支部群{EVIL}", people="30")
    said = only(session, Forwarding)
    assert (said.post_id, said.unit_id, said.people) == (post.id, branch.id, 30)
    assert "<svg onload" not in walker.text
    walker.tap(again, groups="支部群", people="31")
    session.expire_all()
    assert (said.groups, said.people) == ("支部群", 31)
    assert task not in walker.visitor.get("/").text
    walker.tap(back)
    assert session.scalars(select(Forwarding)).all() == []
    assert task in walker.visitor.get("/").text


def test_the_last_groups_are_offered(log_in, city, branch, session):
    posts = [make_post(session, city) for _ in range(2)]
    session.commit()
    walker = Walker(log_in(branch, "officer"), f"/channel-posts/{posts[0].id}")
    walker.tap("I have forwarded it", groups="支部群")
    page = walker.visitor.get(f"/channel-posts/{posts[1].id}").text
    assert 'data-value="支部群"' in page


def test_who_may_read_a_post_who_may_say_and_who_may_act(log_in, city, branch, session):
    post = make_post(session, city, "unknown", reason="no_answer")
    stranger_unit = make_unit(session)
    session.commit()
    page = f"/channel-posts/{post.id}"
    secretary, auditor, stranger = log_in(branch, "officer"), log_in(city, "auditor"), log_in(stranger_unit, "officer")
    assert [status_of(one, page) for one in (secretary, auditor, stranger)] == [200, 200, 403]
    assert page not in stranger.get("/channel-posts").text
    assert "I have forwarded it" not in auditor.get(page).text
    assert f"/runs/{post.run_id}" not in secretary.get(page).text, "of another unit"
    for visitor in (secretary, auditor, stranger):
        for act in ("settle", "again"):
            assert status_of(visitor, f"{page}/{act}") == 403
            assert visitor.post(f"{page}/{act}", data={"why": "x", "posted": "true"}).status_code == 403
        given = {"unit_id": city.id, "groups": "x"}
        assert visitor.post(f"{page}/forwardings", data=given).status_code == 403
        assert visitor.post(f"{page}/forwardings/{city.id}/take-back").status_code == 403


@pytest.mark.parametrize(("answer", "status"), [("true", "posted"), ("false", "refused")])
def test_an_unknown_post_is_settled_by_who_looks_into_the_group(log_in, branch, session, answer, status):
    post = make_post(session, branch, "unknown", reason="no_answer")
    session.commit()
    walker = Walker(log_in(branch, "officer"))
    walker.tap("Posts of which nobody can tell").tap("学习", "/channel-posts/").tap("Say what stands in the group")
    walker.tap("Keep it", posted=answer, why=" ")
    assert walker.answer.status_code == 422
    walker.tap("Keep it", posted=answer, why="看过群")
    session.expire_all()
    assert (post.status, post.reason) == (status, "settled")
    again = walker.visitor.get(f"/channel-posts/{post.id}/settle").text
    assert "This cannot be done now." in again


def test_it_is_posted_again_by_who_accepts_that_it_may_stand_there_twice(log_in, branch, session):
    posts = [make_post(session, branch, status) for status in ("unknown", "refused")]
    session.commit()
    walker = Walker(log_in(branch, "officer"), f"/channel-posts/{posts[0].id}").tap("Post it again")
    walker.tap("it may stand there twice", why="群里没有")
    session.expire_all()
    assert posts[0].status == "pending"
    walker = Walker(walker.visitor, f"/channel-posts/{posts[1].id}").tap("Post it again")
    assert "twice" not in walker.text
    walker.tap("Post it again", "/again", why="机器人恢复了")
    session.expire_all()
    assert posts[1].status == "pending"
    given_up = make_post(session, branch, "cancelled", reason="run_cancelled")
    session.commit()
    page = walker.visitor.get(f"/channel-posts/{given_up.id}").text
    assert "It is not posted any more. The run was cancelled." in page
    assert "Post it again" not in page


def test_the_list_is_filtered_and_every_count_leads_to_its_rows(log_in, city, branch, session):
    first, second = make_post(session, city, title="市里的"), make_post(session, branch, title="支部的")
    make_post(session, branch, "refused", title="没发出的", reason="no_robot")
    session.add(Forwarding(post_id=second.id, unit_id=branch.id, groups="支部群", people=30))
    session.commit()
    officer = log_in(city, "officer")
    for asked, found in (
        ("", {"市里的", "支部的", "没发出的"}),
        ("confirmed=true", {"支部的"}),
        ("confirmed=false&status=posted", {"市里的"}),
        ("status=refused", {"没发出的"}),
        (f"channel={first.channel_id}", {"市里的"}),
        (f"campaign={session.get_one(Campaign, 1).id}", {"市里的"}),
        (f"unit={branch.id}", {"市里的", "支部的", "没发出的"}),
        (f"unit={branch.id}&sender={branch.id}", {"支部的", "没发出的"}),
    ):
        page = officer.get(f"/channel-posts?{asked}").text.split("<tbody>")[1]
        assert {title for title in ("市里的", "支部的", "没发出的") if f">{title}<" in page} == found, asked
    counts = officer.get("/channel-posts/counts").text
    assert f'href="/channel-posts?sender={branch.id}&amp;status=posted&amp;confirmed=true">1</a>' in counts
    assert f'href="/channel-posts?sender={branch.id}&amp;status=refused">1</a>' in counts
    total = counts.split("<tfoot>")[1]
    assert 'data-label="Posts">3' in total
    assert 'data-label="Not forwarded yet">1' in total
