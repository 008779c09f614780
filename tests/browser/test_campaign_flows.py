"""An invitation and its approval as people do them: taps and letters counted, with and without JavaScript."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.campaigns.models import Campaign
from tests.browser.conftest import DESK, PHONE

TAP_S, LETTER_S, READING_S, BAR_S = 1.1, 0.6, 30, 120  # how long a person takes; what an invitation may take in all
WORDS = {"主题": "重温入党誓词", "时间": "本周六上午9时", "地点": "社区党群服务中心"}
WAYS = [("zh", PHONE, True), ("zh", PHONE, False), ("en", DESK, True)]


class Hand:
    """Taps and types on a page, and counts."""

    def __init__(self, tab):
        self.page, self.taps, self.letters = tab.page, 0, 0

    def tap(self, selector):
        """Tap the first thing that can be seen."""
        self.taps += 1
        self.page.locator(selector).locator("visible=true").first.click()

    def write(self, selector, text):
        self.letters += len(text)
        self.page.fill(selector, text)

    @property
    def seconds(self):
        """How long a person takes, without waiting for the server."""
        return self.taps * TAP_S + self.letters * LETTER_S + READING_S


@pytest.mark.parametrize(("language", "size", "javascript"), WAYS)
def test_an_invitation_and_its_approval(session, branch, open_tab, begin, language, size, javascript):
    tab = open_tab(size, language, javascript, begin(branch, "officer", language=language))
    tab.go("/invite")
    hand = Hand(tab)
    hand.taps = 1  # from the first page
    for name, words in WORDS.items():
        hand.write(f'[name="values.{name}"]', words)
    if javascript:
        tab.page.locator("#text", has_text="重温入党誓词").wait_for()  # the text follows what is written
    hand.tap("main form .buttons button.btn-primary")
    assert "28" in tab.page.inner_text("main form .buttons button.btn-primary")
    hand.tap("main form .buttons button.btn-primary")
    assert (hand.taps, hand.seconds <= BAR_S) == (3, True)
    campaign = session.scalars(select(Campaign).where(Campaign.status == "submitted")).one()
    assert campaign.values == WORDS

    tab = open_tab(size, language, javascript, begin(branch, "approver", language=language))
    tab.go(f"/campaigns/{campaign.id}/decision")  # the link in the notice
    hand = Hand(tab)
    hand.taps = 1
    hand.tap("main .buttons a.btn-primary")
    hand.tap("main form .buttons button.btn-primary")
    assert hand.taps == 3
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status in ("approved", "active")


def test_the_back_button_and_two_tabs_submit_once(session, branch, open_tab, begin):
    tab = open_tab(PHONE, "zh", secret=begin(branch, "officer", language="zh"))
    tab.go("/invite")
    for name, words in WORDS.items():
        tab.page.fill(f'[name="values.{name}"]', words)
    send = "main form .buttons button.btn-primary"
    tab.page.click(send)
    check = tab.page.url
    other = tab.page.context.new_page()
    other.goto(check)
    tab.page.click(send)
    assert "/check" not in tab.page.url
    tab.page.go_back()
    if tab.page.locator(send).count():
        tab.page.click(send)
    other.click(send)
    assert other.locator("main h1").count() == 1
    assert session.query(Campaign).filter(Campaign.status == "submitted").count() == 1
