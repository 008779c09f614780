"""Choosing rows of reference lists on the pages that write a campaign: a list to choose from, or a search first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import g, request

from sms_service.campaigns.picks import load_picked, named_columns, take_cells
from sms_service.console.forms import read_named
from sms_service.content.language import compile_template
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.content.lists import columns_of, describe_row, find_rows, get_reference_list, usable_lists
from sms_service.content.models import TemplateVersion
from sms_service.directory.text import visible_text
from sms_service.web.problems import InvalidRequest, field_error
from sms_service.web.schemas import MAX_ID

PICK = "picks."  # before the names of the fields that hold a row's id
FIND = "find."  # before the names of the fields that search the rows of a long list
MOST_OFFERED = 100  # rows in a list to choose from; a longer list is searched
_LONGEST_HINT = 30  # characters of a row's first cell, beside its name


class AskedPick(NamedTuple):
    """A list of which a campaign picks a row. `must`: the text needs it. `options`: ids and names of the rows to choose
    from; of a long list (`is_long`) those that `wanted` finds, `more` being left out. `cells`: what the chosen one says
    in the columns that the text names, by label.
    """

    name: str
    label: str
    must: bool
    options: Sequence[tuple[int, str]]
    chosen: int | None
    is_long: bool
    wanted: str
    more: bool
    cells: Sequence[tuple[str, str]]


def ask_picks(version: TemplateVersion, path: str, picks: Mapping[str, int]) -> list[AskedPick]:
    """The lists that the version names and a campaign of the unit at `path` can use, in the order of the text; `picks`:
    what the campaign has.
    """
    needed = named_columns(version.variables)
    if not needed:
        return []
    found, required = usable_lists(g.session, path, needed), set(compile_template(version.body).required)
    names = sorted(found, key=lambda name: version.body.find(f"{name}."))
    return [_ask(found[name], needed[name], required, picks.get(name)) for name in names]


def read_picks() -> dict[str, int | None]:
    """The rows that the form names, by list; None where none is chosen. Raises InvalidRequest."""
    picks: dict[str, int | None] = {}
    for name, value in request.form.items():
        if name.startswith(PICK):
            text = value.strip()
            if text and not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= MAX_ID):
                raise InvalidRequest([field_error(name, value[:20], "choose one of the list")])
            picks[name.removeprefix(PICK)] = int(text) if text else None
    return picks


def read_picked_values(version: TemplateVersion) -> dict[str, Any]:
    """What the rows that the form names say in the columns that the text names, as far as the visitor may read them."""
    needed = named_columns(version.variables)
    picks = {name: row_id for name, row_id in read_picks().items() if row_id is not None and name in needed}
    rows = load_picked(g.session, picks)
    values: dict[str, Any] = {}
    for name, row_id in picks.items():
        row = rows.get(row_id)
        if row is not None:
            get_reference_list(g.session, g.actor, row.list_id)
            values |= take_cells(name, row, needed[name])
    return values


def _ask(found: ReferenceList, columns: Sequence[str], required: set[str], picked: int | None) -> AskedPick:
    named = read_named(FIND) if request.method == "POST" else {}
    wanted = visible_text(named.get(found.name, ""))[:100]
    first = _rows(found.id, "")
    is_long = len(first) > MOST_OFFERED
    rows = first if not is_long else _rows(found.id, wanted) if wanted else []
    more, rows = len(rows) > MOST_OFFERED, rows[:MOST_OFFERED]
    if request.method == "POST" and f"{PICK}{found.name}" in request.form:
        picked = read_picks()[found.name]
    chosen = next((row for row in rows if row.id == picked), None)
    if chosen is None and picked is not None:
        chosen = g.session.get(ReferenceRow, picked)
        if chosen is not None and chosen.list_id == found.id:
            rows = [chosen, *rows]
        else:
            chosen = None
    labels, cells = dict(columns_of(found)), describe_row(chosen) if chosen else {}
    return AskedPick(
        name=found.name,
        label=found.label,
        must=any(f"{found.name}.{one}" in required for one in columns),
        options=[(row.id, _name(row, found)) for row in rows],
        chosen=chosen.id if chosen else None,
        is_long=is_long,
        wanted=wanted,
        more=is_long and more,
        cells=[(labels.get(one, one), cells[one]) for one in columns if one in cells],
    )


def _rows(list_id: int, wanted: str) -> list[ReferenceRow]:
    statement = find_rows(list_id, wanted).order_by(ReferenceRow.place, ReferenceRow.id).limit(MOST_OFFERED + 1)
    return list(g.session.scalars(statement))


def _name(row: ReferenceRow, found: ReferenceList) -> str:
    """The row's name, and its first cell beside it, so that two with like names can be told apart."""
    first = next((row.values[one.name] for one in columns_of(found)[1:] if one.name in row.values), "")
    hint = first if len(first) <= _LONGEST_HINT else f"{first[:_LONGEST_HINT]}…"
    return f"{row.name} · {hint}" if hint else row.name
