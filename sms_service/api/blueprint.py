"""The blueprint of a resource: flask-smorest's, with our way of refusing what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from sms_service.said import say
from sms_service.web import guard
from sms_service.web.problems import InvalidRequest, field_error, field_errors

MUST_HAVE_A_BODY = ("PATCH", "PUT")  # of other methods the schema says whether all fields may be left out


class _Parser(FlaskParser):
    """Refuses unknown fields everywhere and a body that is not JSON, and says for each field what would be right."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - as its base declares it
        "json": None,  # None: as the schema says, which is to refuse
        "query": None,
        "form": None,
        "files": None,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:
        body = req.get_data(cache=True)
        if not body:
            if req.method in MUST_HAVE_A_BODY:
                raise InvalidRequest([field_error("body", None, "is missing; send a JSON object")])
            return missing
        if req.mimetype != "application/json":
            raise UnsupportedMediaType(
                say("The body must be application/json, not {type}.", type=req.mimetype)
                if req.mimetype
                else "The body must be application/json, not of an unnamed type."
            )
        return guard.read_json(body)

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        messages = error.messages
        if isinstance(messages, dict) and len(messages) == 1:
            (messages,) = messages.values()  # webargs puts them under the name of the location
        raise InvalidRequest(list(field_errors(messages, error.data)))


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """One resource's routes; `Blueprint("units", description="…")`. The name is the tag in the documentation."""

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, name: str, *, description: str) -> None:
        super().__init__(name, __name__, description=description)

    def _prepare_arguments_doc(self, doc: Any, doc_info: dict[str, Any], **kwargs: Any) -> Any:
        """Describe a form with files as one body: in OpenAPI 3 there are no form parameters beside a body."""
        parameters = doc_info.get("arguments", {}).get("parameters", [])
        forms = [parameter for parameter in parameters if parameter["in"] == "form"]
        files = [parameter for parameter in parameters if parameter["in"] == "files"]
        if forms and files:
            bases = tuple(_class_of(parameter["schema"]) for parameter in (files[0], *forms))
            files[0]["schema"] = type(f"{bases[0].__name__}Form", bases, {})
            doc_info["arguments"]["parameters"] = [parameter for parameter in parameters if parameter not in forms]
        return super()._prepare_arguments_doc(doc, doc_info, **kwargs)


def _class_of(schema: Schema | type[Schema]) -> type[Schema]:
    return schema if isinstance(schema, type) else type(schema)
