"""Pages of a complete file: for which unit, who is missing, and who of them has left."""

from __future__ import annotations

import io
import re

import pytest
from sqlalchemy import select

from sms_service.audience.import_work import work_on_import
from sms_service.directory.models import Person
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_person, make_unit


@pytest.fixture
def street(session):
    street = make_unit(session, code="0101", name="李店街道", parent=make_unit(session, code="01"), level="street")
    branch = make_unit(session, code="0101001", name="第一党支部", parent=street)
    for name in ("甲", "乙", '<b>"丙'):
        make_person(session, branch, name)
    make_person(session, street, "戊")
    session.commit()
    return street


def upload(visitor, rows="丁,,0101\n", **fields):
    file = (io.BytesIO(f"姓名,手机号,组织编码\n{rows}".encode()), "花名册.csv")
    data = {**visitor.fields("/imports"), "kind": "people", "file": file, **fields}
    return visitor.client.post("/imports", data=data, content_type="multipart/form-data", headers=SAME_ORIGIN).location


def work(database, path):
    work_on_import(database.session, int(path.rsplit("/", 1)[1]))


def left(session):
    session.expire_all()
    return session.scalars(select(Person.name).where(Person.left_at.is_not(None)).order_by(Person.id)).all()


def test_who_is_missing_is_seen_before_and_taken_after_the_import(log_in, database, session, street):
    officer, auditor = log_in(street, "officer"), log_in(street, "auditor")
    path = upload(officer, complete_for="true")
    work(database, path)
    page = officer.get(path).text
    assert "李店街道, who are 4 members. 0 of them stand in it, and 4 are missing." in page
    assert "More than half are missing" in page
    assert "Who is missing: 4" in page
    page = officer.get(f"{path}/vanished").text
    assert "Import the file first." in page
    assert "&lt;b&gt;&#34;丙" in page
    assert 'name="why"' not in page
    version = re.search(r'name="version" value="(\d+)"', officer.get(path).text)[1]
    officer.post(f"{path}/apply", form=path, data={"version": version})
    work(database, path)
    assert "Say who of them has left" in officer.get(path).text
    page = officer.get(f"{path}/vanished").text
    ids = dict(zip("甲乙", re.findall(r'name="people" value="(\d+)"', page), strict=False))
    assert "All 4 have left" in page
    assert 'name="why"' not in auditor.get(f"{path}/vanished").text
    assert auditor.post(f"{path}/vanished", data={"why": "迁出", "who": "all"}).status_code == 403

    form = f"{path}/vanished"
    for data in ({"who": "ticked", "why": "迁出"}, {"who": "all"}, {"why": "迁出"}, {"who": "ticked", "people": "x"}):
        assert officer.post(form, form=form, data=data).status_code == 422
    kept = officer.post(form, form=form, data={"who": "ticked", "people": ids["甲"]})
    assert re.search(rf'value="{ids["甲"]}"[^>]* checked', kept.text), "what was ticked stays ticked"
    fields = {name: value for name, value in officer.fields(form).items() if name.startswith("_")}
    data = {**fields, "who": "ticked", "people": ids["甲"], "why": "迁出"}
    answers = [officer.client.post(form, data=data, headers=SAME_ORIGIN) for _ in range(2)]
    assert [answer.location for answer in answers] == [form, form]
    assert left(session) == ["甲"]
    assert "1 person has left." in officer.get(form).text
    branch = session.scalars(select(Person.unit_id).where(Person.name == "乙")).one()
    assert f'href="{form}?unit={branch}"' in officer.get(form).text
    below = f"{form}?unit={branch}"
    assert "戊" not in officer.get(below).text
    assert officer.post(below, form=below, data={"who": "all", "why": "核对"}).location == below
    assert left(session) == ["甲", "乙", '<b>"丙']
    assert "Nobody is proposed any more." in officer.get(below).text
    gone = officer.get(f"{form}?proposed=false").text
    assert gone.count("Has left") == 3
    trail = log_in(street, "administrator").get("/trail").text
    assert "marked 2 people as having left who were missing from 花名册.csv" in trail


def test_it_is_said_for_a_unit_and_taken_back(log_in, database, session, street):
    officer = log_in(street, "officer")
    path = upload(officer)
    work(database, path)
    assert "Does the file name everybody of a unit?" in officer.get(path).text
    assert officer.get(f"{path}/vanished").status_code == 409
    page = officer.get(f"{path}/complete").text
    assert "It names everybody of 李店街道: check again" in page
    branch = session.scalars(select(Person.unit_id).where(Person.name == "甲")).one()
    assert "It names everybody of 第一党支部: check again" in officer.get(f"{path}/complete?unit={branch}").text
    assert officer.get(f"{path}/complete?unit={street.parent_id}").status_code == 403
    answer = officer.post(f"{path}/complete", form=f"{path}/complete", data={"unit_id": str(branch)})
    assert answer.location == path
    work(database, path)
    assert "第一党支部, who are 3 members." in officer.get(path).text
    officer.post(f"{path}/complete", form=f"{path}/complete", data={})
    work(database, path)
    assert "Does the file name everybody of a unit?" in officer.get(path).text
    assert log_in(street, "auditor").get(f"{path}/complete").status_code == 403


@pytest.mark.parametrize(
    ("rows", "unit"),
    [
        ("丁,,0101001\n己,,0101001\n,,0101\n", "第一党支部"),
        ("丁,,0101001\n己,,0101002\n", "李店街道"),
        ("丁,,0101001\n己,,0101\n", "李店街道"),
        (",,0101001\n", "李店街道"),
    ],
)
def test_the_smallest_unit_with_all_rows_is_proposed(log_in, database, session, street, rows, unit):
    make_unit(session, code="0101002", name="第二党支部", parent=street)
    session.commit()
    officer = log_in(street, "officer")
    path = upload(officer, rows)
    work(database, path)
    page = officer.get(f"{path}/complete").text
    assert f"It names everybody of {unit}: check again" in page
    assert "Whose members does it name, all of them?" in page
    assert "The file names everybody of 李店街道 and all below" in officer.get("/imports").text


def test_a_register_that_changed_shows_both_checks(log_in, database, session, street):
    officer = log_in(street, "officer")
    path = upload(officer)
    work(database, path)
    version = re.search(r'name="version" value="(\d+)"', officer.get(path).text)[1]
    make_person(session, street, "丁", phone=None, number=None)
    session.commit()
    officer.post(f"{path}/apply", form=path, data={"version": version})
    work(database, path)
    work(database, path)
    page = officer.get(path).text
    assert "so nothing was written. That check had shown 1 rows created" in page
    assert page.count("before: ") == 2
    assert "before: 1" in page
