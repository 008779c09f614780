"""Refused rows come back in the office's own layout, and mended they come in."""

from __future__ import annotations

import io

import openpyxl
import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.directory.models import Person
from sms_service.directory.refused_file import write_refused_rows
from sms_service.errors import Conflict, Forbidden, Invalid
from tests.bringing import bring
from tests.factories import make_actor, make_unit

HEADER = ["序号", "姓名", "备注", "手机号", "组织编码"]
ROWS = [
    ["1", "王伟", "=1+1", "13975840246", "01"],
    ["2", "李四", "@好", "-5", "99"],
    ["3", "=cmd", '他说"是"\n又说', "+8613975840247", "99"],
]


@pytest.fixture
def city(session):
    return make_unit(session, code="01", name="云州市")


def csv_of(encoding, delimiter):
    lines = [[cell if "\n" not in cell else '"' + cell.replace('"', '""') + '"' for cell in row] for row in ROWS]
    text = "\r\n".join(delimiter.join(row) for row in [HEADER, *lines]) + "\r\n"
    return text.encode(encoding)


def workbook_of(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
        for cell in book.active[book.active.max_row]:
            cell.data_type = "s"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_keeps_columns_encoding_and_delimiter(session, city, encoding, delimiter):
    record = bring(session, "people", csv_of(encoding, delimiter), "党员 花名册.csv")
    assert (record.created, record.refused) == (1, 2)
    file = write_refused_rows(session, SYSTEM, record, "x")
    content = file.content.read()
    assert file.name == "党员 花名册-refused.csv"
    assert content[:3] == csv_of(encoding, delimiter)[:3]
    lines = content.decode(encoding).split("\r\n")
    assert lines[0].split(delimiter) == [*HEADER, "未导入原因"]
    assert lines[1].split(delimiter)[:5] == ["2", "李四", "'@好", "-5", "99"]
    assert "there is no unit with this code" in lines[1]
    mended = content.decode(encoding).replace(f"{delimiter}99{delimiter}", f"{delimiter}01{delimiter}")
    again = bring(session, "people", mended.encode(encoding), "mended.csv")
    assert (again.created, again.refused) == (2, 0)
    people = session.scalars(select(Person).order_by(Person.id)).all()
    assert [(one.name, one.attributes["备注"]) for one in people] == [
        ("王伟", "=1+1"),
        ("李四", "@好"),
        ("=cmd", '他说"是" 又说'),
    ]
    assert "未导入原因" not in people[2].attributes


def test_a_workbook_comes_back_as_one_whose_cells_are_texts(session, city):
    record = bring(session, "people", workbook_of([HEADER, *ROWS]), "党员.xlsx")
    file = write_refused_rows(session, SYSTEM, record, "x", lambda said: f"原因：{said.message}")
    assert file.name == "党员-refused.xlsx"
    content = file.content.read()
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()][1] == [
        *("2", "李四", "@好", "-5", "99", "原因：there is no unit with this code"),
    ]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}
    for row in sheet.iter_rows(min_row=2):
        row[4].value = "01"
    mended = io.BytesIO()
    sheet.parent.save(mended)
    assert bring(session, "people", mended.getvalue(), "mended.xlsx").created == 2


def test_whole_phones_need_the_right_and_leave_a_trail(session, city):
    record = bring(session, "people", csv_of("utf-8", ","))
    officer = make_actor(session, city, roles=("officer",))
    write_refused_rows(session, officer, record, "改错")
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "people.see_phones")).one()
    assert (entry.account_id, entry.target_id) == (officer.account_id, str(record.id))
    assert entry.details == {"why": "改错"}
    with pytest.raises(Invalid, match="must have 1 to 200 characters"):
        write_refused_rows(session, officer, record, " ")
    for role in ("auditor", "approver"):
        with pytest.raises(Forbidden):
            write_refused_rows(session, make_actor(session, city, roles=(role,)), record, "x")
    fine = bring(session, "people", "姓名,手机号,组织编码\n赵六,,01\n")
    with pytest.raises(Conflict):
        write_refused_rows(session, SYSTEM, fine, "x")
    record.expires_at = None
    with pytest.raises(Conflict, match="deleted"):
        write_refused_rows(session, SYSTEM, record, "x")
