"""Rows of reference lists that a campaign picks. What a row says is taken into the campaign's values when it is picked,
so that it is approved with them, and a later change of the row changes nothing that was approved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.audience.listed import is_of_row
from sms_service.audience.reach import is_dotted
from sms_service.campaigns.contents import Content
from sms_service.campaigns.models import Campaign
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.content.lists import columns_of, describe_row, usable_lists
from sms_service.content.models import TemplateVersion
from sms_service.content.values import check_values
from sms_service.errors import Invalid
from sms_service.said import as_said, say


class Picked(NamedTuple):
    """A row that a campaign picked, and whether it says something else by now (None: it is not there any more)."""

    list_name: str
    row: ReferenceRow | None
    changed: bool


def named_columns(variables: Iterable[str]) -> dict[str, list[str]]:
    """The columns that a text names, by reference list: venue, [address] of venue.address."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in variables:
        if is_dotted(name) and not is_of_row(name):
            list_name, _, column = name.partition(".")
            found[list_name].append(column)
    return dict(found)


def load_picked(session: Session, picks: Mapping[str, int]) -> dict[int, ReferenceRow]:
    """The rows of these picks, by id, as far as they are there."""
    if not picks:
        return {}
    rows = session.scalars(select(ReferenceRow).where(ReferenceRow.id.in_(picks.values())))
    return {row.id: row for row in rows}


def take_cells(name: str, row: ReferenceRow, columns: Iterable[str]) -> dict[str, str]:
    """What a row of the list of this name says in these columns, as values of a text; empty cells are not there."""
    cells = describe_row(row)
    return {f"{name}.{one}": cells[one] for one in columns if one in cells}


def take_picks(
    session: Session,
    campaign: Campaign,
    path: str,
    version: TemplateVersion,
    given: Mapping[str, Any],
    *,
    reworded: bool,
) -> None:
    """Set the campaign's values and picks to those `given` (absent: as they are), the cells of the picked rows taken
    into the values. `path` is that of the campaign's unit; `reworded`: the text is another one.

    Where neither picks nor text are given anew, what was taken before stays, whatever the rows say by now. Raises
    Invalid (`values`, `values.<name>`, `picks.<list>`).
    """
    old_values, old_picks = campaign.values or {}, campaign.picks or {}
    values = dict(given.get("values", old_values))
    if "values" in given:
        check_values(values)
    needed = named_columns(version.variables)
    picks = {name: row_id for name, row_id in given.get("picks", old_picks).items() if row_id is not None}
    if "picks" in given:
        _refuse_unnamed(picks, needed)
    picks = {name: row_id for name, row_id in picks.items() if name in needed}
    values = {name: value for name, value in values.items() if not _is_of(name, {*picks, *old_picks})}
    if "picks" in given or reworded:
        taken = _take(session, path, picks, old_picks, needed)
    else:
        taken = {name: value for name, value in old_values.items() if _is_of(name, picks)}
    campaign.values, campaign.picks = values | taken, picks


def copy_picks(session: Session, campaign: Campaign) -> dict[str, Any]:
    """`picks` and `values` for a copy of the campaign, without rows that can be picked no more."""
    rows = {row.id for row in load_picked(session, campaign.picks).values() if row.archived_at is None}
    picks = {name: row_id for name, row_id in campaign.picks.items() if row_id in rows}
    lost = set(campaign.picks) - set(picks)
    return {"picks": picks, "values": {one: text for one, text in campaign.values.items() if not _is_of(one, lost)}}


def list_picked(session: Session, campaign: Campaign, version: TemplateVersion) -> list[Picked]:
    """The rows that a campaign picked, each with whether it says something else by now."""
    if not campaign.picks:
        return []
    rows, needed = load_picked(session, campaign.picks), named_columns(version.variables)
    found = []
    for name, row_id in campaign.picks.items():
        row = rows.get(row_id)
        cells = describe_row(row) if row is not None else {}
        columns = needed.get(name, [])
        changed = any(cells.get(one) != campaign.values.get(f"{name}.{one}") for one in columns)
        found.append(Picked(name, row, row is not None and changed))
    return found


def lint_picks(session: Session, content: Content) -> list[LintFinding]:
    """What became of the rows that the content's campaign picked."""
    found = []
    for name, row, changed in list_picked(session, content.campaign, content.version):
        place = say("the row picked of {list}", list=name)
        if row is None or row.archived_at is not None:
            text = as_said("the row is not on the list any more; the text says what it said when it was picked")
            remedy = as_said("pick another one, if that is not meant")
        elif changed:
            text = say("{row} says something else by now; the text has what it said when it was picked", row=row.name)
            remedy = as_said("take the change over, if the text shall have it")
        else:
            continue
        found.append(make_finding(FindingKind.row_changed, Severity.note, name, place, text, remedy))
    return found


def _refuse_unnamed(picks: Mapping[str, int], needed: Mapping[str, Any]) -> None:
    for name, row_id in picks.items():
        if name not in needed:
            reason = say("the text names no list of this name; it names: {names}", names=sorted(needed))
            raise Invalid(f"picks.{name}", row_id, reason)


def _take(
    session: Session,
    path: str,
    picks: Mapping[str, int],
    old_picks: Mapping[str, int],
    needed: Mapping[str, list[str]],
) -> dict[str, str]:
    if not picks:
        return {}
    lists, rows = usable_lists(session, path, picks), load_picked(session, picks)
    taken: dict[str, str] = {}
    for name, row_id in picks.items():
        at, row = f"picks.{name}", rows.get(row_id)
        found: ReferenceList | None = lists.get(name)
        if found is None:
            raise Invalid(at, row_id, "the unit can use no list of this name")
        if row is None or row.list_id != found.id:
            raise Invalid(at, row_id, say("is no row of the list {list}", list=found.label))
        if row.archived_at is not None and old_picks.get(name) != row_id:
            raise Invalid(at, row_id, say("is archived in the list {list}; pick another row", list=found.label))
        lacking = set(needed[name]) - {one.name for one in columns_of(found)}
        if lacking:
            message = "the list {list} has no column {columns}, which the text names"
            raise Invalid(at, row_id, say(message, list=found.label, columns=sorted(lacking)))
        taken |= take_cells(name, row, needed[name])
    return taken


def _is_of(name: str, lists: Iterable[str]) -> bool:
    """Whether a variable is a column of one of these lists."""
    return is_dotted(name) and name.partition(".")[0] in lists
