"""A secretary with a phone: what was posted to a group is copied and said to be forwarded; a theme day is planned."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from sms_service.campaigns.models import Campaign
from sms_service.channels.models import Forwarding
from sms_service.directory.models import Unit
from tests.browser.conftest import PHONE
from tests.browser.hands import Hands
from tests.channels.chat import make_post

WAYS = [("zh", True), ("en", False)]


@pytest.mark.parametrize(("language", "javascript"), WAYS)
def test_a_post_is_said_to_be_forwarded_in_three_taps_and_two_fields(
    open_tab, begin, branch, session, language, javascript
):
    post = make_post(session, session.get_one(Unit, branch.parent_id))
    session.commit()
    hands = Hands(open_tab(PHONE, language, javascript, begin(branch, "officer", language=language)))
    hands.tab.go("/")
    hands.tap("main a[href='/channel-posts?waiting=post_to_forward']")
    hands.tap(f"main a[href='/channel-posts/{post.id}']")
    copy = hands.tab.page.locator("[data-copy]")
    assert copy.is_visible() is javascript
    if javascript:
        copy.click()
        assert copy.inner_text() == "已复制"
        assert "请参加学习" in hands.tab.page.evaluate("document.getSelection().toString()")
    hands.write("[name=groups]", "幸福支部群")
    hands.write("[name=people]", "28")
    hands.tap("#forward button.btn-primary")
    assert (hands.taps, len(hands.typed)) == (3, 2)
    said = session.scalars(select(Forwarding)).one()
    assert (said.post_id, said.unit_id, said.groups, said.people) == (post.id, branch.id, "幸福支部群", 28)
    assert not hands.tab.is_too_wide()


@pytest.mark.parametrize(("language", "javascript"), WAYS)
def test_a_theme_day_takes_one_tap_more_than_an_invitation(open_tab, begin, branch, session, language, javascript):
    at = session.scalars(select(func.sms_now())).one() + timedelta(days=9)
    hands = Hands(open_tab(PHONE, language, javascript, begin(branch, "officer", language=language)))
    hands.tab.go("/")
    hands.tap("main a[href^='/invite']")
    for name, words in (("主题", "重温入党誓词"), ("时间", f"{at.month}月{at.day}日上午9点"), ("地点", "会议室")):
        hands.write(f"[name='values.{name}']", words)
    hands.open("input[name=when][value=event]")
    hands.tap("form[action^='/invite'] .btn-primary")
    hands.tap("#f-phones")
    assert (hands.taps, len(hands.typed)) == (4, 3)
    assert hands.seconds <= 120
    campaign = session.scalars(select(Campaign).where(Campaign.kind == "event")).one()
    assert (campaign.status, campaign.values["主题"]) == ("submitted", "重温入党誓词")
