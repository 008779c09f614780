"""The texts of a series from a file, or as somebody pastes them: a text a line, or rows copied from a spreadsheet.

A row has columns that are called as the variables of the campaign's template are, or as its form calls them, and may
have 标题. Where the template has one variable, a single column is enough, with or without a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.content.fields import fields_of
from sms_service.content.language import get_compiled
from sms_service.content.models import TemplateVersion
from sms_service.directory.columns import Column, bare_header, column_letter, find_field
from sms_service.directory.reading import Cells, ReadChoices, read_table
from sms_service.directory.refused_file import unguard_cell
from sms_service.directory.text import required_line, visible_text
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say
from sms_service.schedules.correcting import LONGEST_LABEL
from sms_service.schedules.series_planning import MOST_TEXTS, SeriesRow, check_item_values, find_text_variable

LONGEST_PASTED = 400_000  # characters
LONGEST_QUOTED = 50  # characters of a cell that cannot be taken
# Columns that are no variables; no variable has a name like these.
_LABEL, _DAY, _NUMBER = ":label", ":day", ":number"
_OF_ROWS: Mapping[str, Column] = {
    _LABEL: Column("标题", ("题目", "篇名", "名称", "主题", "label", "title")),
    _DAY: Column("日期", ("发送日期", "发送时间", "时间", "发送日", "date", "day")),
    _NUMBER: Column("序号", ("编号", "期数", "期号", "no.", "no", "number")),
}
# What people call the one column of a template with one variable.
_TEXT = ("内容", "短信内容", "学习内容", "正文", "文本", "短信", "text", "content")
_ALL_TABS = ReadChoices(delimiter="\t")


class RefusedCell(NamedTuple):
    """A cell that cannot be taken: its row and column as the file has them, what it holds, and what would be right."""

    row: int
    column: str
    value: str
    reason: Said


@dataclass(frozen=True, slots=True)
class ReadSeries:
    """The rows in their order, without the empty ones, and the cells that cannot be taken. Where there is one, nothing
    is to be set.
    """

    rows: tuple[SeriesRow, ...]
    refused: tuple[RefusedCell, ...]


def read_series_file(session: Session, actor: Actor, campaign_id: int, data: bytes, file_name: str) -> ReadSeries:
    """The texts in a file for this campaign: xlsx, CSV (UTF-8 or GB18030), or a text file (.txt) as somebody would
    paste it; at most 400.

    Raises NotFound, Forbidden without the right to change the campaign, and Invalid (`file`).
    """
    choices = _ALL_TABS if file_name.lower().endswith(".txt") else ReadChoices()
    return _Reading(session, actor, campaign_id).read(data, choices)


def read_series_text(session: Session, actor: Actor, campaign_id: int, written: str) -> ReadSeries:
    """The same of texts as somebody pastes them, a line each, or of rows with tabs between their cells. Raises Invalid
    (`text`) where that raises it for `file`.
    """
    reading = _Reading(session, actor, campaign_id)
    if not written.strip():
        raise Invalid("text", None, "has no text in it")
    if len(written) > LONGEST_PASTED:
        raise Invalid("text", None, say("must have at most {most} characters", most=LONGEST_PASTED))
    try:
        return reading.read(written.encode("utf-8", "replace"), _ALL_TABS)
    except Invalid as error:
        raise Invalid("text", error.value, error.reason) from None


class _Reading:
    """What is known of the campaign, and the cells that were refused so far."""

    def __init__(self, session: Session, actor: Actor, campaign_id: int) -> None:
        campaign, _ = require_on_campaign(session, actor, Permission.edit_campaigns, campaign_id)
        self.campaign: Campaign = campaign
        self.version = session.get_one(TemplateVersion, campaign.template_version_id)
        self.required = get_compiled(self.version.id, self.version.body).required
        self.only = self._find_only()
        self.columns = self._list_columns()
        self.refused: list[RefusedCell] = []

    def read(self, data: bytes, choices: ReadChoices) -> ReadSeries:
        (header_row, headers), *rows = read_table(data, self.columns, choices).rows
        found = self._find_columns(headers)
        filled = {
            place for cells in (headers, *(cells for _, cells in rows)) for place, cell in enumerate(cells) if cell
        }
        if self.only is not None and not found and len(filled) == 1:  # texts alone, without a header
            rows = [(header_row, headers), *rows]
            found = dict.fromkeys(filled, (self.only, self.only))
        else:
            self._check_columns(header_row, headers, found)
        made = [self._read_row(number, cells, found) for number, cells in rows if any(cells)]
        if not made:
            raise Invalid("file", None, "has no text in it")
        if len(made) > MOST_TEXTS:
            raise Invalid("file", None, say("has more than {most} rows; split it", most=MOST_TEXTS))
        return ReadSeries(tuple(made), tuple(self.refused))

    def _find_only(self) -> str | None:
        try:
            return find_text_variable(self.version, self.campaign.values)
        except Invalid:
            return None

    def _list_columns(self) -> dict[str, Column]:
        """By variable its headers, then those of the rows, as far as no variable is called so."""
        columns = {}
        for one in fields_of(self.version):
            synonyms = _TEXT if one.name == self.only else ()
            columns[one.name] = Column(bare_header(one.name), (bare_header(one.label), *synonyms))
        return columns | {name: one for name, one in _OF_ROWS.items() if find_field(one.header, columns) is None}

    def _name_columns(self) -> list[str]:
        """What columns can be called."""
        return [_OF_ROWS[name].header if name in _OF_ROWS else name for name in self.columns if name != _DAY]

    def _find_columns(self, headers: Cells) -> dict[int, tuple[str, str]]:
        """The field and the header of each column that is known, by its position. Raises Invalid (`file`)."""
        found: dict[int, tuple[str, str]] = {}
        for position, header in enumerate(headers):
            field = find_field(header, self.columns) if header else None
            if header is None or field is None:
                continue
            if field in {one for one, _ in found.values()}:
                message = "has two columns for {column}; keep one"
                raise Invalid("file", header[:LONGEST_QUOTED], say(message, column=header[:LONGEST_QUOTED]))
            found[position] = field, header[:LONGEST_QUOTED]
        return found

    def _check_columns(self, row: int, headers: Cells, found: Mapping[int, tuple[str, str]]) -> None:
        for position, header in enumerate(headers):
            if not header:
                continue
            cut = header[:LONGEST_QUOTED]
            if position not in found:
                unknown = "has the column {column} in row {row}; columns can be: {known}"
                raise Invalid("file", cut, say(unknown, column=cut, row=row, known=self._name_columns()))
            if found[position][0] == _DAY:
                dated = "has the column {column}; the schedule says on which day each text goes: delete the column"
                raise Invalid("file", cut, say(dated, column=cut))
        if all(field in _OF_ROWS for field, _ in found.values()):
            message = "has no column for what the texts say; columns can be: {known}"
            raise Invalid("file", None, say(message, known=self._name_columns()))

    def _read_row(self, row: int, cells: Cells, found: Mapping[int, tuple[str, str]]) -> SeriesRow:
        label, values = None, dict[str, str]()
        for position, (field, header) in found.items():
            cell = _clean(cells[position] if position < len(cells) else None)
            try:
                if field == _LABEL:
                    label = required_line("label", cell, LONGEST_LABEL) if cell else None
                elif cell and field != _NUMBER:
                    values[field] = cell
                    check_item_values(self.version, {field: cell})
                elif field in self.required and field not in self.campaign.values:
                    raise Invalid(field, None, "is empty; the text needs it")
            except Invalid as error:
                self._refuse(row, header, cell, error.reason)
        for position, stray in enumerate(cells):
            if stray and position not in found:
                self._refuse(row, column_letter(position), stray, "stands in a column without a header")
        return SeriesRow(values, label=label or _find_label(values))

    def _refuse(self, row: int, column: str, value: str, reason: str) -> None:
        self.refused.append(RefusedCell(row, column, value[:LONGEST_QUOTED], as_said(reason)))


def _find_label(values: Mapping[str, str]) -> str | None:
    """That of a text which has its title as a variable."""
    titles = [value for name, value in values.items() if find_field(name, {_LABEL: _OF_ROWS[_LABEL]})]
    return visible_text(titles[0])[:LONGEST_LABEL] if titles else None


def _clean(cell: str | None) -> str:
    """A cell without invisible characters; its line breaks stay."""
    lines = (visible_text(line) for line in (unguard_cell(cell) or "").splitlines())
    return "\n".join(lines).strip()
