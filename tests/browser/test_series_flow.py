"""Officer, 100 days: a study series in eight clicks, as people write one; with and without JavaScript."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.content.language import compile_template
from tests.browser.conftest import DESK, PHONE
from tests.browser.hands import Hands
from tests.factories import make_template

BODY = "{{ name }}同志：今日学习内容：{{ 内容 }}"
FORWARD = "main .buttons .btn-primary"


@pytest.mark.parametrize(
    ("language", "size", "javascript"), [("zh", DESK, True), ("zh", PHONE, False), ("en", DESK, True)]
)
def test_a_hundred_days_take_eight_clicks(session, branch, open_tab, begin, tmp_path, language, size, javascript):
    make_template(session, branch, BODY, class_="study", variables=compile_template(BODY).variables)
    session.commit()
    file = tmp_path / "学习.txt"
    file.write_text("\n".join(f"第{number}课，坚持学习。" for number in range(1, 101)), encoding="utf-8")
    hands = Hands(open_tab(size, language, javascript, begin(branch, "officer", language=language)))
    page = hands.tab.page
    hands.tab.go("/")
    hands.tap("main a[href='/series/new']")
    hands.taps += 1  # the file
    page.set_input_files("[name=file]", str(file))
    hands.tap(FORWARD)
    assert page.locator("main tbody tr").count() == 100
    hands.tap(FORWARD)
    hands.taps += 1  # the segment
    page.select_option("[name=segment_id]", index=0)
    hands.tap(FORWARD)
    assert "08:30" in page.inner_text("#days p")
    hands.tap(FORWARD)
    hands.tap(FORWARD)
    assert hands.taps == 8
    campaign = session.scalars(select(Campaign).where(Campaign.kind == "series")).one()
    assert campaign.status == "submitted"
    assert session.scalar(select(func.count()).where(CampaignItem.campaign_id == campaign.id)) == 100
    assert not hands.tab.is_too_wide()
