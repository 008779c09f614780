"""The columns of import files: their headers, synonyms and decorations."""

import pytest

from sms_service.directory.columns import PEOPLE_COLUMNS, column_letter, find_header, is_header
from sms_service.directory.reading import SheetTable
from sms_service.errors import Invalid

HEADER = ["编号", "姓名", "手机号", "组织编码"]


def test_decorated_headers_are_headers():
    cells = ["*编号", "姓名（必填）", "手机号码：", "组织 编码", "籍贯"]
    header = find_header(SheetTable([(3, cells)]), PEOPLE_COLUMNS)
    assert header.fields == {"number": 0, "name": 1, "phone": 2, "unit": 3}
    assert header.extras == {"籍贯": 4}
    assert is_header("手机号\r\n(必填)", PEOPLE_COLUMNS)
    assert not is_header("手机号的主人", PEOPLE_COLUMNS)


@pytest.mark.parametrize("missing", HEADER)
def test_a_missing_column_is_named(missing):
    headers = [header for header in HEADER if header != missing]
    with pytest.raises(Invalid) as caught:
        find_header(SheetTable([(1, headers)]), PEOPLE_COLUMNS)
    assert f"lacks the column {missing}" in caught.value.reason
    assert all(header in caught.value.reason for header in headers)


def test_two_columns_of_one_meaning_are_refused():
    with pytest.raises(Invalid, match="two columns"):
        find_header(SheetTable([(1, [*HEADER, "手机"])]), PEOPLE_COLUMNS)


def test_column_letters():
    assert [column_letter(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
