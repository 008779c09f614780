"""A secretary and an approver on phones, with the whole service behind them: written, approved, sent, delivered."""

from __future__ import annotations

from contextlib import closing

import pytest

from sms_service.accounts import passwords
from sms_service.db.engine import Database
from sms_service.embedded import with_running_engines
from tests.browser.conftest import PHONE
from tests.browser.hands import Hands
from tests.console.campaigning import make_invitation, write_draft
from tests.dispatch.city import ALL_DAY
from tests.factories import make_account, make_person, make_unit
from tests.ops.whole_service import PATIENCE_S, whole_service

PASSWORD = "云海间的灯塔-一九四九年"
PEOPLE = 5


@pytest.fixture
def service(chromium):
    """The whole service with its simulator, and a branch with a secretary and an approver."""
    with whole_service() as service:
        url = with_running_engines(service.settings).database_url or ""
        with closing(Database(url)) as database, database.session() as session:
            fill(session)
        yield service


@pytest.fixture
def address(service):
    return f"http://127.0.0.1:{service.given['PORT']}"


def fill(session):
    city = make_unit(session, name="云州市", **ALL_DAY)
    branch = make_unit(session, parent=city, level="branch", name="幸福支部", **ALL_DAY)
    for number in range(PEOPLE):
        make_person(session, branch, name=f"党员{number:02d}")
    make_invitation(session, branch)
    write_draft(session, city, name="每日一学")
    kept = passwords.hash_password(PASSWORD)
    make_account(session, branch, "secretary", ("officer",), password_hash=kept)
    make_account(session, branch, "approver", ("approver",), password_hash=kept)


def log_in(open_tab, login):
    hands = Hands(open_tab(PHONE, "zh"))
    hands.tab.go("/log-in")
    hands.write("#f-login", login)
    hands.write("#f-password", PASSWORD)
    hands.tap(".door-card .btn-primary")
    return hands


def test_an_invitation_is_written_approved_and_delivered(open_tab):
    secretary, approver = log_in(open_tab, "secretary"), log_in(open_tab, "approver")
    secretary.tab.go("/invite")
    for name, words in {"主题": "重温入党誓词", "时间": "本周六上午9时", "地点": "二楼会议室"}.items():
        secretary.write(f"[name='values.{name}']", words)
    secretary.tap("form[action^='/invite'] .btn-primary")
    secretary.tap("#f-phones")
    campaign = secretary.tab.page.url
    approver.tab.page.goto(f"{campaign}/decision")
    approver.tap("a[href*='/decision/approve']")
    approver.tap("#f-phones")
    secretary.tab.page.goto(campaign)
    secretary.tap("a[href^='/runs/']")
    # The live page refreshes itself until the last receipt is there.
    delivered = secretary.tab.page.locator("#live tr", has=secretary.tab.page.locator(".s-delivered"))
    delivered.locator("td.n a", has_text=str(PEOPLE)).wait_for(timeout=PATIENCE_S * 1000)
    assert not secretary.tab.is_too_wide()
