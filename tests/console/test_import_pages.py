"""Import: a file is read in at once, each row is accounted for, and what was refused says what to do."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from sms_service.console.mending import MENDINGS
from sms_service.directory.models import Import, Person
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_unit

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


def test_a_file_is_read_in_and_every_row_accounted_for(log_in, session, city):
    visitor = log_in(city, "administrator")
    content = HEADER + "1,林一,13900000001,01\n2,,13900000002,01\n3,林三,139,01\n4,林四,,99\n5,林五,13900000005,99\n"
    answer = upload(visitor, content)
    done = session.scalars(select(Import)).one()
    assert (answer.status_code, answer.location) == (303, f"/imports/{done.id}")
    assert (done.rows, done.created, done.refused) == (5, 2, 3)
    page = visitor.get(answer.location).text
    assert "The file is read in." in page
    assert "there is no unit with this code" in page
    assert "Check the code on the page of units, or import the units first." in page
    assert "13900000005" not in page
    assert f'href="/imports/{done.id}?refused=true#rows">3<' in page
    refused = visitor.get(f"/imports/{done.id}?refused=true").text
    assert "has 3 digits" not in refused.split('id="rows"')[1]
    like = page.split("&amp;like=")[0].split("?like=")[1].split("#")[0]
    rows = visitor.get(f"/imports/{done.id}?like={like}&limit=1").text.split('id="rows"')[1]
    assert 'rel="next"' in rows
    assert "党员.csv" in visitor.get("/imports").text
    assert visitor.get(f"/imports/{done.id}?like=99999").status_code == 404


def test_the_same_form_twice_reads_in_once_and_the_same_file_is_named(log_in, session, city):
    visitor = log_in(city, "administrator")
    fields, content = visitor.fields("/imports"), HEADER + "1,林一,13900000001,01\n"
    answers = [upload(visitor, content, fields=fields) for _ in range(2)]
    assert len({answer.location for answer in answers}) == 1
    assert session.query(Import).count() == 1
    again = upload(visitor, content)
    page = visitor.get(again.location).text
    assert "Just this file was read in before" in page
    assert "Every row was taken as it stands." in page
    other = upload(visitor, content.replace("林一", "林二"), fields=fields)
    assert other.status_code == 409
    assert session.scalars(select(Person.name)).all() == ["林一"]


def test_a_file_that_cannot_be_read_says_why_on_the_form(log_in, session, city):
    visitor = log_in(city, "administrator")
    wrong = upload(visitor, "a,b\n1,2\n")
    assert wrong.status_code == 422
    assert "lacks the column 编号" in wrong.text
    assert 'href="#f-file"' in wrong.text
    missing = upload(visitor, None)
    assert missing.status_code == 422
    assert "choose a file" in missing.text
    kept = upload(visitor, "x", kind="units").text
    assert 'id="f-kind-units" value="units" aria-describedby="h-kind-units" checked' in kept
    assert session.query(Import).count() == 0


def test_units_come_the_same_way(log_in, session, city):
    visitor = log_in(city, "administrator")
    content = "组织编码,名称,层级,上级编码\n0101,城东区,区,01\n0102,x,y,01\n"
    page = visitor.get(upload(visitor, content, kind="units").location).text
    assert "Write one of these words." in page


def test_who_opts_out_by_a_file_is_counted(log_in, session, city):
    visitor = log_in(city, "administrator")
    content = "编号,姓名,手机号,组织编码,标签\n1,林一,13900000001,01,不接收短信\n"
    page = visitor.get(upload(visitor, content).location).text
    assert "By it 1 phone numbers want no texts any more." in page


def test_each_sees_the_imports_of_their_units_only(log_in, session, city):
    district = make_unit(session, code="0101", name="城东区", parent=city)
    session.commit()
    chief = log_in(city, "administrator")
    location = upload(chief, HEADER + "1,林一,13900000001,01\n").location
    own = log_in(district, "administrator")
    assert own.get(location).status_code == 403
    assert "Here will be the files read in for 城东区" in own.get("/imports").text
    outside = upload(own, HEADER + "7,林七,13900000007,01\n").location
    assert "is a unit outside the scope of this import" in own.get(outside).text
    assert log_in(city, "officer").get("/imports").status_code == 403
    assert upload(log_in(city, "officer"), HEADER, fields=chief.fields("/me")).status_code == 403
    assert "Import another file" not in log_in(city, "auditor").get(location).text


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
