"""Several small questions as one statement: the rows of each as one JSON value."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select


def rows_as_json(rows: Select[*tuple[Any, ...]]) -> ColumnElement[Any]:
    """SQL for the rows as a list of objects, None where there is none; days come as texts."""
    one = rows.subquery()
    return select(func.json_agg(func.row_to_json(one.table_valued()))).select_from(one).scalar_subquery()
