"""Import: a file is checked, looked at, then written; each row is accounted for, and a refused one says what to do."""

from __future__ import annotations

import io
import re

import openpyxl
import pytest
from sqlalchemy import select

from sms_service.audience.import_work import work_on_import
from sms_service.console.mending import MENDINGS
from sms_service.directory.import_models import Import
from sms_service.directory.models import Person
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_unit

HEADER = "编号,姓名,手机号,组织编码\n"


@pytest.fixture
def city(session):
    city = make_unit(session, code="01", name="云州市")
    session.commit()
    return city


def upload(visitor, content, *, kind="people", name="党员.csv", fields=None, **data):
    fields = fields or visitor.fields("/imports")
    files = {"file": (io.BytesIO(content.encode()), name)} if content is not None else {}
    return visitor.client.post(
        "/imports",
        data={**fields, "kind": kind, **data, **files},
        content_type="multipart/form-data",
        headers=SAME_ORIGIN,
    )


def work(database, location):
    """A worker's turn."""
    work_on_import(database.session, int(location.rsplit("/", 1)[1]))


def apply(visitor, database, location):
    """The button on the report, and a worker's turn."""
    page = visitor.get(location).text
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    answer = visitor.post(f"{location}/apply", form=location, data={"version": version})
    assert (answer.status_code, answer.location) == (303, location)
    work(database, location)
    return visitor.get(location).text


def test_a_file_is_checked_then_imported_and_every_row_accounted_for(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    content = HEADER + "1,林一,13900000001,01\n2,,13900000002,01\n3,林三,139,01\n4,林四,,99\n5,林五,13900000005,99\n"
    answer = upload(visitor, content)
    done = session.scalars(select(Import)).one()
    path = f"/imports/{done.id}"
    assert (answer.status_code, answer.location) == (303, path)
    page = visitor.get(path).text
    assert f'hx-get="{path}/progress"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "HX-Refresh" not in visitor.get(f"{path}/progress").headers
    work(database, path)
    assert visitor.get(f"{path}/progress").headers["HX-Refresh"] == "true"
    page = visitor.get(path).text
    assert "Nothing is written yet. 2 rows will be written, all at once; 3 refused rows stay out." in page
    assert "there is no unit with this code" in page
    assert "Check the code on the page of units, or import the units first." in page
    assert "13900000005" not in page
    assert session.scalars(select(Person)).all() == []
    session.rollback()
    page = apply(visitor, database, path)
    session.refresh(done)
    assert (done.rows, done.created, done.refused) == (5, 2, 3)
    assert "Imported" in page
    assert f'href="{path}?refused=true#rows">3<' in page
    refused = visitor.get(f"{path}?refused=true").text
    assert "has 3 digits" not in refused.split('id="rows"')[1]
    like = page.split("&amp;like=")[0].split("?like=")[1].split("#")[0]
    rows = visitor.get(f"{path}?like={like}&limit=1").text.split('id="rows"')[1]
    assert 'rel="next"' in rows
    assert "党员.csv" in visitor.get("/imports").text
    assert visitor.get(f"{path}?like=99999").status_code == 404


def test_the_same_form_twice_uploads_once_and_the_same_file_is_named(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    fields, content = visitor.fields("/imports"), HEADER + "1,林一,13900000001,01\n"
    answers = [upload(visitor, content, fields=fields) for _ in range(2)]
    assert len({answer.location for answer in answers}) == 1
    assert session.query(Import).count() == 1
    again = upload(visitor, content)
    work(database, again.location)
    page = visitor.get(again.location).text
    assert "Just this file was uploaded before" in page
    assert "Every row is fine as it stands." in page
    other = upload(visitor, content.replace("林一", "林二"), fields=fields)
    assert other.status_code == 409


def test_a_check_that_is_out_of_date_is_not_applied(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    path = upload(visitor, HEADER + "1,林一,13900000001,01\n").location
    work(database, path)
    assert visitor.post(f"{path}/apply", form=path, data={"version": "7"}).status_code == 409
    make_person(session, city, number="1", name="林壹")
    session.commit()
    page = apply(visitor, database, path)
    assert 'hx-get="' in page, "it is checked anew"
    work(database, path)
    page = visitor.get(path).text
    assert "the register has changed since the last check" in page
    assert "All 1 rows will be written" in page
    assert session.scalars(select(Person.name)).all() == ["林壹"]


def test_a_file_that_cannot_be_read_says_why(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    wrong = upload(visitor, "a,b\n1,2\n")
    work(database, wrong.location)
    page = visitor.get(wrong.location).text
    assert "lacks the columns 姓名, 手机号;" in page
    assert "Nothing is written yet" not in page
    missing = upload(visitor, None)
    assert missing.status_code == 422
    assert "choose a file" in missing.text
    assert 'href="#f-file"' in missing.text
    kept = upload(visitor, None, kind="units").text
    assert 'id="f-kind-units" value="units" aria-describedby="h-kind-units" checked' in kept


def test_units_come_the_same_way(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    content = "组织编码,名称,层级,上级编码\n0101,城东区,区,01\n0102,x,y,01\n"
    path = upload(visitor, content, kind="units").location
    work(database, path)
    assert "Write one of these words." in visitor.get(path).text


def test_who_opts_out_by_a_file_is_counted(log_in, database, session, city):
    visitor = log_in(city, "administrator")
    content = "编号,姓名,手机号,组织编码,标签\n1,林一,13900000001,01,不接收短信\n"
    path = upload(visitor, content).location
    work(database, path)
    assert "By it 1 phone numbers want no texts any more." in apply(visitor, database, path)


def test_each_sees_the_imports_of_their_units_only(log_in, database, session, city):
    district = make_unit(session, code="0101", name="城东区", parent=city)
    session.commit()
    chief = log_in(city, "administrator")
    location = upload(chief, HEADER + "1,林一,13900000001,01\n").location
    work(database, location)
    own = log_in(district, "administrator")
    for path in (location, f"{location}/progress"):
        assert own.get(path).status_code == 403
    assert own.post(f"{location}/apply", data={"version": "1"}).status_code == 403
    assert "Here will be the files uploaded for 城东区" in own.get("/imports").text
    outside = upload(own, HEADER + "7,林七,13900000007,01\n").location
    work(database, outside)
    assert "is a unit outside the scope of this import" in own.get(outside).text
    officer = log_in(city, "officer")
    assert 'value="units"' not in officer.get("/imports").text
    assert upload(officer, HEADER, kind="units").status_code == 403
    assert upload(officer, HEADER + "8,林八,,01\n").status_code == 303
    auditor = log_in(city, "auditor")
    assert auditor.get("/imports").status_code == 403
    page = auditor.get(location).text
    assert "Import another file" not in page
    assert 'name="version"' not in page


def test_a_large_file_may_come_in_and_a_large_form_may_not(log_in, city):
    visitor = log_in(city, "administrator")
    content = HEADER + "".join(f"{n},林{n},,01\n" for n in range(3)) + "#" * 2_000_000
    assert upload(visitor, content).status_code in (303, 422)
    fields = visitor.fields("/me")
    large = visitor.client.post("/me/preferences", data={**fields, "language": "x" * 2_000_000}, headers=SAME_ORIGIN)
    assert large.status_code == 413


def test_remedies_are_for_what_the_directory_says():
    from wording.extracting import find_messages

    said = {message for message, files in find_messages().items() if any("directory/" in file for file in files)}
    assert set(MENDINGS) - said == set()


def test_columns_are_told_and_the_file_is_checked_anew(log_in, database, session, city):
    visitor = log_in(city, "officer")
    path = upload(visitor, "序号,称呼,电话,<b>籍贯\n1,林一,13900000001,云州\n").location
    work(database, path)
    assert "lacks the columns 姓名" in visitor.get(path).text
    page = visitor.get(f"{path}/columns").text
    assert "&lt;b&gt;籍贯" in page
    told = {"column.0": "nothing", "column.1": "name", "column.2": "phone", "column.3": "attribute"}
    wrong = visitor.post(f"{path}/columns", form=f"{path}/columns", data={**told, "column.3": "phone"})
    assert (wrong.status_code, "two columns" in wrong.text) == (422, True)
    assert visitor.post(f"{path}/columns", form=f"{path}/columns", data=told).location == path
    work(database, path)
    page = visitor.get(path).text
    assert "All 1 rows will be written" in page
    assert "139****0001" in visitor.get(f"{path}/columns").text
    again = {**told, "encoding": "utf-16"}
    visitor.post(f"{path}/columns", form=f"{path}/columns", data=again)
    work(database, path)
    assert "Nothing is written yet" not in visitor.get(path).text
    assert '<option value="utf-16" selected>' in visitor.get(f"{path}/columns").text
    assert log_in(city, "auditor").get(f"{path}/columns").status_code == 403


def test_rows_that_were_passed_over_are_counted(log_in, database, session, city):
    visitor = log_in(city, "officer")
    path = upload(visitor, HEADER + "1,林一,13900000001,01\n" + ",,,\n" * 1200 + "2,林二,13900000002,01\n").location
    work(database, path)
    page = visitor.get(path).text
    assert "1,200 rows without a value between the others were passed over." in page
    assert "All 2 rows will be written" in page


def test_a_hidden_column_is_named(log_in, database, session, city):
    book = openpyxl.Workbook()
    for row in (["编号", "姓名", "手机号", "组织编码", "备注"], ["1", "林一", "13900000001", "01", "甲"]):
        book.active.append(row)
    book.active.column_dimensions["E"].hidden = True
    content = io.BytesIO()
    book.save(content)
    visitor = log_in(city, "officer")
    path = upload(visitor, None, name="党员.xlsx", file=(io.BytesIO(content.getvalue()), "党员.xlsx")).location
    work(database, path)
    page = visitor.get(f"{path}/columns").text
    assert page.count("hidden in the sheet") == 1
    assert re.search(r"备注 <span[^>]*>hidden in the sheet", page)


def test_refused_rows_are_downloaded_with_reasons_in_the_pages_language(log_in, database, session, city):
    visitor = log_in(city, "officer", language="zh")
    path = upload(visitor, HEADER + "1,林一,13900000001,99\n2,林二,,01\n").location
    work(database, path)
    assert "下载被拒 1 行" in visitor.get(path).text
    assert visitor.post(f"{path}/refused", form=path, data={"why": " "}).status_code == 422
    answer = visitor.post(f"{path}/refused", form=path, data={"why": "改错"})
    assert answer.get_data(as_text=True).splitlines()[1] == "1,林一,13900000001,99,没有此编码的单位"
    auditor = log_in(city, "auditor")
    assert "/refused" not in auditor.get(path).text
    assert auditor.post(f"{path}/refused").status_code == 403


def test_who_is_meant_is_asked_and_answered(log_in, database, session, city):
    known = make_person(session, city, name="林一", phone="+8613900000009")
    session.commit()
    visitor = log_in(city, "officer")
    path = upload(visitor, "姓名,手机号\n林一,13900000001\n林二,13900000002\n").location
    work(database, path)
    page = visitor.get(path).text
    assert re.search(r'class="btn btn-primary" href="[^"]*/asked">.*First say who is meant in 1 rows', page)
    assert '<button class="btn btn-primary">' not in page.split("Nothing is written yet")[1].split("</section>")[0]
    page = visitor.get(f"{path}/asked").text
    assert f'value="{known.id}"' in page
    assert "13900000001" not in page
    for data in ({}, {"row.2": "x"}, {"row.2": "99"}, {"row.3": "new"}):
        assert visitor.post(f"{path}/asked", form=f"{path}/asked", data=data).status_code == 422
    assert visitor.post(f"{path}/asked", form=f"{path}/asked", data={"row.2": str(known.id)}).location == path
    work(database, path)
    apply(visitor, database, path)
    session.refresh(known)
    assert known.phone == "+8613900000001"
    assert "Of every row it is clear" in visitor.get(f"{path}/asked").text


def test_a_row_with_a_note_can_be_imported_before_and_is_taken_after(log_in, database, city):
    visitor = log_in(city, "officer")
    path = upload(visitor, HEADER + "1,林一,139,01\n2,,13900000002,01\n").location
    work(database, path)
    page = visitor.get(path).text
    assert "Can be imported, with a note" in page
    assert "Taken, with a note" not in page
    assert "No text can reach this person: ask for the mobile number" in page
    page = apply(visitor, database, path)
    assert "Taken, with a note" in page
    assert "Can be imported, with a note" not in page
