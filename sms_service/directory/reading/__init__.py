"""Reads files as offices have them into rows of text: CSV and xlsx. docs/import.md says what is understood.

`open_table` streams a file's rows; the parsing runs in a process of its own with limits of memory and time.
"""

from sms_service.directory.reading.opening import open_table
from sms_service.directory.reading.tables import CellFinding, Cells, Layout, ReadChoices, ReadRow, Table, Totals
from sms_service.directory.reading.whole import SheetTable, read_table

__all__ = [
    "CellFinding",
    "Cells",
    "Layout",
    "ReadChoices",
    "ReadRow",
    "SheetTable",
    "Table",
    "Totals",
    "open_table",
    "read_table",
]
