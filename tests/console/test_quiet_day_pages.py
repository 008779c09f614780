"""静默日: a calendar pasted in, by whoever manages the directory; each day can be taken out again."""

from __future__ import annotations

from sqlalchemy import select

from sms_service.controls.models import QuietDay
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_unit


def test_a_calendar_is_pasted_once_and_a_day_taken_out(log_in, session):
    unit = make_unit(session, name="云州市")
    session.commit()
    visitor = log_in(unit, "administrator")
    assert "No coming day is quiet for 云州市." in visitor.get("/quiet-days").text
    fields = visitor.fields("/quiet-days")
    form = {
        **fields,
        "unit_id": unit.id,
        "days": "2149-04-05 清明节\n2149-05-01 至 2149-05-03 劳动节",
        "classes": ["study"],
    }
    answers = [visitor.client.post("/quiet-days", data=form, headers=SAME_ORIGIN) for _ in range(2)]
    assert [answer.location for answer in answers] == ["/quiet-days"] * 2
    days = session.scalars(select(QuietDay).order_by(QuietDay.day)).all()
    assert [(one.day.isoformat(), one.name, one.classes) for one in days] == [
        ("2149-04-05", "清明节", ["study"]),
        *((f"2149-05-0{n}", "劳动节", ["study"]) for n in (1, 2, 3)),
    ]
    page = visitor.get("/quiet-days").text
    assert "4 days are quiet now for 云州市 and all below it." in page
    gone = days[0].id
    assert visitor.post(f"/quiet-days/{gone}/remove", form="/quiet-days").location == "/quiet-days"
    assert session.scalar(select(QuietDay.id).where(QuietDay.id == gone)) is None


def test_what_cannot_be_read_stays_in_the_form(log_in, session):
    unit = make_unit(session)
    session.commit()
    visitor = log_in(unit, "administrator")
    fields = visitor.fields("/quiet-days")
    form = {**fields, "unit_id": unit.id, "days": "2149-04-05 清明节\n端午节", "classes": ["study"]}
    answer = visitor.client.post("/quiet-days", data=form, headers=SAME_ORIGIN)
    assert answer.status_code == 422
    assert "line 2: has no day; write it like 2027-02-05 春节" in answer.text
    assert "端午节</textarea>" in answer.text


def test_an_officer_reads_them_only(log_in, session):
    unit = make_unit(session)
    session.commit()
    visitor = log_in(unit, "officer")
    page = visitor.get("/quiet-days")
    assert page.status_code == 200
    assert "<textarea" not in page.text
