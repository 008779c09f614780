"""Counts: whatever one counts by, each number leads to exactly its rows, and what is shown adds up."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from sms_service.console.languages import write_day, write_percent
from sms_service.ledger.models import Run
from sms_service.reports.filters import DIMENSIONS
from tests.dispatch.city import make_run
from tests.factories import make_unit
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
        ("Delivery rate", "50.0%"),
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


def test_rows_without_a_reason_stay_so_while_they_are_filtered_on(tree, log_in):
    visitor = log_in(tree[0], "auditor")
    assert '<option value="-" selected>' in visitor.get("/rows?reason=-").text
    assert "Filters (1 set)" in visitor.get("/rows?status=delivered").text


def test_nothing_yet_is_not_nothing_of_a_filter(session, log_in):
    visitor = log_in(make_unit(session), "auditor")
    page = visitor.get("/rows").text
    assert "No text has been sent in these units yet" in page
    assert " set)</summary>" not in page
    assert "No text matches this filter" in visitor.get("/rows?status=delivered").text


def test_who_reads_the_rows_but_not_the_run_is_not_led_to_it(session, tree, log_in):
    """A run of the district above: its rows of one's own people are read, its page is not."""
    branch, run_id = tree[3], session.scalars(select(Run.id).order_by(Run.id)).first()
    below, above = log_in(branch, "auditor"), log_in(tree[0], "auditor")
    link = f'href="/runs/{run_id}"'
    for visitor, leads in ((below, False), (above, True)):
        rows = visitor.get(f"/rows?run={run_id}&unit={branch.id}").text
        message = re.search(r'href="(/messages/\d+)"', rows)[1]
        assert (link in rows, link in visitor.get(message).text) == (leads, leads)
        assert visitor.get(f"/runs/{run_id}").status_code == (200 if leads else 403)


def test_paper_says_what_was_asked_for(tree, log_in):
    page = log_in(tree[0], "auditor").get("/counts?by=status&since=2026-09-01&class=study").text
    printed = re.search(r'<p class="d-none d-print-block">(.*?)</p>', page, re.DOTALL)[1]
    assert "Count by <strong>Status</strong>" in printed
    assert "Class <strong>Study</strong>" in printed
    assert "2026-09-01" not in printed, "a day is written as people write it"


@pytest.mark.parametrize(
    ("address", "field", "without"),
    [
        ("/counts?by=status&since=abc", "From day</strong> <code>abc</code>", "/counts?by=status"),
        ("/rows?status=sent&unit=1", "Status</strong> <code>sent</code>", "/rows?unit=1"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named_and_can_be_taken_out(tree, log_in, address, field, without):
    answer = log_in(tree[0], "auditor").get(address)
    assert answer.status_code == 422
    assert f"<li><strong>{field} " in answer.text
    assert f'href="{without}">Without this filter' in answer.text
    assert "`errors`" not in answer.text


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0%"), (1, "100%"), (0.5, "50.0%"), (2 / 25_000, "<0.1%"), (1 - 2 / 25_000, ">99.9%"), (0.985, "98.5%")],
)
def test_a_share_is_nothing_or_the_whole_only_where_it_is(app, share, shown):
    with app.test_request_context():
        assert write_percent(share) == shown


def test_the_day_of_a_moment_is_that_of_the_city(app):
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert write_day(datetime(2026, 11, 29, 17, 43, tzinfo=UTC), date(2026, 12, 1)) == "30 Nov"


def test_the_numbers_of_a_sealed_day_add_up_to_a_total_and_lead_to_rows(database, tree, log_in):
    settle_roll_ups(database, seal=True)
    visitor = log_in(tree[0], "auditor")
    assert '/seals/2026-09-01"' in visitor.get("/seals?before=2026-09-02").text
    assert "No day before 1 Sept is sealed" in visitor.get("/seals?before=2026-09-01").text
    page = visitor.get("/seals/2026-09-01").text
    links = re.findall(r'data-label="Now"><a href="(/rows[^"]*)">(\d+)</a>', page)
    assert sum(int(number) for _, number in links[:-1]) == int(links[-1][1]) == 3
    for link, number in links:
        assert f"<strong>{number} text" in visitor.get(link.replace("&amp;", "&")).text
