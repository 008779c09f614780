"""工作日历: a year on one page, taken over with one button, the notice pasted and checked before anything is set."""

from __future__ import annotations

import io
from datetime import date

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import RoleGrant
from sms_service.schedules.calendar_days import CalendarEntry, set_calendar_days
from sms_service.schedules.calendar_models import CalendarDay
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_unit

PAGE = "/working-days"


@pytest.fixture
def city(session):
    unit = make_unit(session, name="云州市")
    session.commit()
    return unit


def rows(session) -> list[tuple[str, bool, str]]:
    session.expire_all()
    found = session.scalars(select(CalendarDay).order_by(CalendarDay.day))
    return [(one.day.isoformat(), one.works, one.name) for one in found]


def test_an_empty_year_offers_the_official_one_and_takes_it_over_once(log_in, session, city):
    visitor = log_in(city, "administrator")
    year = f"{PAGE}?unit={city.id}&year=2026"
    empty = visitor.get(year).text
    assert "no holidays are known for 2026" in empty
    assert "Take over the official calendar of 2026" in empty
    form = {**visitor.fields(year), "unit_id": city.id, "year": 2026}
    answers = [visitor.client.post(f"{PAGE}/take-over", data=form, headers=SAME_ORIGIN).location for _ in range(2)]
    assert answers == [year] * 2
    assert len(rows(session)) == 39
    page = visitor.get(year).text
    assert "The official calendar of 2026 is taken over: 33 days off, 6 swapped working days." in page
    assert "248 working days in 2026" in page
    assert "no holidays are known" not in page
    assert page.count("<caption") == 12


def test_a_year_that_nobody_knows_asks_for_the_notice(log_in, city):
    page = log_in(city, "administrator").get(f"{PAGE}?year=2090").text
    assert "Once the State Council" in page
    assert "Take over the official calendar" not in page


def test_the_notice_is_pasted_checked_and_set(log_in, session, city):
    visitor = log_in(city, "administrator")
    year = f"{PAGE}?unit={city.id}&year=2027"
    form = {**visitor.fields(year), "unit_id": city.id, "year": 2027}
    text = "一、春节：2月5日（周五）至11日（周四）放假调休，共7天。2月14日（周日）上班。"
    checked = visitor.client.post(f"{PAGE}/check", data={**form, "text": text}, headers=SAME_ORIGIN)
    assert checked.status_code == 200
    assert "Set 8 days" in checked.text
    assert rows(session) == []
    packed = '[["2027-02-05", false, "春节"], ["2027-02-14", true, "春节调休"]]'
    data = {**form, "days": packed}
    answers = [visitor.client.post(PAGE, data=data, headers=SAME_ORIGIN).location for _ in range(2)]
    assert answers == [year] * 2
    assert rows(session) == [("2027-02-05", False, "春节"), ("2027-02-14", True, "春节调休")]
    again = visitor.client.post(f"{PAGE}/check", data={**form, "text": "2月14日 春节调休 上班"}, headers=SAME_ORIGIN)
    assert "there is nothing to set" in again.text


def test_a_line_that_cannot_be_read_is_shown_with_its_number_and_the_text_stays(log_in, session, city):
    visitor = log_in(city, "administrator")
    form = {**visitor.fields(f"{PAGE}?year=2027"), "unit_id": city.id, "year": 2027}
    text = "2月5日 春节 放假\n2月30日 春节 放假"
    page = visitor.client.post(f"{PAGE}/check", data={**form, "text": text}, headers=SAME_ORIGIN).text
    assert "1 row cannot be read, so nothing can be set." in page
    assert "2月30日 is no day of the calendar" in page
    assert f"{text}</textarea>" in page
    nothing = visitor.client.post(f"{PAGE}/check", data=form, headers=SAME_ORIGIN)
    assert (nothing.status_code, "write lines, or choose a file" in nothing.text) == (422, True)
    assert rows(session) == []


def test_a_file_is_checked_too(log_in, city):
    visitor = log_in(city, "administrator")
    form = {**visitor.fields(f"{PAGE}?year=2027"), "unit_id": city.id, "year": 2027}
    good = (io.BytesIO("日期,名称,安排\n2月5日,春节,放假\n".encode("gb18030")), "日历.csv")
    assert "Set 1 day" in visitor.client.post(f"{PAGE}/check", data={**form, "file": good}, headers=SAME_ORIGIN).text
    bad = (io.BytesIO(b"\x00\x01"), "日历.xlsx")
    answer = visitor.client.post(f"{PAGE}/check", data={**form, "file": bad}, headers=SAME_ORIGIN)
    assert answer.status_code == 422


def test_days_are_removed_as_they_stand_together(log_in, session, city):
    entries = [CalendarEntry(date(2027, 2, day), False, "春节") for day in (5, 6, 7)]
    set_calendar_days(session, SYSTEM, city.id, [*entries, CalendarEntry(date(2027, 4, 5), False, "清明节")])
    session.commit()
    visitor = log_in(city, "administrator")
    data = {"unit_id": city.id, "year": 2027, "first": "2027-02-05", "last": "2027-02-07"}
    answer = visitor.post(f"{PAGE}/remove", form=f"{PAGE}?year=2027", data=data)
    assert answer.location == f"{PAGE}?unit={city.id}&year=2027"
    assert rows(session) == [("2027-04-05", False, "清明节")]


def test_what_units_above_say_is_shown_and_not_removed_from_below(log_in, session, city):
    branch = make_unit(session, level="branch", parent=city)
    set_calendar_days(session, SYSTEM, city.id, [CalendarEntry(date(2027, 4, 5), False, "清明节")])
    session.commit()
    page = log_in(branch, "administrator").get(f"{PAGE}?year=2027").text
    assert "清明节" in page
    assert "云州市" in page
    assert "Delete" not in page


def test_an_officer_reads_it_only_and_not_elsewhere(log_in, session, city):
    mine, other = (make_unit(session, parent=city) for _ in range(2))
    session.commit()
    visitor = log_in(mine, "officer")
    page = visitor.get(f"{PAGE}?year=2026")
    assert page.status_code == 200
    assert "<textarea" not in page.text
    assert "Take over" not in page.text
    assert visitor.get(f"{PAGE}?unit={other.id}").status_code == 403


def test_who_has_units_apart_chooses_one(log_in, session, city):
    one, two = (make_unit(session, parent=city, name=name) for name in ("甲区", "乙区"))
    session.commit()
    visitor = log_in(one, "administrator")
    session.add(RoleGrant(account_id=visitor.account_id, role="officer", unit_id=two.id))
    session.commit()
    page = visitor.get(PAGE).text
    assert "甲区" in page
    assert "乙区" in page
    assert "<caption" not in page
    assert "<caption" in visitor.get(f"{PAGE}?unit={two.id}").text
