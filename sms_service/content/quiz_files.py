"""Quiz questions from a file, or as somebody pastes them from a spreadsheet: a question a row.

A row has 题目, the options in columns A to F, 答案, and may have 解析 and 类别. A row without options whose answer is
对 or 错 asks whether something is true. Rows that cannot be used are kept with the reason; they stop no other row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sms_service.content.list_files import LIMITS
from sms_service.content.quiz_bank import LONGEST_CATEGORY, digest_question
from sms_service.content.quiz_choices import JUDGEMENT, LETTERS, WrittenQuestion, check_question, is_true_or_false
from sms_service.directory.columns import Column, find_field, refuse_lacking
from sms_service.directory.meanings import REASON_HEADER
from sms_service.directory.reading import Cells, ReadChoices, ReadRow, open_table
from sms_service.directory.reading.limits import MB
from sms_service.directory.refused_file import unguard_cell
from sms_service.directory.text import required_line, visible_text
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say

MOST_QUESTIONS = 20_000  # of one file
LONGEST_PASTED = 2_000_000  # characters
_CATEGORY, _TEXT, _RIGHT, _EXPLANATION, _PASSED = "category", "text", "right_choices", "explanation", "passed_over"
COLUMNS: Mapping[str, Column] = {
    _CATEGORY: Column("类别", ("分类", "题目类别", "题目分类", "试题类别", "试题分类", "题库", "模块", "category")),
    _TEXT: Column(
        "题目",
        (
            *("题干", "试题", "问题", "题目内容", "试题内容", "试题题干", "题目题干", "题目名称", "题干内容"),
            *("内容", "question", "text"),
        ),
    ),
    **{
        letter: Column(f"选项{letter}", (f"选项{low}", low, f"{low}选项", f"答案{low}"))
        for letter, low in zip(LETTERS, LETTERS.lower(), strict=True)
    },
    _RIGHT: Column(
        "答案", ("正确答案", "标准答案", "参考答案", "正确选项", "试题答案", "题目答案", "answer", "rightchoices")
    ),
    _EXPLANATION: Column("解析", ("答案解析", "试题解析", "题目解析", "解释", "说明", "explanation")),
    _PASSED: Column("序号", ("题号", "编号", "no.", "no", "number", "题型", "试题类型", "题目类型", "类型")),
}
_HEADERS = {_TEXT: "题目", _RIGHT: "答案", _EXPLANATION: "解析", **{f"options.{letter}": letter for letter in LETTERS}}


class QuizRow(NamedTuple):
    """A question of a file that can be used, with its category and the number of its row."""

    row: int
    category: str
    written: WrittenQuestion


class RefusedQuestion(NamedTuple):
    """A row that cannot be used: its number and cells, and the reason with what would be right."""

    row: int
    cells: Cells
    reason: Said


@dataclass(slots=True)
class ReadQuestions:
    """What a file holds. `passed_over`: the headers of columns that are not read."""

    headers: tuple[str, ...]
    passed_over: tuple[str, ...]
    rows: list[QuizRow] = field(default_factory=list)
    refused: list[RefusedQuestion] = field(default_factory=list)


def read_quiz_file(data: bytes, file_name: str, category: str | None = None) -> ReadQuestions:
    """The questions in a file: xlsx, CSV (UTF-8 or GB18030), or a text file (.txt) as somebody would paste it.

    `category`: of rows that name none. Raises Invalid (`file`) for what cannot be read, lacks a column, has no row
    below its headers, or more than 20,000.
    """
    if len(data) > LIMITS.file_bytes:
        raise Invalid("file", None, say("is larger than {most} MB; split it", most=LIMITS.file_bytes // MB))
    choices = ReadChoices(delimiter="\t") if file_name.lower().endswith(".txt") else ReadChoices()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with open_table(Path(file.name), choices, COLUMNS, LIMITS) as table:
            return _Reading(table.layout.headers, table.layout.header_row, category).read(table.rows)


def read_quiz_text(written: str, category: str | None = None) -> ReadQuestions:
    """The same of rows as somebody pastes them from a spreadsheet, with their headers. Raises Invalid (`text`)."""
    if not written.strip():
        raise Invalid("text", None, "has no text in it")
    if len(written) > LONGEST_PASTED:
        raise Invalid("text", None, say("must have at most {most} characters", most=LONGEST_PASTED))
    try:
        return read_quiz_file(written.encode("utf-8", "replace"), ".txt", category)
    except Invalid as error:
        raise Invalid("text", error.value, error.reason) from None


class _Reading:
    """The columns of a file, and the first row of each question that was read so far."""

    def __init__(self, headers: Sequence[str | None], header_row: int, category: str | None) -> None:
        self.category = category
        self.columns: dict[int, str] = {}
        passed_over = []
        for position, header in enumerate(headers):
            field = find_field(header, COLUMNS) if header else None
            if header == REASON_HEADER or header is None or field == _PASSED:
                continue
            if field is None:
                passed_over.append(visible_text(header)[:50])
            elif field in self.columns.values():
                message = "has two columns for {column}; keep one"
                raise Invalid("file", header[:50], say(message, column=header[:50]))
            else:
                self.columns[position] = field
        needed = [_TEXT, _RIGHT] if category else [_CATEGORY, _TEXT, _RIGHT]
        if missing := [COLUMNS[name].header for name in needed if name not in self.columns.values()]:
            raise refuse_lacking(missing, header_row, headers)
        named = tuple(visible_text(header or "") for header in headers)
        self.read_in = ReadQuestions(named, tuple(passed_over))
        self.first: dict[tuple[str, str], tuple[int, WrittenQuestion]] = {}

    def read(self, rows: Iterator[ReadRow]) -> ReadQuestions:
        number = 0
        for row in rows:
            if not any(row.cells):
                continue
            number += 1
            if number > MOST_QUESTIONS:
                raise Invalid("file", None, say("has more than {most} rows; split it", most=MOST_QUESTIONS))
            try:
                self.read_in.rows.append(self._read_row(row))
            except Invalid as error:
                reason = error.reason
                if column := self._name_column(error.field):
                    reason = say("{column} {reason}", column=column, reason=as_said(error.reason))
                self.read_in.refused.append(RefusedQuestion(row.number, row.cells, as_said(reason)))
        if not number:
            raise Invalid("file", None, "has no rows below its headers")
        return self.read_in

    def _read_row(self, row: ReadRow) -> QuizRow:
        for finding in row.findings:
            if finding.fatal and (finding.position is None or finding.position in self.columns):
                raise Invalid(
                    self.columns.get(finding.position, "") if finding.position is not None else "", None, finding.reason
                )
        cells: dict[str, str] = {}
        for position, cell in enumerate(row.cells):
            value = visible_text(unguard_cell(cell) or "")
            if not value:
                continue
            if position in self.columns:
                cells[self.columns[position]] = value
            elif position >= len(self.read_in.headers) or not self.read_in.headers[position]:
                raise Invalid("", value, say("{value} stands in a column without a header", value=value[:30]))
        category = cells.get(_CATEGORY) or self.category
        if not category:
            raise Invalid(_CATEGORY, "", "is empty; write the category, or choose one for rows that name none")
        category = required_line(_CATEGORY, category, LONGEST_CATEGORY)
        written = check_question(_as_question(cells))
        return self._require_new(QuizRow(row.number, category, written))

    def _require_new(self, made: QuizRow) -> QuizRow:
        row, first = self.first.setdefault(
            (made.category, digest_question(made.written.text)), (made.row, made.written)
        )
        if row == made.row:
            return made
        if first == made.written:
            raise Invalid("", None, say("repeats row {row}", row=row))
        message = "asks what row {row} asks, with other options or another answer; keep the right one"
        raise Invalid("", None, say(message, row=row))

    def _name_column(self, field: str) -> str:
        return {_CATEGORY: "类别", **_HEADERS}.get(field) or (COLUMNS[field].header if field in COLUMNS else "")


def _as_question(cells: Mapping[str, str]) -> WrittenQuestion:
    """A row as a question; the letter before an option, as in "A. 北京", is left out."""
    right, explanation = cells.get(_RIGHT, ""), cells.get(_EXPLANATION)
    if not cells.get(_TEXT):
        raise Invalid(_TEXT, "", "is empty; write what is asked")
    if not right:
        raise Invalid(_RIGHT, "", "is empty; write the letters of the right options, such as A or AC")
    options = [_strip_letter(letter, cells.get(letter, "")) for letter in LETTERS]
    if not any(options):
        place = is_true_or_false(right)
        if place is None:
            raise Invalid("", None, "the row has no options: write them into the columns A, B and so on")
        return WrittenQuestion(cells[_TEXT], JUDGEMENT, LETTERS[place], explanation)
    if right.casefold() in ("t", "f"):  # 对 and 错 of a question that has them as options
        right = JUDGEMENT["tf".index(right.casefold())]
    return WrittenQuestion(cells[_TEXT], tuple(options), right, explanation)


def _strip_letter(letter: str, option: str) -> str:
    for sign in "..、．:：,，)）":
        if option[:2].casefold() == f"{letter}{sign}".casefold() and option[2:].strip():
            return option[2:].strip()
    return option
