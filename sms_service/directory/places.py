"""Finds the unit that a row names: by its code, by its path from the top, by the end of its path, or by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.directory.columns import PEOPLE_COLUMNS
from sms_service.directory.models import Unit
from sms_service.directory.problems import Findings
from sms_service.directory.text import plain_text
from sms_service.directory.units import split_path
from sms_service.said import say

_SHOWN = 3  # of several units that a name may mean
_SEPARATORS = str.maketrans(">\\", "//")


@dataclass(frozen=True, slots=True)
class _Place:
    """A unit within the scope: its id, code and full name, "云州市/城东区"."""

    id: int
    code: str
    full_name: str


class Places:
    """The units that the rows of one import may name, as they are when this is made. Rows that name none belong to the
    unit `home_id`, if there is one.
    """

    def __init__(self, session: Session, scope_path: str, home_id: int | None) -> None:
        self.home_id = home_id
        self._by_code: dict[str, _Place] = {}
        self._by_name: dict[str, list[_Place]] = {}
        rows = session.execute(select(Unit.id, Unit.code, Unit.name, Unit.path, Unit.closed_at, Unit.merged_into)).all()
        names = {row.id: row.name for row in rows}
        codes = {row.id: row.code for row in rows}
        self._closed = {row.code: codes.get(row.merged_into) for row in rows if row.closed_at is not None}
        self._outside = {row.code for row in rows if not row.path.startswith(scope_path)}
        for row in rows:
            if row.code not in self._outside and row.closed_at is None:
                steps = [names[id_] for id_ in split_path(row.path)]
                place = _Place(row.id, row.code, "/".join(steps))
                self._by_code[row.code] = place
                for written in set(_spellings([plain_text(step) for step in steps])):
                    self._by_name.setdefault(written, []).append(place)

    def locate(
        self, row: int, code: str, written: str | None, findings: Findings, *, names_only: bool = False
    ) -> int | None:
        """The id of the row's unit; the row is refused in `findings` if there is none or several may be meant.

        `names_only`: the file has a column with the units' names and none with codes.
        """
        if code:
            return self._by_code_of(row, code, written, findings)
        if written:
            return self._named(row, written, findings)
        if self.home_id is None:
            if names_only:
                reason = "the unit is empty; fill in its name"
                findings.refuse(row, PEOPLE_COLUMNS["unit_name"].header, None, reason)
            else:
                reason = "is missing: it says which unit the person belongs to"
                findings.refuse(row, PEOPLE_COLUMNS["unit"].header, None, reason)
        return self.home_id

    def _by_code_of(self, row: int, code: str, written: str | None, findings: Findings) -> int | None:
        place, column = self._by_code.get(code), PEOPLE_COLUMNS["unit"].header
        if place is None and code in self._outside:
            findings.refuse(row, column, code, "is a unit outside the scope of this import")
        elif place is None and self._closed.get(code):
            reason = say("is a unit that was merged into the one with the code {code}", code=self._closed[code])
            findings.refuse(row, column, code, reason)
        elif place is None and code in self._closed:
            findings.refuse(row, column, code, "is a unit that was closed")
        elif place is None and "0" + code in self._by_code:
            zero = "there is no unit with this code; there is one with a 0 in front: format the column as text"
            findings.refuse(row, column, code, zero)
        elif place is None:
            findings.refuse(row, column, code, "there is no unit with this code")
        elif written is not None and place not in self._by_name.get(_plain(written), ()):
            reason = say(
                "differs from the unit with the code {code}, {place}; the code counts", code=code, place=place.full_name
            )
            findings.note(row, PEOPLE_COLUMNS["unit_name"].header, written, reason)
        return None if place is None else place.id

    def _named(self, row: int, written: str, findings: Findings) -> int | None:
        found, column = self._by_name.get(_plain(written), []), PEOPLE_COLUMNS["unit_name"].header
        if len(found) == 1:
            return found[0].id
        if not found:
            findings.refuse(row, column, written, "no unit of this name lies within the scope of this import")
        else:
            reason = say(
                "is the name of {number} units, such as {places}; write the path or the code",
                number=len(found),
                places=[place.full_name for place in found[:_SHOWN]],
            )
            findings.refuse(row, column, written, reason)
        return None


def _spellings(steps: list[str]) -> Iterator[str]:
    """The ways in which the last of these units is written: its path, or the end of it, with and without slashes."""
    for first in range(len(steps)):
        yield "/".join(steps[first:])
        yield "".join(steps[first:])


def _plain(written: str) -> str:
    return "/".join(step.strip() for step in plain_text(written).translate(_SEPARATORS).split("/") if step.strip())
