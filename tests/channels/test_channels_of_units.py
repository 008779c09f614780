"""Channels of units: who adds and uses them, what a campaign carries of them, and who says to have forwarded a post."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import services
from sms_service.campaigns.contents import content_of
from sms_service.channels import owning
from sms_service.channels.forwarding import confirm_forwarding, find_forwardings, withdraw_forwarding
from sms_service.channels.models import Channel, ChannelPost
from sms_service.channels.posts import count_posts, describe_post, find_posts, get_post, post_again, request_test_post
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealer
from sms_service.channels.writing import write_content, write_plain_post
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.channels.chat import SEALER, free_channels, make_channel, make_posting_city, post_due
from tests.console.campaigning import approve_draft, make_branch, write_draft
from tests.factories import make_actor, make_unit
from tests.hostile_receiver import HostileReceiver

ADDRESS = "https://oapi.dingtalk.com/robot/send?access_token=geheim"


def add(session, actor, unit, sealer=SEALER, **kw):
    given = {"name": "街道工作群", "kind": ChannelKind.dingtalk, "address": ADDRESS, **kw}
    return owning.add_channel(session, actor, sealer, (), unit_id=unit.id, **given)


@pytest.fixture
def branch(session):
    return make_branch(session)


def test_who_may_send_for_a_unit_adds_its_channels_and_shows_no_secret(session, branch):
    officer = make_actor(session, branch)
    made = add(session, officer, branch, secret="SECgeheim")
    [row] = session.execute(owning.find_channels((branch.path,))).all()
    shown = owning.describe_channel(row)
    assert (shown["host"], shown["kind"], shown["unit"]) == ("oapi.dingtalk.com", "dingtalk", "幸福支部")
    assert "geheim" not in repr(shown)
    assert SEALER.open(made.sealed) == (ADDRESS, "SECgeheim")
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "channel.add")).one()
    assert "geheim" not in repr(entry.details)
    other = make_actor(session, make_unit(session), ("administrator",))
    for act in (
        lambda: add(session, other, branch, name="别的"),
        lambda: owning.pause_channel(session, other, made.id),
        lambda: owning.change_channel(session, other, made.id, name="x"),
        lambda: owning.remove_channel(session, other, made.id),
        lambda: request_test_post(session, other, made.id),
        lambda: add(session, make_actor(session, branch, ("approver",)), branch, name="别的"),
    ):
        with pytest.raises(Forbidden):
            act()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"address": "http://10.0.0.1/x"}, "address"),
        ({"address": "https://127.0.0.1/geheim"}, "address"),
        ({"address": ""}, "address"),
        ({"name": ""}, "name"),
        ({"name": "群" * 41}, "name"),
        ({"secret": "kurz"}, "secret"),
        ({"secret": "mit\nUmbruch darin"}, "secret"),
        ({"kind": ChannelKind.json}, "secret"),
        ({"keyword": "词" * 21}, "keyword"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_is_repeated(session, branch, given, field):
    with pytest.raises(Invalid) as raised:
        add(session, SYSTEM, branch, **given)
    assert raised.value.field == field
    assert "geheim" not in str(raised.value)
    assert "geheim" not in str(raised.value.value)


def test_a_robot_is_one_channel_and_may_come_again_after_its_removal(session, branch):
    made = add(session, SYSTEM, branch)
    for given in ({"name": "同一个"}, {"address": ADDRESS + "2"}):
        with pytest.raises(Conflict):
            add(session, SYSTEM, branch, **given)
    owning.remove_channel(session, SYSTEM, made.id)
    assert add(session, SYSTEM, branch).id != made.id
    with pytest.raises(NotFound):
        owning.resume_channel(session, SYSTEM, made.id)


def test_without_a_key_nothing_can_be_kept(session, branch):
    with pytest.raises(Conflict, match="CHANNELS_KEY"):
        add(session, SYSTEM, branch, Sealer(()))


def test_a_channel_is_changed_paused_and_resumed(session, branch):
    made = add(session, SYSTEM, branch)
    owning.change_channel(session, SYSTEM, made.id, name="新群", keyword="党建")
    owning.pause_channel(session, SYSTEM, made.id)
    with pytest.raises(Conflict):
        owning.pause_channel(session, SYSTEM, made.id)
    with pytest.raises(Conflict, match="paused"):
        request_test_post(session, SYSTEM, made.id)
    owning.resume_channel(session, SYSTEM, made.id)
    owning.change_channel(session, SYSTEM, made.id, keyword=None)
    assert (made.name, made.keyword, made.state) == ("新群", None, "open")
    request_test_post(session, SYSTEM, made.id)
    with pytest.raises(Conflict, match="waits"):
        request_test_post(session, SYSTEM, made.id)


def test_a_campaign_carries_channels_and_the_digest_covers_them_where_they_are_set(session, branch):
    city = session.get_one(type(branch), branch.parent_id)
    above, own = make_channel(session, city), make_channel(session, branch)
    elsewhere = make_channel(session, make_unit(session))
    campaign = write_draft(session, branch)
    before = content_of(session, campaign).digest()
    assert "channels" not in content_of(session, campaign).covered()
    services.change_campaign(session, SYSTEM, campaign.id, {"channels": [own.id, above.id, own.id]})
    assert campaign.channels == sorted([above.id, own.id])
    after = content_of(session, campaign)
    assert after.covered()["channels"] == sorted([above.id, own.id])
    assert after.digest() != before
    for wrong in ([elsewhere.id], [10**6], list(range(1, 30))):
        with pytest.raises(Invalid) as raised:
            services.change_campaign(session, SYSTEM, campaign.id, {"channels": wrong})
        assert raised.value.field == "channels"


def test_another_channel_takes_the_approval_away_and_a_copy_keeps_what_it_can_use(session, branch):
    first, second = make_channel(session, branch), make_channel(session, branch)
    campaign = approve_draft(session, write_draft(session, branch, channels=[first.id, second.id]))
    owning.remove_channel(session, SYSTEM, second.id)
    assert services.copy_campaign(session, SYSTEM, campaign.id).channels == [first.id]
    assert campaign.status == "approved", "what is removed is not posted to, and changes no digest"
    services.change_campaign(session, SYSTEM, campaign.id, {"channels": [first.id]})
    assert campaign.status == "draft"


@pytest.fixture
def posted(database):
    """A run of a branch's that was posted to a group."""
    with HostileReceiver() as receiver:
        city, _ = make_posting_city(database, receiver.address())
        post_due(database, receiver)
    return city


def test_units_at_and_below_the_posts_say_to_have_forwarded_it(database, session, posted):
    unit = session.merge(posted.unit)
    below, beside = make_unit(session, parent=unit, name="幸福支部"), make_unit(session, name="别的市")
    officer, secretary = make_actor(session, unit), make_actor(session, below)
    confirm_forwarding(session, officer, 1, unit.id, "党建群、网格群", 120)
    confirm_forwarding(session, secretary, 1, below.id, "支部群")
    confirm_forwarding(session, secretary, 1, below.id, "支部微信群", 31)
    post = get_post(session, secretary, 1)
    assert (post["forwardings"], post["forwarded_people"]) == (2, 151)
    listed = session.execute(find_forwardings(1, (unit.path,))).all()
    assert [(row.unit, row.Forwarding.groups, row.Forwarding.people) for row in listed] == [
        (unit.name, "党建群、网格群", 120),
        ("幸福支部", "支部微信群", 31),
    ]
    assert len(session.execute(find_forwardings(1, (below.path,))).all()) == 1, "those of one's own units"
    withdraw_forwarding(session, secretary, 1, below.id)
    with pytest.raises(NotFound):
        withdraw_forwarding(session, secretary, 1, below.id)
    for wrong in (
        lambda: confirm_forwarding(session, secretary, 1, unit.id, "群"),
        lambda: confirm_forwarding(session, make_actor(session, unit, ("auditor",)), 1, unit.id, "群"),
        lambda: get_post(session, make_actor(session, beside), 1),
        lambda: post_again(session, secretary, 1, "再来"),
    ):
        with pytest.raises(Forbidden):
            wrong()
    with pytest.raises(Invalid, match="below"):
        confirm_forwarding(session, SYSTEM, 1, beside.id, "群")
    with pytest.raises(Invalid):
        confirm_forwarding(session, SYSTEM, 1, unit.id, "群", -1)
    with pytest.raises(Invalid):
        confirm_forwarding(session, SYSTEM, 1, unit.id, " ")


def test_what_is_not_in_the_group_cannot_be_forwarded(database, session):
    city, _ = make_posting_city(database)
    with pytest.raises(Conflict, match="pending"):
        confirm_forwarding(session, SYSTEM, 1, city.unit.id, "群")


def test_lists_and_counts_of_posts(database, session, posted):
    unit = session.merge(posted.unit)
    below, beside = make_unit(session, parent=unit), make_unit(session)

    def found(path, **kw):
        return [describe_post(row)["id"] for row in session.execute(find_posts((path,), **kw).order_by(ChannelPost.id))]

    assert found(unit.path) == found(below.path) == [1]
    assert found(beside.path) == []
    campaign_id = get_post(session, SYSTEM, 1)["campaign_id"]
    assert found(unit.path, confirmed=False, status="posted", run_id=posted.run_id, campaign_id=campaign_id) == [1]
    assert found(unit.path, confirmed=True) == found(unit.path, status="refused") == found(unit.path, run_id=9) == []
    confirm_forwarding(session, SYSTEM, 1, unit.id, "群")
    assert found(unit.path, confirmed=True) == [1]
    [line] = count_posts(session, (unit.path,))
    assert (line["unit_id"], line["posts"], line["statuses"]["posted"], line["confirmed"]) == (unit.id, 1, 1, 1)
    assert count_posts(session, (below.path,)) == [], "counts are those of one's own units"
    assert count_posts(session, (unit.path,), campaign_id=campaign_id + 1) == []
    request_test_post(session, SYSTEM, session.scalars(select(Channel.id)).one())
    assert found(unit.path) == [1]
    assert found(unit.path, tests=True) == [1, 2]
    assert count_posts(session, (unit.path,))[0]["posts"] == 1


def test_a_test_of_a_channel_is_posted_at_any_hour(database, session):
    with HostileReceiver() as receiver:
        _, channel_id = make_posting_city(database, receiver.address())
        post_due(database, receiver)
        free_channels(database)
        with database.session() as own:
            own.execute(update(type(own.get_one(Channel, channel_id))).values(keyword="党建"))
            request_test_post(own, SYSTEM, channel_id)
        assert post_due(database, receiver)
        said = receiver.taken[-1].json["text"]["content"]
        assert said.startswith("测试\n")
        assert said.endswith("党建")


def test_people_are_told_by_number_and_never_by_what_the_rule_asks_for(session):
    made = write_content(
        session,
        name="慰问",
        unit="幸福支部",
        timezone="Asia/Shanghai",
        version_id=1,
        body="请{{ name }}到场。",
        values={},
        signature="云州先锋",
        segment_rule={"tag": "困难党员"},
        audience=7,
        at=datetime(2026, 12, 1, 1, 0, tzinfo=UTC),
    )
    assert write_plain_post(made, "党建").splitlines() == [
        "慰问",
        "发送单位：幸福支部",
        "发送对象：幸福支部及下级共 7 人",
        "短信发送时间：12月1日 09:00 起",
        "",
        "【云州先锋】请〔姓名〕到场。",
        "",
        "党建",
    ]
