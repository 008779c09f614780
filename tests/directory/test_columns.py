"""The columns of import files: their headers, synonyms and decorations, and what each is taken for."""

import pytest

from sms_service.directory.columns import PEOPLE_COLUMNS, UNIT_COLUMNS, bare_header, column_letter, is_header
from sms_service.directory.meanings import propose_meanings, require_meanings
from sms_service.errors import Invalid

HEADER = ["编号", "姓名", "手机号", "组织编码"]


def find(headers, *, remembered=None, has_unit=False):
    meanings = propose_meanings("people", headers, remembered or {})
    return require_meanings("people", 3, headers, meanings, has_unit=has_unit)


def test_decorated_headers_are_headers():
    header = find(["*编号", "姓名（必填）", "手机号码：", "组织 编码", "籍贯", "序号", None])
    assert header.fields == {"number": 0, "name": 1, "phone": 2, "unit": 3}
    assert (header.extras, header.left_out) == ({"籍贯": 4}, {5})
    assert is_header("手机号\r\n(必填)", PEOPLE_COLUMNS)
    assert not is_header("手机号的主人", PEOPLE_COLUMNS)


def test_of_two_columns_the_one_that_says_it_best_counts():
    header = find(["姓名", "联系电话", "手机号码", "支部", "所在党支部"])
    assert header.fields == {"name": 0, "phone": 2, "unit_name": 4}
    assert header.extras == {"联系电话": 1, "支部": 3}
    assert find(["姓名", "联系电话", "手机号", "支部"], remembered={"手机号": "nothing"}).fields["phone"] == 1


@pytest.mark.parametrize("columns", [PEOPLE_COLUMNS, UNIT_COLUMNS])
def test_each_header_means_one_column_and_is_written_bare(columns):
    headers = [header for column in columns.values() for header in (column.header, *column.synonyms)]
    assert len(headers) == len(set(headers))
    assert [bare_header(header) for header in headers] == headers


def test_missing_columns_are_named_all_at_once():
    with pytest.raises(Invalid) as caught:
        find(["编号", "籍贯"])
    assert caught.value.reason.values["missing"] == ("姓名", "手机号", "组织编码")
    assert "编号, 籍贯" in caught.value.reason
    assert find(["姓名", "手机号", "所在支部"]).fields == {"name": 0, "phone": 1, "unit_name": 2}
    assert find(["姓名", "手机号"], has_unit=True).fields == {"name": 0, "phone": 1}


def test_the_first_of_two_columns_of_one_meaning_is_proposed():
    header = find([*HEADER, "手机"])
    assert (header.fields["phone"], header.extras) == (2, {"手机": 4})
    with pytest.raises(Invalid, match="two columns"):
        require_meanings("people", 1, [*HEADER, "手机"], ["number", "name", "phone", "unit", "phone"], has_unit=False)
    with pytest.raises(Invalid, match="two columns"):
        find([*HEADER, "备注", "备注"])


def test_what_a_person_said_counts_before_synonyms():
    header = find(["编号", "姓名", "手机号", "手机", "组织编码"], remembered={"手机": "phone", "手机号": "nothing"})
    assert (header.fields["phone"], header.left_out) == (3, {2})


def test_column_letters():
    assert [column_letter(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
