"""The columns of import files: their Chinese headers, the synonyms seen in offices, and where the header row is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells
from sms_service.directory.text import plain_text
from sms_service.errors import Invalid
from sms_service.said import say

_DECORATION = re.compile(r"\(.*?\)|[\s*:_]")  # "*手机号 (必填):" is 手机号
LONGEST_HEADER = 50
MOST_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the import knows: its header, other headers that mean the same, and whether a file must have it."""

    header: str
    synonyms: tuple[str, ...] = ()
    required: bool = False


# Synonyms are as `bare_header` writes them, those that say it best first.
UNIT_COLUMNS: Mapping[str, Column] = {
    "code": Column(
        "组织编码",
        (
            "组织代码",
            "党组织编码",
            "党组织代码",
            "单位编码",
            "单位代码",
            "支部编码",
            "编码",
            "代码",
            "unitcode",
            "code",
        ),
        required=True,
    ),
    "name": Column(
        "名称", ("组织名称", "党组织名称", "单位名称", "支部名称", "党支部名称", "unitname", "name"), required=True
    ),
    "level": Column("层级", ("级别", "组织层级", "组织级别", "单位层级", "level"), required=True),
    "parent": Column(
        "上级编码",
        (
            *("上级组织编码", "上级组织代码", "上级党组织编码", "上级党组织代码", "上级单位编码", "上级代码"),
            *("父级编码", "parentcode", "parent"),
        ),
        required=True,
    ),
    "full_name": Column("全称", ("组织全称", "单位全称", "全路径", "组织路径", "fullname", "path")),
}

PEOPLE_COLUMNS: Mapping[str, Column] = {
    "number": Column(
        "编号",
        ("人员编号", "党员编号", "人员编码", "党员编码", "人员代码", "员工编号", "工号", "personnumber", "number"),
    ),
    "name": Column("姓名", ("党员姓名", "人员姓名", "成员姓名", "名字", "fullname", "name"), required=True),
    "gender": Column("性别", ("gender", "sex")),
    "phone": Column(
        "手机号",
        (
            *("手机号码", "手机", "移动电话", "本人手机", "联系手机", "联系电话", "联系号码", "电话号码", "本人电话"),
            *("联系方式", "电话", "mobilephone", "mobile", "cellphone", "phonenumber", "phone", "telephone", "tel"),
        ),
        required=True,
    ),
    "unit": Column(
        "组织编码",
        (
            *("所在组织编码", "所在党组织编码", "党组织编码", "组织代码", "党组织代码", "支部编码", "支部代码"),
            *("单位编码", "单位代码", "unitcode", "unit"),
        ),
    ),
    "unit_name": Column(
        "所在组织",
        (
            *("所在党组织", "所在党支部", "所在支部", "所属党组织", "所属党支部", "所属支部", "所属组织"),
            *("组织关系所在党组织", "组织关系所在党支部", "组织关系所在支部", "党组织名称", "党支部名称", "支部名称"),
            *("组织名称", "党支部", "支部", "所在单位", "所属单位", "unitname", "branch"),
        ),
    ),
    "roles": Column("职务", ("党内职务", "党组织职务", "支部职务", "担任职务", "roles", "role", "position")),
    "born_on": Column(
        "出生日期",
        ("出生年月日", "出生年月", "出生时间", "出生", "生日", "bornon", "birthday", "birthdate", "dateofbirth", "dob"),
    ),
    "joined_on": Column(
        "入党日期",
        (
            *("入党时间", "入党年月", "加入党组织日期", "加入党组织时间", "加入日期", "加入时间"),
            *("joinedon", "joindate", "dateofjoining"),
        ),
    ),
    "consent_basis": Column("同意依据", ("使用依据", "处理依据", "信息使用依据", "consentbasis", "legalbasis")),
    "consent_source": Column("信息来源", ("同意来源", "数据来源", "信息采集来源", "consentsource", "datasource")),
    "tags": Column("标签", ("人员标签", "tags", "tag", "labels")),
    "kind": Column("人员类别", ("人员类型", "类别", "kind")),
}


@dataclass(frozen=True)  # no slots: `named` is kept
class ColumnHeader:
    """The position of each column: `fields` by field name, `extras` (kept as attributes) by header, and those that are
    `left_out`. `is_own`: it is a file that this service wrote, of rows it had refused.
    """

    fields: Mapping[str, int]
    extras: Mapping[str, int]
    left_out: frozenset[int]
    is_own: bool = False

    @cached_property
    def named(self) -> frozenset[int]:
        """The positions that have a header."""
        return frozenset((*self.fields.values(), *self.extras.values(), *self.left_out))


def is_header(cell: str, columns: Mapping[str, Column]) -> bool:
    """Whether the cell is a header of one of these columns."""
    return find_field(cell, columns) is not None


def stray_value(header: ColumnHeader, cells: Cells) -> tuple[str, str] | None:
    """The letter and value of the first cell that has no header: the row is shifted or has too many columns."""
    for position, cell in enumerate(cells):
        if cell is not None and position not in header.named:
            return column_letter(position), cell
    return None


def column_value(header: ColumnHeader, cells: Sequence[str | None], field: str) -> str | None:
    """The row's cell of this field; None if the file has no such column or the row ends before it."""
    position = header.fields.get(field)
    return cells[position] if position is not None and position < len(cells) else None


def column_letter(position: int) -> str:
    """The name a spreadsheet gives to the column at `position` (0 is A)."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def bare_header(cell: str) -> str:
    """A header without blanks, brackets and the like, by which it is compared and remembered."""
    return _DECORATION.sub("", plain_text(cell)).casefold()[:LONGEST_HEADER]


def find_field(cell: str, columns: Mapping[str, Column]) -> str | None:
    """The field that has this header, if any has."""
    bare = bare_header(cell)
    return next((field for field, column in columns.items() if bare == column.header or bare in column.synonyms), None)


def refuse_lacking(missing: Sequence[str], row: int, headers: Sequence[str | None]) -> Invalid:
    """The refusal of a file that lacks these columns; it names the headers found in this row."""
    found = ", ".join(plain_text(header)[:LONGEST_HEADER] for header in headers if header)[:500]
    message = "lacks the columns {missing}; those found in row {row} are: {columns}"
    return Invalid("file", found, say(message, missing=missing, row=row, columns=found))


def in_shape(row: int, cells: Cells, header: ColumnHeader, findings: Findings) -> bool:
    """Whether a row can be read by its header. Empty and shifted rows are refused in `findings`."""
    if not cells:
        findings.refuse(row, "", None, "is empty")
        return False
    stray = stray_value(header, cells)
    if stray is not None:
        reason = say(
            "column {column} has a value but no header: the row is shifted or has a column too many", column=stray[0]
        )
        findings.refuse(row, stray[0], stray[1], reason)
        return False
    return True
