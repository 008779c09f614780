"""From the beginning of a run to the post in the group: once, whatever the receiver does and whoever dies."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.models import Campaign
from sms_service.channels.beginning import begin_posts, settle_posts
from sms_service.channels.models import Channel, ChannelPost
from sms_service.channels.owning import pause_channel, remove_channel, resume_channel
from sms_service.channels.posting import MOST_TRIES, PostingThreads, post_next
from sms_service.channels.posts import post_again, request_test_post, settle_post
from sms_service.channels.robots.base import ChannelKind
from sms_service.channels.sealing import Sealer
from sms_service.controls.stops import release_stop, stop_unit
from sms_service.errors import Conflict
from sms_service.gateways.posting import JsonPoster
from sms_service.ledger.models import Run
from tests.channels.chat import (
    SEALER,
    free_channels,
    make_channel,
    make_posting_city,
    only_post,
    post_due,
    poster_to,
)
from tests.clocks import ahead_by
from tests.dispatch.city import make_city
from tests.hostile_receiver import HostileReceiver, http

# A minute that is not now.
CLOSED = (
    "UPDATE units SET (window_opens, window_closes) ="
    " (SELECT h * 1439, h * 1439 + 1"
    " FROM (SELECT (extract(hour FROM sms_now() AT TIME ZONE timezone) < 12)::int) x (h))"
)


@pytest.fixture
def receiver():
    with HostileReceiver() as running:
        yield running


def test_a_run_posts_its_text_in_general_once(database, receiver):
    body = "{{ name }}同志：请带学习证参加学习，地点{{ 地点 }}。"
    city, _ = make_posting_city(
        database, receiver.address(), body=body, values={"地点": "社区活动室"}, class_="study", name="幸福支部"
    )
    assert begin_posts(database) == 0
    assert post_due(database, receiver)
    [taken] = receiver.taken
    said = taken.json["text"]["content"]
    assert said.startswith("学习\n")
    assert "【云州先锋】〔姓名〕同志：请带学习证参加学习，地点社区活动室。" in said
    assert "拒收请回复R" not in said
    assert "幸福支部" in said
    assert "3" in said
    post = only_post(database)
    assert (post.status, post.tries, post.run_id) == ("posted", 1, city.run_id)
    assert post.posted_at is not None
    free_channels(database)
    assert not post_due(database, receiver)
    assert begin_posts(database) == 0


def test_a_receiver_of_ones_own_gets_the_parts_signed(database, receiver):
    make_posting_city(database, receiver.address(), kind=ChannelKind.json, secret="geheimnis", keyword="通知")
    post_due(database, receiver)
    [taken] = receiver.taken
    sent = taken.json
    assert (sent["kind"], sent["title"], sent["people"], sent["id"]) == ("campaign", "学习", 3, "post-1")
    assert sent["plain"].endswith("通知")
    assert taken.headers["webhook-id"] == "post-1"
    assert taken.headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    ("manner", "status", "reason"),
    [
        ("hang", "unknown", "no_answer"),
        ("drip", "unknown", "no_answer"),
        ("cut", "unknown", "no_answer"),
        ("garbage", "unknown", "no_answer"),
        ("huge", "unknown", "no_answer"),
        ("packed", "unknown", "no_answer"),
        ("redirect", "refused", "redirected"),
    ],
)
def test_what_a_hostile_receiver_does_is_posted_once(database, receiver, manner, status, reason):
    receiver.manner = manner
    make_posting_city(database, receiver.address())
    assert post_due(database, receiver, total_timeout_s=1.0)
    post = only_post(database)
    assert (post.status, post.reason) == (status, reason)
    free_channels(database)
    assert not post_due(database, receiver)
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    ("answer", "status", "reason", "code"),
    [
        (http("500 No", b"{}"), "unknown", "no_answer", "500"),
        (http("404 No", b""), "refused", "no_robot", "404"),
        (http("200 OK", b'{"errcode":93000,"errmsg":"invalid webhook url"}'), "refused", "no_robot", "93000"),
    ],
)
def test_what_was_answered_is_kept(database, receiver, answer, status, reason, code):
    receiver.answer = answer
    make_posting_city(database, receiver.address())
    post_due(database, receiver)
    post = only_post(database)
    assert (post.status, post.reason, post.code) == (status, reason, code)


def test_too_often_is_tried_again_later_and_the_channel_rests(database, receiver):
    receiver.answer = http("200 OK", b'{"errcode":45009,"errmsg":"api freq out of limit"}')
    make_posting_city(database, receiver.address())
    post_due(database, receiver)
    assert only_post(database).status == "pending"
    assert not post_due(database, receiver), "not at once"
    free_channels(database)
    receiver.answer = http("200 OK", b'{"errcode":0}')
    assert post_due(database, receiver)
    post = only_post(database)
    assert (post.status, post.tries, post.reason, post.code) == ("posted", 2, None, None)


def test_what_surely_did_not_leave_is_tried_some_times_and_then_refused(database):
    with HostileReceiver() as receiver:
        address = receiver.address()
    make_posting_city(database, address)
    for number in range(1, MOST_TRIES + 1):
        assert post_due(database, receiver)
        post = only_post(database)
        assert post.tries == number
        free_channels(database)
    assert (post.status, post.reason) == ("refused", "unreachable")


def test_a_private_address_that_is_no_longer_allowed_is_refused(database, receiver):
    make_posting_city(database, receiver.address())
    assert post_next(database, JsonPoster(), SEALER)
    assert (only_post(database).status, only_post(database).reason) == ("refused", "forbidden_address")
    assert receiver.connections == 0


def test_another_key_opens_nothing_and_an_older_one_still_does(database, receiver):
    make_posting_city(database, receiver.address())
    assert post_next(database, poster_to(receiver), Sealer(["another key of thirty-two characters"]))
    assert (only_post(database).status, only_post(database).reason) == ("refused", "sealed")
    with database.session() as session:
        post_again(session, SYSTEM, 1, "钥匙改正了")
    free_channels(database)
    newer = Sealer(["another key of thirty-two characters", "a key of thirty-two characters or more"])
    assert post_next(database, poster_to(receiver), newer)
    assert only_post(database).status == "posted"


def test_neither_address_nor_secret_lie_in_the_database(database, receiver):
    make_posting_city(database, receiver.address("/hook?key=geheim-key"), secret="geheimes-wort")
    with database.transaction() as connection:
        for table in ("channels", "channel_posts", "trail", "campaigns"):
            rows = connection.execute(text(f"SELECT row_to_json(t)::text FROM {table} t")).scalars().all()
            assert not [row for row in rows if "geheim" in row], table


def test_two_workers_at_once_post_once(database, receiver):
    """Two real sessions; the second takes nothing while the first holds the row, and nothing after its commit."""
    make_posting_city(database, receiver.address())
    receiver.manner = "hang"
    both = threading.Barrier(2)

    def work() -> bool:
        both.wait(20)
        return post_due(database, receiver, total_timeout_s=1.0)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(future.result(60) for future in [pool.submit(work), pool.submit(work)]) == [False, True]
    assert len(receiver.taken) == 1


def test_of_a_channel_one_post_is_under_way_at_a_time(database, receiver):
    _, channel_id = make_posting_city(database, receiver.address())
    with database.session() as session:
        request_test_post(session, SYSTEM, channel_id)
    seen = []

    def meanwhile(point: str) -> None:
        if point == "taken":
            seen.append(post_due(database, receiver))

    assert post_due(database, receiver, at=meanwhile)
    assert seen == [False]
    assert not post_due(database, receiver), "20 a minute: not within three seconds"
    free_channels(database)
    assert post_due(database, receiver)
    assert len(receiver.taken) == 2


def test_a_worker_that_is_killed_between_commit_and_post_leaves_unknown(database, database_url, receiver):
    """The process ends with the row committed and nothing posted; nothing posts it again."""
    make_posting_city(database, receiver.address())
    child = os.fork()
    if not child:
        from sms_service.db.engine import Database  # a connection of its own

        own = Database(database_url)
        post_next(own, poster_to(receiver), SEALER, at=lambda point: os.kill(os.getpid(), 9))
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 9
    assert only_post(database).status == "posting"
    assert settle_posts(database) == 0, "its lease is not over"
    assert not post_due(database, receiver)
    with ahead_by(database_url, "5 minutes") as later:
        assert settle_posts(later) == 1
        assert (only_post(database).status, only_post(database).reason) == ("unknown", "no_answer")
        assert not post_due(later, receiver)
    assert receiver.connections == 0


def test_an_outcome_that_comes_late_is_still_written_down(database, database_url, receiver):
    make_posting_city(database, receiver.address())

    def meanwhile(point: str) -> None:
        if point == "posted":
            with ahead_by(database_url, "5 minutes") as later:
                assert settle_posts(later) == 1

    post_due(database, receiver, at=meanwhile)
    assert only_post(database).status == "posted"


def test_an_outcome_of_an_earlier_try_does_not_touch_a_later_one(database, database_url, receiver):
    make_posting_city(database, receiver.address())
    receiver.answer = http("404 No", b"")

    def meanwhile(point: str) -> None:
        if point != "posted":
            return
        with ahead_by(database_url, "5 minutes") as later:
            settle_posts(later)
            with later.session() as session:
                post_again(session, SYSTEM, 1, "群里没有")
            receiver.answer = http("200 OK", b'{"errcode":0}')
            assert post_due(later, receiver)

    post_due(database, receiver, at=meanwhile)
    assert (only_post(database).status, only_post(database).tries) == ("posted", 2)


def test_a_process_that_was_stopped_after_taking_posts_nothing(database, receiver):
    """Its lease may be over by the time at which it goes on."""
    make_posting_city(database, receiver.address())
    times = iter([0.0, 11.0])
    assert post_due(database, receiver, clock=lambda: next(times))
    assert receiver.connections == 0
    assert only_post(database).status == "pending"


@pytest.mark.parametrize("status", ["planned", "paused", "held"])
def test_a_run_that_does_not_run_posts_nothing(database, receiver, status):
    city, _ = make_posting_city(database, receiver.address())
    held = {"held_for": "breaker"} if status == "held" else {}
    with database.session() as session:
        session.execute(update(Run).where(Run.id == city.run_id).values(status=status, **held))
    assert not post_due(database, receiver)
    with database.session() as session:
        session.execute(update(Run).where(Run.id == city.run_id).values(status="running", held_for=None))
    assert post_due(database, receiver)


def test_first_texts_stops_hours_and_quiet_days_hold_posts_back_too(database, receiver):
    city, _ = make_posting_city(database, receiver.address())
    acts = [
        ("UPDATE runs SET canary = '{1}'", "UPDATE runs SET canary = NULL"),
        (CLOSED, "UPDATE units SET window_opens = 0, window_closes = 1440"),
        (
            "INSERT INTO quiet_days (unit_id, day, classes, name) SELECT id, (sms_now() AT TIME ZONE timezone)::date,"
            " '{notice}', '清明' FROM units",
            "DELETE FROM quiet_days",
        ),
    ]
    for begin, end in acts:
        with database.transaction() as connection:
            connection.execute(text(begin))
        assert not post_due(database, receiver), begin
        with database.transaction() as connection:
            connection.execute(text(end))
    with database.session() as session:
        stop_id, _ = stop_unit(session, SYSTEM, city.unit.id, "紧急")
    assert not post_due(database, receiver)
    with database.session() as session:
        release_stop(session, SYSTEM, stop_id, "好了")
    assert post_due(database, receiver)


def test_what_waits_ends_with_its_run_its_channel_or_its_time(database, database_url, receiver):
    _, channel_id = make_posting_city(database, receiver.address())
    with ahead_by(database_url, "2 days") as later:
        settle_posts(later)
    assert (only_post(database).status, only_post(database).reason) == ("cancelled", "expired")
    with database.session() as session:
        post_again(session, SYSTEM, 1, "还有用")
        session.execute(update(Run).values(status="cancelled"))
    settle_posts(database)
    assert only_post(database).reason == "run_cancelled"
    with database.session() as session, pytest.raises(Conflict, match="cancelled"):
        post_again(session, SYSTEM, 1, "再来")
    with database.session() as session:
        session.execute(update(Run).values(status="running"))
        post_again(session, SYSTEM, 1, "再来")
        remove_channel(session, SYSTEM, channel_id)
    settle_posts(database)
    assert only_post(database).reason == "channel_removed"
    with database.session() as session:
        assert session.get_one(Channel, channel_id).sealed is None
        with pytest.raises(Conflict, match="removed"):
            post_again(session, SYSTEM, 1, "再来")
    assert receiver.connections == 0


def test_a_paused_channel_waits(database, receiver):
    _, channel_id = make_posting_city(database, receiver.address())
    with database.session() as session:
        pause_channel(session, SYSTEM, channel_id)
    assert not post_due(database, receiver)
    with database.session() as session:
        resume_channel(session, SYSTEM, channel_id)
    assert post_due(database, receiver)


def test_a_channel_of_another_part_of_the_tree_or_a_removed_one_gets_nothing(database, receiver):
    city = make_city(database)
    with database.session() as session:
        gone = make_channel(session, city.unit, receiver.address())
        remove_channel(session, SYSTEM, gone.id)
        session.execute(update(Campaign).values(channels=[gone.id]))
    assert begin_posts(database) == 1
    assert (only_post(database).status, only_post(database).reason) == ("cancelled", "channel_removed")


def test_a_campaign_that_has_ended_or_is_not_frozen_is_not_posted(database, database_url):
    make_posting_city(database, begin=False)
    with ahead_by(database_url, "3 days") as later:
        assert begin_posts(later) == 0, "too old"
    with database.session() as session:
        session.execute(update(Campaign).values(status="ended"))
    assert begin_posts(database) == 0
    with database.session() as session:
        session.execute(update(Campaign).values(status="active"))
        session.execute(update(Run).values(frozen_at=None))
    assert begin_posts(database) == 0


def test_each_run_of_a_campaign_has_its_post(database, receiver):
    city, _ = make_posting_city(database, receiver.address())
    with database.session() as session:
        first = session.get_one(Run, city.run_id)
        names = [one.name for one in Run.__table__.columns if one.name not in ("id", "firing", "look_at")]
        listed = ", ".join(f'"{name}"' for name in names)
        session.execute(
            text(f"INSERT INTO runs (firing, {listed}) SELECT 2, {listed} FROM runs WHERE id = :id"), {"id": first.id}
        )
    with database.session() as session:  # to those who joined a series late: the channel had this text before
        session.execute(update(Run).where(Run.firing == 2).values(of_cohort=True))
    assert begin_posts(database) == 0
    with database.session() as session:
        session.execute(update(Run).where(Run.firing == 2).values(of_cohort=False))
    assert begin_posts(database) == 1
    with database.session() as session:
        assert len(set(session.scalars(select(ChannelPost.run_id)))) == 2


def test_unknown_waits_for_a_person(database, receiver):
    receiver.manner = "cut"
    make_posting_city(database, receiver.address())
    post_due(database, receiver)
    with database.session() as session:
        settle_post(session, SYSTEM, 1, "群里看到了", posted=True)
    post = only_post(database)
    assert (post.status, post.reason) == ("posted", "settled")
    with database.session() as session, pytest.raises(Conflict):
        post_again(session, SYSTEM, 1, "再来")


def test_a_workers_threads_post_what_is_due_and_end(database, receiver):
    make_posting_city(database, receiver.address())
    threads = PostingThreads(database, poster_to(receiver), SEALER)
    threads.start()
    receiver.wait_for(1)
    threads.close()
    assert only_post(database).status == "posted"
    assert json.loads(receiver.taken[0].body)["msgtype"] == "text"
