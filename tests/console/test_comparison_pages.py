"""The list that an office works from: the unreachable and the silent on top, each number leading to its rows."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO

import openpyxl
import pytest
from sqlalchemy import event, func, select

from sms_service.reports.target_models import UnitTarget
from tests.dispatch.city import make_run
from tests.factories import make_person, make_unit
from tests.replies.asking import RSVP, ask
from tests.reports.ledger_rows import add_message, make_tree

DAY = date(2026, 9, 1)
PERIOD = "since=2026-09-01&until=2026-09-30"
MOST_STATEMENTS = 12


@pytest.fixture
def tree(database, session):
    """City, two districts, two branches of the first: nothing reaches the one, nobody of the other answers; the second
    district has its text and was asked nothing.
    """
    units = make_tree(session, [DAY])
    now = session.scalars(select(func.sms_now())).one()
    run = make_run(session, units[1], day=DAY, month=DAY, status="finished", audience=4)
    run.launched_at = run.frozen_at = now
    for unit, status in ((units[3], "undelivered"), (units[3], "refused"), (units[4], "delivered")):
        add_message(session, run, unit, status)
    add_message(session, run, units[1], "delivered", person=make_person(session, units[1]))
    plain = make_run(session, units[0], day=DAY, month=DAY, status="finished", audience=1)
    add_message(session, plain, units[2], "delivered")
    session.commit()
    ask(database, run.id, RSVP)
    return units, run.campaign_id


def names(page):
    return re.findall(r'<th scope="row" class="first[^"]*">(?:<a [^>]*>)?([^<]*)', page)


def test_the_unreachable_and_the_silent_stand_on_top(tree, log_in):
    units, _ = tree
    page = log_in(units[0], "auditor").get(f"/comparison?unit={units[1].id}&{PERIOD}").text
    assert names(page)[0] == units[3].name
    assert "Nothing arrives" in page
    assert page.index("Nothing arrives") < page.index("Nobody answers")
    assert "2 of 4 people were reached. 0 of 4 who were asked answered." in " ".join(page.split())
    assert "First units that nothing reaches, then silent ones" in page
    ordered = log_in(units[0], "auditor").get(f"/comparison?unit={units[1].id}&{PERIOD}&order=name").text
    assert "By name." in ordered
    assert sorted(names(ordered)[:-1]) == names(ordered)[:-1]


def test_each_number_leads_to_what_it_counts(tree, log_in):
    units, _ = tree
    visitor = log_in(units[0], "auditor")
    for units_asked in ("below", "branches"):
        page = visitor.get(f"/comparison?unit={units[1].id}&{PERIOD}&units={units_asked}").text
        texts = re.findall(r'data-label="Texts"><a href="(/rows[^"]*)">(\d+)</a>', page)
        assert sum(int(number) for _, number in texts[:-1]) == int(texts[-1][1]) == 4
        for link, number in texts:
            rows = visitor.get(link.replace("&amp;", "&")).text
            assert f"<strong>{number} text" in rows, link
        why = re.findall(r'data-label="Not reached"><a href="(/counts[^"]*)">(\d+)</a>', page)
        assert [number for _, number in why] == ["2", "2"]
        for link in {link for link in re.findall(r'href="(/[^"#]*)', page) if "/file" not in link}:
            assert visitor.get(link.replace("&amp;", "&")).status_code == 200, link


def test_answers_lead_to_their_questions_and_these_to_the_people(tree, log_in):
    units, campaign_id = tree
    visitor = log_in(units[0], "auditor")
    asked = visitor.get(f"/comparison/questions?unit={units[1].id}&{PERIOD}").text
    links = re.findall(r'data-label="(?:Asked|Said nothing|Not reached)"><a href="([^"]*)">(\d+)</a>', asked)
    assert [int(number) for _, number in links] == [4, 2, 2]
    for link, number in links:
        people = visitor.get(link.replace("&amp;", "&")).text.split('id="people"')[1]
        assert people.count("/people/") == int(number), link
    own = visitor.get(f"/comparison/questions?unit={units[1].id}&{PERIOD}&subtree=false&campaign={campaign_id}").text
    assert re.findall(r'data-label="Asked">(?:<a [^>]*>)?(\d+)', own) == ["1", "1"]
    none = visitor.get(f"/comparison/questions?unit={units[2].id}&{PERIOD}").text
    assert "was asked anything" in none


def test_nobody_reads_beyond_their_units_and_the_page_names_them(tree, log_in):
    units, _ = tree
    secretary = log_in(units[1], "auditor")
    page = secretary.get(f"/comparison?{PERIOD}").text
    assert f"Covers: {units[1].name}" in page
    assert units[0].name not in page
    for path in ("/comparison", "/comparison/file", "/comparison/questions"):
        assert secretary.get(f"{path}?unit={units[0].id}").status_code == 403
        assert secretary.get(f"{path}?unit={units[2].id}").status_code == 403
    empty = log_in(units[2], "auditor").get("/comparison?since=2020-01-01&until=2020-01-02").text
    assert "Nothing was sent to people of" in empty


def test_the_list_goes_on_where_the_page_ended(session, tree, log_in):
    units, _ = tree
    session.add_all([make_unit(session, parent=units[1], level="branch") for _ in range(45)])
    session.commit()
    visitor = log_in(units[0], "auditor")
    seen, path = [], f"/comparison?unit={units[1].id}&{PERIOD}"
    while path:
        page = visitor.get(path).text
        assert "of 48 units on this page" in page
        seen += names(page)[:-1]
        following = re.search(r'rel="next" href="([^"]*)"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(seen) == len(set(seen)) == 48
    assert visitor.get(f"/comparison?unit={units[1].id}&cursor=nonsense").status_code == 422


def test_the_file_has_the_lines_of_the_page(session, tree, log_in):
    units, _ = tree
    session.add(UnitTarget(unit_id=units[3].id, year=2026, kind="texts", target=10))
    session.commit()
    visitor = log_in(units[0], "auditor")
    answer = visitor.get(f"/comparison/file?unit={units[1].id}&{PERIOD}")
    sheet = openpyxl.load_workbook(BytesIO(answer.data)).worksheets[0]
    headers, *lines = sheet.iter_rows(values_only=True)
    assert [line[1] for line in lines][-1] == "Total"
    assert len(lines) == 4
    first = dict(zip(headers, lines[0], strict=True))
    assert (first["Unit"], first["Note"], first["Texts"], first["Delivery rate"]) == (
        units[3].name,
        "Nothing arrives",
        2,
        0,
    )
    assert first["Texts delivered 2026, target"] == 10
    assert first["Attendance rate"] is None, "nothing was ticked off"
    shown = visitor.get(f"/comparison?unit={units[1].id}&{PERIOD}").text
    assert re.search(r'data-label="Texts delivered 2026"><a href="/targets[^"]*">0%</a>', shown)
    csv = visitor.get(f"/comparison/file?unit={units[1].id}&{PERIOD}&format=csv")
    assert csv.data.startswith(b"\xef\xbb\xbf")
    assert len(csv.data.decode().splitlines()) == 5


def test_it_asks_the_database_little_however_it_is_asked(database, session, tree, log_in):
    units, campaign_id = tree
    session.add(UnitTarget(unit_id=units[3].id, year=2026, kind="texts", target=10))
    session.commit()
    visitor = log_in(units[0], "auditor")
    for more in (
        "",
        f"&campaign={campaign_id}",
        "&units=branches",
        f"&units=branches&campaign={campaign_id}&class=notice",
    ):
        asked = []

        def note(connection, cursor, statement, *_, asked=asked):
            if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
                asked.append(" ".join(statement.split())[:90])

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            visitor.get(f"/comparison?unit={units[1].id}&{PERIOD}{more}")
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        assert 5 < len(asked) <= MOST_STATEMENTS, (more, "\n".join(asked))
