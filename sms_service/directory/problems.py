"""What was wrong with rows of an import file, collected before it is written to the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from sms_service.said import say

LONGEST_VALUE = 200  # characters of a bad value that are kept


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `row` as a spreadsheet shows it; `refused`: the row was not taken because of this."""

    row: int
    column: str
    value: str | None
    reason: str
    refused: bool


@dataclass(slots=True)
class Findings:
    """Everything found in one file. A row is refused once it has one finding that refuses it."""

    problems: list[Problem] = field(default_factory=list)
    refused_rows: set[int] = field(default_factory=set)
    repeats: dict[int, int] = field(default_factory=dict)  # row → the earlier row that it repeats

    def refuse(self, row: int, column: str, value: str | None, reason: str) -> None:
        """The row cannot be taken."""
        self.refused_rows.add(row)
        self._add(row, column, value, reason, refused=True)

    def note(self, row: int, column: str, value: str | None, reason: str) -> None:
        """The row is taken; something in it was corrected, is unusable, or should be checked by a person."""
        self._add(row, column, value, reason, refused=False)

    def repeat(self, row: int, first: int, column: str, value: str) -> None:
        """The row repeats row `first`: it changes nothing, and is refused if that row is (see `settle`)."""
        self.repeats[row] = first
        self.note(row, column, value, say("repeats row {row}", row=first))

    def settle(self) -> None:
        """Refuse the repetitions of refused rows. Call this when everything has been checked."""
        for row, first in self.repeats.items():
            if first in self.refused_rows:
                self.refuse(row, "", None, say("repeats row {row}, which was refused", row=first))

    def _add(self, row: int, column: str, value: str | None, reason: str, *, refused: bool) -> None:
        kept = value[:LONGEST_VALUE].replace("\x00", "") if value else None
        self.problems.append(Problem(row, column, kept, reason, refused))
