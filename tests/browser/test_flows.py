"""What people come for, in a browser: how many taps it takes, and that nothing is lost and nothing happens twice."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select, update

from sms_service.accounts import passwords
from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import Account, BrowserSession
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign, Decision
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.campaigns.services import submit_campaign
from sms_service.controls.models import Stop
from sms_service.delivery.models import LostCheck
from sms_service.directory.models import Person, Unit
from sms_service.ledger.models import Run
from tests.browser.conftest import DESK, PHONE
from tests.browser.hands import Hands
from tests.console.campaigning import make_branch, make_invitation, write_draft
from tests.dispatch.city import make_city
from tests.factories import make_actor

WORDS = {"主题": "重温入党誓词", "时间": "本周六上午9时", "地点": "二楼会议室"}
NEXT, SEND = "form[action^='/invite'] .btn-primary", "#f-phones"
PASSWORD = "云海间的灯塔-一九四九年"
ITS_PAGE = re.compile(r"/campaigns/\d+$")


@pytest.fixture
def branch(session):
    """A branch of 28 whose secretary has sent nothing yet, and who can approve it."""
    branch = make_branch(session, people=28)
    make_invitation(session, branch)
    # Its city has a signature that the carriers know.
    write_draft(session, session.get_one(Unit, branch.parent_id), name="每日一学")
    make_actor(session, branch, ("approver",), login="approver")
    session.commit()
    return branch


@pytest.fixture
def waiting(session, branch):
    """A campaign of the branch that waits for an approver."""
    campaign = write_draft(session, branch, make_actor(session, branch), name="主题党日")
    submit_campaign(session, make_actor(session, branch), campaign.id)
    session.commit()
    return campaign


@pytest.fixture
def running(database, session):
    """A run under way: its unit and its id. Nobody sends its texts."""
    city = make_city(database, 12, name="城区", parent=None)
    session.add(city.unit)
    return city.unit, city.run_id


def count(session, model, **columns):
    session.expire_all()
    return session.scalar(select(func.count()).select_from(model).filter_by(**columns))


def own_campaign(session, unit):
    session.expire_all()
    return session.scalars(select(Campaign).filter_by(unit_id=unit.id)).one()


def acts(session, word):
    """How often the trail has this act."""
    session.expire_all()
    return session.scalar(select(func.count()).select_from(TrailEntry).where(TrailEntry.act == word))


def write_words(hands):
    for name, words in WORDS.items():
        hands.write(f"[name='values.{name}']", words)


@pytest.mark.parametrize(
    ("language", "size", "javascript"),
    [("zh", PHONE, True), ("en", DESK, True), ("en", PHONE, False), ("zh", DESK, False)],
)
def test_a_first_invitation_takes_three_taps_and_three_fields(
    open_tab, begin, branch, session, language, size, javascript
):
    hands = Hands(open_tab(size, language, javascript, begin(branch, "officer", language=language)))
    hands.tab.go("/")
    hands.tap("main a[href^='/invite']")
    write_words(hands)
    hands.tap(NEXT)
    assert "28" in hands.find(SEND).inner_text()
    hands.tap(SEND)
    assert (hands.taps, len(hands.typed)) == (3, 3)
    assert hands.seconds <= 120
    campaign = own_campaign(session, branch)
    assert (campaign.status, campaign.values) == ("submitted", WORDS)
    assert hands.tab.page.url.endswith(f"/campaigns/{campaign.id}")
    assert not hands.tab.is_too_wide()


@pytest.mark.parametrize(("language", "javascript"), [("zh", True), ("en", False)])
def test_a_first_invitation_that_self_service_covers_is_sent_by_the_third_tap(
    open_tab, begin, branch, session, language, javascript
):
    add_approval_rule(session, SYSTEM, unit_id=branch.parent_id, level="branch", up_to=60, approvals=0)
    session.commit()
    hands = Hands(open_tab(PHONE, language, javascript, begin(branch, "officer", language=language)))
    hands.tab.go("/")
    hands.tap("main a[href^='/invite']")
    write_words(hands)
    hands.tap(NEXT)
    assert ("发送给 28 人" if language == "zh" else "Send to 28 people") in hands.find(SEND).inner_text()
    hands.tap(SEND)
    assert (hands.taps, len(hands.typed)) == (3, 3)
    assert hands.seconds <= 120
    run = session.scalars(select(Run)).one()
    assert hands.tab.page.url.endswith(f"/runs/{run.id}")
    campaign = own_campaign(session, branch)
    assert (campaign.status, campaign.values) == ("active", WORDS)
    assert count(session, Decision, decided="approved", self_service=True) == 1
    assert not hands.tab.is_too_wide()


def test_the_invitation_by_keyboard_alone(open_tab, begin, branch, session):
    hands = Hands(open_tab(DESK, "zh", secret=begin(branch, "officer", language="zh")))
    hands.tab.go("/")
    hands.tab_to("a[href='#content']")
    hands.tab_to("a[href^='/invite']")
    hands.press("Enter")
    for name, words in WORDS.items():
        hands.tab_to(f"[name='values.{name}']")
        hands.tab.page.keyboard.type(words)
    hands.tab_to("#f-people > summary")
    hands.tab.page.keyboard.press("Enter")
    hands.tab_to("[name=people]")
    hands.tab.page.keyboard.press("Space")
    hands.tab_to("form[action^='/invite'] .buttons .btn-primary")
    hands.press("Space")
    hands.tab.page.wait_for_url("**/check*")
    hands.tab_to(SEND)
    assert "27" in hands.find(SEND).inner_text()
    hands.press("Enter")
    hands.tab.page.wait_for_url(ITS_PAGE)
    assert count(session, Campaign, status="submitted") == 1


@pytest.mark.parametrize(("language", "javascript"), [("zh", True), ("en", False)])
def test_an_approver_approves_in_three_taps(open_tab, begin, branch, waiting, session, language, javascript):
    hands = Hands(open_tab(PHONE, language, javascript, begin(branch, "approver", language=language)))
    hands.taps += 1  # the link in the notice
    hands.tab.go(f"/campaigns/{waiting.id}/decision")
    hands.tap("a[href*='/decision/approve']")
    assert "28" in hands.find(SEND).inner_text()
    hands.tap(SEND)
    assert hands.taps == 3
    assert count(session, Campaign, status="approved") == 1
    assert count(session, Decision, decided="approved") == 1


def test_an_auditor_is_at_a_row_in_three_clicks(open_tab, begin, running):
    unit, _ = running
    hands = Hands(open_tab(DESK, "zh", secret=begin(unit, "auditor", language="zh")))
    hands.tab.go("/")
    hands.tap("a[href='/counts']")
    hands.tap("main td a[href*='/rows']")
    hands.tap("main td a[href*='/messages/'], main th a[href*='/messages/']")
    assert hands.taps == 3
    assert "/messages/" in hands.tab.page.url


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("size", [PHONE, DESK])
@pytest.mark.parametrize(("language", "words"), [("zh", "停发"), ("en", "Stop")])
def test_an_emergency_stop_of_a_whole_city_is_menu_why_stop(
    open_tab, begin, running, session, language, words, size, javascript
):
    unit, _ = running  # the top of its tree, with 12 texts that have not left
    hands = Hands(open_tab(size, language, javascript, begin(unit, "officer", language=language)))
    hands.tab.go("/")
    if size is PHONE:
        hands.open("summary.btn")
    hands.tap("a[href='/stops']")
    hands.write("[name=why]", "内容有误")
    button = hands.find("main form.narrow .btn-danger").inner_text()
    assert words in button
    assert "12" in button
    hands.tap("main form.narrow .btn-danger")
    # 「停发」 in the menu, the reason, 「停发」; on a phone the menu is behind a button.
    assert (hands.taps, len(hands.typed)) == (3 if size is PHONE else 2, 1)
    assert count(session, Stop, unit_id=unit.id, released_at=None) == 1
    assert "内容有误" in hands.tab.page.inner_text("main table")
    assert not hands.tab.is_too_wide()
    hands.tab.page.go_back()
    assert hands.tab.page.locator("main form.narrow .btn-danger").count() == 0, "it says that it is stopped already"
    assert count(session, Stop) == 1


def test_a_run_is_paused_from_its_page(open_tab, begin, running, session):
    unit, run_id = running
    hands = Hands(open_tab(PHONE, "zh", secret=begin(unit, "officer", language="zh")))
    hands.tab.go(f"/runs/{run_id}")
    hands.tap("a[href$='/pause']")
    assert "12" in hands.find("main .btn-primary").inner_text()
    hands.write("[name=why]", "核对")
    hands.find("main .btn-primary").dblclick()
    expect(hands.tab.page).to_have_url(re.compile(rf"/runs/{run_id}$"), timeout=10_000)
    assert count(session, Run, id=run_id, status="paused") == 1
    hands.tab.page.go_back()
    hands.write("[name=why]", "再次核对")
    hands.tap("main .btn-primary")
    assert hands.tab.page.locator("h1").count() == 1
    assert acts(session, "run.paused") == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_a_double_click_writes_one_and_submits_one(open_tab, begin, branch, session, javascript):
    hands = Hands(open_tab(PHONE, "zh", javascript, begin(branch, "officer", language="zh")))
    hands.tab.go("/invite")
    write_words(hands)
    hands.find(NEXT).dblclick()
    # Not wait_for_url: it fails when the second click's page ends the loading of the first one's.
    expect(hands.tab.page).to_have_url(re.compile("/check"), timeout=10_000)
    hands.find(SEND).dblclick()
    expect(hands.tab.page).to_have_url(ITS_PAGE, timeout=10_000)
    assert count(session, Campaign, unit_id=branch.id) == 1
    assert acts(session, "campaign.submit") == 1


def test_after_sending_the_back_button_finds_nothing_to_send(open_tab, begin, branch, session):
    hands = Hands(open_tab(PHONE, "zh", secret=begin(branch, "officer", language="zh")))
    hands.tab.go("/invite")
    write_words(hands)
    hands.tap(NEXT)
    hands.tap(SEND)
    hands.tab.page.go_back()
    assert "/check" in hands.tab.page.url
    assert hands.tab.page.locator(SEND).count() == 0
    assert count(session, Campaign, status="submitted") == 1


def test_two_tabs_with_one_form_submit_once(open_tab, begin, branch, session):
    campaign = write_draft(session, branch, name="主题党日")
    first = Hands(open_tab(PHONE, "zh", secret=begin(branch, "officer", language="zh")))
    second = first.tab.page.context.new_page()
    first.tab.go(f"/campaigns/{campaign.id}/check")
    second.goto(f"{first.tab.address}/campaigns/{campaign.id}/check")
    first.tap(SEND)
    with second.expect_navigation() as answer:
        second.click(SEND)
    assert answer.value.status == 409
    assert acts(session, "campaign.submit") == 1


def test_without_a_connection_the_numbers_say_when_they_stopped(open_tab, begin, running, session, database):
    unit, run_id = running
    tab = open_tab(PHONE, "zh", secret=begin(unit, "officer", language="zh"))
    tab.page.clock.install()
    tab.go(f"/runs/{run_id}")
    at = tab.page.locator("#live").get_attribute("data-at")
    note = tab.page.locator("[data-stopped]")
    assert note.is_hidden()
    tab.page.context.set_offline(True)
    tab.page.clock.run_for(15_000)
    note.wait_for(state="visible")
    assert at in note.inner_text()
    tab.page.context.set_offline(False)
    session.execute(update(Run).where(Run.id == run_id).values(status="cancelled", reason="核对"))
    session.commit()
    tab.page.clock.run_for(70_000)
    note.wait_for(state="hidden")
    tab.page.locator("#live", has_text="核对").wait_for()
    # What Chromium says of requests without a network, and nothing else.
    assert [fault for fault in tab.faults if "ERR_INTERNET_DISCONNECTED" not in fault and "htmx" not in fault] == []
    tab.faults.clear()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_session_that_ended_in_mid_form_loses_nothing(open_tab, begin, branch, session, javascript):
    secret = begin(branch, "officer", language="zh", login="secretary")
    kept = passwords.hash_password(PASSWORD)
    session.execute(update(Account).where(Account.login == "secretary").values(password_hash=kept))
    session.commit()
    hands = Hands(open_tab(PHONE, "zh", javascript, secret))
    hands.tab.go("/invite")
    write_words(hands)
    session.execute(update(BrowserSession).values(ended_at=func.now()))
    session.commit()
    if javascript:  # the text as it is being written is asked for while the session is over
        with hands.tab.page.expect_response("**/texts/*") as answer:
            hands.find("[name='values.地点']").press_sequentially("A座")
        assert answer.value.status == 401
        assert hands.find("[name='values.主题']").input_value() == WORDS["主题"], "what was written stays"
        assert hands.find("[name='values.地点']").input_value().endswith("A座")
        hands.tab.faults.clear()  # htmx says that the answer was an error
    hands.tap(NEXT)
    assert count(session, Campaign, unit_id=branch.id) == 0
    hands.write("#f-login", "secretary")
    hands.write("#f-password", PASSWORD)
    hands.tap(".btn-primary")
    hands.tab.page.wait_for_url("**/check*")
    campaign = own_campaign(session, branch)
    assert campaign.values["主题"] == WORDS["主题"]
    hands.tap(SEND)
    assert count(session, Campaign, status="submitted") == 1


@pytest.mark.parametrize(("language", "javascript"), [("zh", True), ("en", False)])
def test_a_secretary_says_where_somebody_is_with_one_tap(open_tab, begin, branch, session, language, javascript):
    for person in session.scalars(select(Person).where(Person.unit_id == branch.id).order_by(Person.id).limit(2)):
        session.add(LostCheck(person_id=person.id, cause="not_reached", campaigns=3, opened_at=func.now()))
    hands = Hands(open_tab(PHONE, language, javascript, begin(branch, "officer", language=language)))
    hands.tab.go("/")
    hands.tap("main a[href='/lost-checks']")
    hands.tap("main button[value=lost]")
    assert hands.taps == 2
    assert count(session, LostCheck, answer="lost") == 1
    assert hands.tab.page.locator("main .rows > li").count() == 1
    hands.open("main .rows details summary")
    hands.write("[name=phone]", "13912345678")
    hands.tap("main .rows details button")
    assert count(session, LostCheck, answer="new_number") == 1
    assert hands.tab.page.locator("main .rows > li").count() == 0
    assert not hands.tab.is_too_wide()
