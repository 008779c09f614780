"""Counts: whatever one counts by, each number leads to exactly its rows, and what is shown adds up."""

from __future__ import annotations

import re
from datetime import date

import pytest

from sms_service.reports.filters import DIMENSIONS
from tests.dispatch.city import make_run
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAYS = (date(2026, 9, 1), date(2026, 10, 2))


@pytest.fixture
def tree(database, session):
    units = make_tree(session, DAYS)
    for day in DAYS:
        run = make_run(session, units[1], day=day, month=day.replace(day=1), status="finished", audience=3)
        for unit, status in ((units[3], "delivered"), (units[4], "skipped"), (units[1], "undelivered")):
            add_message(session, run, unit, status)
    session.commit()
    return units


@pytest.mark.parametrize("rolled", [False, True])
def test_each_number_leads_to_its_rows(database, tree, log_in, rolled):
    if rolled:
        settle_roll_ups(database)
    visitor = log_in(tree[0], "auditor")
    for by in DIMENSIONS:
        page = visitor.get(f"/counts?by={by}").text
        links = re.findall(r'data-label="Texts"><a href="(/rows[^"]*)">(\d+)</a>', page)
        assert len(links) > 1, by
        assert sum(int(number) for _, number in links[:-1]) == int(links[-1][1]) == 6
        for link, number in links:
            rows = visitor.get(link.replace("&amp;", "&")).text
            assert f"<strong>{number} text" in rows, (by, link)
        for link in set(re.findall(r'href="(/counts\?[^"]*)"', page)):
            assert visitor.get(link.replace("&amp;", "&")).status_code == 200, link


def test_what_is_shown_adds_up_and_rates_are_of_what_left(database, tree, log_in):
    page = log_in(tree[0], "auditor").get("/counts?by=month").text
    assert "2 runs that units in" in page
    assert "6 recipients when their lists were made, 6 texts of all statuses now" in page
    total = page.split("<tfoot>")[1]
    assert re.findall(r'data-label="(Delivery rate|Reach rate)">([\d.]+%)', total) == [
        ("Delivery rate", "50%"),
        ("Reach rate", "33.3%"),
    ]
    assert "All days asked for are sealed" not in page


def test_whom_fewest_texts_reach_stand_on_top_if_asked(tree, log_in):
    page = log_in(tree[0], "auditor").get(f"/counts?unit={tree[1].id}&order=reach").text
    names = re.findall(r'<th scope="row" data-label="Unit">(?:<a [^>]*>)?([^<]*)', page)
    assert names[-2:] == [tree[3].name, "Total"]
    assert page.index("Least reached first") > page.index("Usual order")


def test_a_page_says_when_all_its_days_are_sealed(database, tree, log_in):
    settle_roll_ups(database, seal=True)
    page = log_in(tree[0], "auditor").get("/counts?since=2026-09-01&until=2026-10-31").text
    assert "All days asked for are sealed; amendments since: 0" in page


def test_filters_that_no_field_shows_are_named_and_can_be_taken_out(tree, log_in):
    visitor = log_in(tree[0], "auditor")
    page = visitor.get(f"/counts?by=status&sender={tree[1].id}&sender_subtree=false&template=0&account=-").text
    assert 'aria-label="Without Template"' in page
    assert 'aria-label="Without Gateway account"' in page
    assert f'<option value="{tree[1].id}" selected>' in page
