"""Small files that once went wrong, imported as an office imports them."""

from pathlib import Path

import pytest
from factories import make_unit
from sheet_files import HEADER, sheet_xml, text_rows, write_book
from sqlalchemy import select

from sms_service.audience.models import Suppression
from sms_service.directory.import_models import ImportProblem, ImportState
from sms_service.directory.importing import problems_of
from sms_service.directory.models import Person
from tests.bringing import bring

CASES = Path(__file__).parents[1] / "data" / "cases"


@pytest.fixture(autouse=True)
def branches(session):
    city = make_unit(session, code="02", name="云州市")
    return [make_unit(session, code=code, name=code, parent=city) for code in ("020100010001", "01880010001")]


def load(session, name):
    return bring(session, "people", (CASES / name).read_bytes(), name)


def people(session):
    return {each.number: each for each in session.scalars(select(Person))}


def problems(session, record):
    found = session.scalars(problems_of(record).order_by(ImportProblem.row, ImportProblem.id))
    return [(each.row, each.column, each.value, each.refused) for each in found]


def outcome(record):
    return (record.rows, record.created, record.refused)


def test_a_merged_tag_counts_for_all_three_and_suppresses_their_phones(session):
    record = load(session, "merged-tag.xlsx")
    assert (outcome(record), problems(session, record)) == ((3, 3, 0), [])
    assert {each.tags[0] for each in people(session).values()} == {"不接收短信"}
    assert len(session.scalars(select(Suppression)).all()) == 3


def test_a_styled_cell_far_below_makes_no_row(session):
    record = load(session, "one-styled-cell.xlsx")
    assert (outcome(record), problems(session, record)) == ((2, 2, 0), [])


def test_escapes_are_characters(session):
    assert outcome(load(session, "escapes.xlsx")) == (2, 2, 0)
    assert outcome(load(session, "escapes-header.xlsx")) == (1, 1, 0)
    found = people(session)
    assert [(found[number].name, found[number].phone) for number in ("XE0", "XE1", "XE2")] == [
        ("甲", "+8613812000001"),
        ("张三", "+8613812000002"),
        ("李四", "+8613812000003"),
    ]
    assert found["XE1"].attributes == {"备注": "甲 乙"}


def test_digits_that_nobody_wrote_come_into_no_person(session):
    record = load(session, "long-numbers.xlsx")
    assert outcome(record) == (2, 1, 1)
    assert problems(session, record) == [
        (2, "编号", "5.10112E+17", True),
        (2, "身份证号", "5.10112E+17", False),
        (3, "身份证号", "1.10101E+17", False),
    ]
    assert people(session)["LN2"].attributes == {}
    record = load(session, "long-numbers.csv")
    assert record.state == ImportState.checked  # nothing can be taken
    assert (record.rows, record.refused) == (2, 2)


def test_values_are_what_a_person_sees(session):
    record = load(session, "cells-as-seen.xlsx")
    assert people(session)["AS1"].attributes == {
        "党费": "0.3",
        "积分": "124600",
        "比例": "85%",
        "会员": "TRUE",
        "时长": "36:00",
    }
    assert problems(session, record) == [(2, "应交", "#N/A", False)]


def test_a_stray_pair_of_quotes_gives_nobody_the_phone_of_another(session):
    record = load(session, "quote-pair.csv")
    assert outcome(record) == (4, 1, 3)
    assert [(row, refused) for row, _, _, refused in problems(session, record)] == [(2, True), (3, True), (4, True)]
    assert [(each.name, each.phone) for each in people(session).values()] == [("赵六", "+8618810980014")]


def test_hidden_rows_are_taken_and_noted(session, tmp_path):
    rows = text_rows([HEADER, ("H1", "王伟", "13975840246", "020100010001")])
    path = write_book(tmp_path / "h.xlsx", sheet_xml(rows.replace('<row r="2">', '<row r="2" hidden="1">')))
    record = bring(session, "people", path.read_bytes(), "h.xlsx")
    assert (outcome(record), problems(session, record)) == ((1, 1, 0), [(2, "", None, False)])


def test_a_list_as_a_branch_keeps_it(session):
    """序号, no 编号, no 组织编码; birthdays in every spelling."""
    header = "序号,所在党支部,姓名,性别,联系电话,出生年月,入党时间"
    rows = [
        "1,020100010001,王伟,男,13975840246,1999年2月1日,2020-7-1",
        "2,020100010001,李芳,女,13975840247,1990-5-3,2020.07.01",
        "3,020100010001,张三,男,13975840248,1987.02,20200701",
        "4,020100010001,李四,男,13975840249,36192,二〇二〇年七月一日",
    ]
    record = bring(session, "people", "\n".join([header, *rows]), "名册.csv")
    assert outcome(record) == (4, 4, 0)
    found = {each.name: each.attributes for each in session.scalars(select(Person))}
    assert {name: each["born_on"] for name, each in found.items()} == {
        "王伟": "1999-02-01",
        "李芳": "1990-05-03",
        "张三": "1987-02-01",
        "李四": "1999-02-01",
    }
    assert {each["joined_on"] for each in found.values()} == {"2020-07-01"}
    assert all("序号" not in each for each in found.values())
