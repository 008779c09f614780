"""What a phone has little room for: the menu and the filters fold, and last words are one tap; a desk shows all."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.api.samples import PREPARATIONS, make_samples
from tests.audience.listing import bring_list
from tests.browser.conftest import DESK, PHONE
from tests.factories import make_person, make_unit

FOLD = "details.fold > summary"


def test_the_last_words_are_one_tap_and_the_text_follows(open_tab, begin, branch):
    tab = open_tab(PHONE, "zh", secret=begin(branch, "officer", language="zh"))
    tab.go("/invite")
    tab.page.click("button:has-text('二楼会议室')")
    assert tab.page.input_value("[name='values.地点']") == "二楼会议室"
    tab.page.locator("#text", has_text="在二楼会议室").wait_for()


def test_without_javascript_the_fields_own_list_has_them(open_tab, begin, branch):
    tab = open_tab(PHONE, "zh", False, begin(branch, "officer", language="zh"))
    tab.go("/invite")
    assert not tab.page.is_visible("button:has-text('二楼会议室')")
    assert tab.page.locator("datalist option[value='二楼会议室']").count() == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_filters_fold_on_a_phone_and_stand_open_on_a_desk(open_tab, begin, branch, javascript):
    secret = begin(branch, "officer", language="zh")
    phone, desk = (open_tab(size, "zh", javascript, secret) for size in (PHONE, DESK))
    for tab in (phone, desk):
        tab.go("/campaigns")
    assert desk.page.is_visible("#f-name")
    assert not desk.page.is_visible(FOLD)
    assert not phone.page.is_visible("#f-name")
    phone.page.click(FOLD)
    phone.page.fill("#f-name", "上")
    with phone.page.expect_navigation():
        phone.page.click("form.filters button")
    assert phone.page.is_visible("#f-name"), "what is set is seen"


@pytest.mark.parametrize("javascript", [True, False])
def test_a_stop_is_one_tap_from_the_menu_and_the_rest_is_folded(open_tab, begin, branch, javascript):
    tab = open_tab(PHONE, "zh", javascript, begin(branch, "officer", language="zh"))
    tab.go("/")
    tab.page.click("header summary")
    assert tab.page.is_visible("header a[href='/stops']")
    assert not tab.page.is_visible("header a[href='/templates']")
    tab.page.click("header .menu summary")
    assert tab.page.is_visible("header a[href='/templates']")


def test_a_tap_ticks_the_box_of_a_card_though_its_name_is_a_link(open_tab, begin, session, database):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    PREPARATIONS["POST /messages/settle"](session, ids)
    session.execute(text("UPDATE attempts SET looked_up_at = '2026-01-02 03:04Z'"))
    tab = open_tab(PHONE, "zh", secret=begin(unit, "operator", language="zh"))
    tab.go("/rows?status=unknown")
    box = tab.page.locator(".cards input[type=checkbox]").first
    box.scroll_into_view_if_needed()
    at = box.bounding_box()
    across, down = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    for number, (right, below) in enumerate([(0, 0), (21, 0), (-21, 0), (0, 21), (0, -21)]):
        tab.page.mouse.click(across + right, down + below)
        assert "/rows" in tab.page.url, "the link of the name lies over the box"
        assert box.is_checked() is (number % 2 == 0), "44 px are the box's own"


def test_a_column_of_a_list_is_put_into_the_text_by_a_tap(open_tab, begin, session):
    unit = make_unit(session)
    make_person(session, unit, number="P1")
    found = bring_list(session, unit, "编号,座位\nP1,1排\n")
    tab = open_tab(PHONE, "zh", secret=begin(unit, "administrator", language="zh"))
    tab.go(f"/templates/new?list={found.id}")
    tab.page.fill("#f-body", "座位：。")
    tab.page.evaluate("document.getElementById('f-body').setSelectionRange(3, 3)")
    tab.page.click("button:has-text('座位')")
    assert tab.page.input_value("#f-body") == "座位：{{ row.座位 }}。"
