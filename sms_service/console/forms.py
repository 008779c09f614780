"""Reading a form with the schemas that the API uses too."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import Schema, ValidationError, fields

from sms_service.console.once import OWN_FIELDS
from sms_service.errors import Invalid
from sms_service.web.problems import InvalidRequest, field_errors
from sms_service.web.schemas import Id, In, find_unstorable


class UnitQuery(In):
    """Which unit a page is about; without one it may be chosen there."""

    unit = Id(load_default=None)


def read_form(schema: type[Schema], *, apart: str | tuple[str, ...] = ()) -> dict[str, Any]:
    """The form's values by `schema`; a field left empty counts as not sent. Raises InvalidRequest.

    `apart`: fields whose names begin so, or so, are not the schema's; see `read_named`.
    """
    return _load(schema, request.form, apart)


def read_named(beginning: str) -> dict[str, str]:
    """The fields whose names begin so, by the rest of the name, such as a text's values; empty ones are not there.

    Raises InvalidRequest for characters that no text may hold.
    """
    given = {
        name.removeprefix(beginning): value.strip()
        for name, value in request.form.items()
        if name.startswith(beginning) and value.strip()
    }
    if problems := find_unstorable(given):
        raise InvalidRequest(list(field_errors({f"{beginning}{name}": why for name, why in problems.items()}, given)))
    return given


def read_file() -> tuple[bytes, str]:
    """What is in the form's file, and its name. Raises Invalid (`file`) where none was chosen."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise Invalid("file", None, "is missing: choose a file")
    return file.stream.read(), file.filename


def read_query(schema: type[Schema]) -> dict[str, Any]:
    """The same of the address's query. Raises InvalidRequest."""
    return _load(schema, request.args)


def _load(schema: type[Schema], values: Any, apart: str | tuple[str, ...] = ()) -> dict[str, Any]:
    made = schema()
    lists = {field.data_key or name for name, field in made.fields.items() if isinstance(field, fields.List)}
    given: dict[str, Any] = {}
    for name in values:
        if name in OWN_FIELDS or name.startswith(apart):
            continue
        if name in lists:
            given[name] = [value for value in values.getlist(name) if value.strip()]
        elif values[name].strip():
            given[name] = values[name]
    try:
        loaded: dict[str, Any] = made.load(given)
    except ValidationError as error:
        raise InvalidRequest(list(field_errors(error.messages, error.data))) from None
    return loaded
