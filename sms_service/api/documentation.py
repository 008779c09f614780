"""`/openapi.json` and `/docs`: the API described by itself, readable without the internet."""

from __future__ import annotations

import re
import threading
from typing import Any

from flask import Blueprint, Flask, Response, current_app, json, render_template, request
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from markupsafe import Markup, escape
from marshmallow import Schema, fields

from sms_service.api import describe
from sms_service.api.problems import MEDIA_TYPE
from sms_service.web.problems import KINDS
from sms_service.web.schemas import MESSAGE, VALUES

_API = "sms_service_api"

blueprint = Blueprint("documentation", __name__, template_folder="pages")


class FieldError(Schema):
    """What is wrong with one field."""

    field = fields.String(metadata={"description": "The field, such as `rule.all[0].tag`"})
    value = fields.Raw(metadata={"description": "What was sent, where it is short and no secret; phone numbers masked"})
    reason = fields.String(metadata={"description": "What would be right"})
    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})


class Problem(Schema):
    """An error, RFC 9457."""

    type = fields.String(metadata={"description": "The kind of problem; its address in this documentation"})
    title = fields.String(metadata={"description": "The kind of problem in words"})
    status = fields.Integer(metadata={"description": "The HTTP status"})
    detail = fields.String(metadata={"description": "What went wrong this time"})
    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})
    request_id = fields.String(metadata={"description": "Names the request in the log of the service"})
    errors = fields.List(
        fields.Nested(FieldError), metadata={"description": "With status 422: one entry for each fault"}
    )


class DocumentedApi(Api):  # type: ignore[misc]
    """flask-smorest's Api with our error shape and ways to log in.

    Routes are described when somebody first asks for the description: that would take half of a process's start.
    """

    ERROR_SCHEMA = Problem

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._lock = threading.Lock()
        self._undescribed: list[SmorestBlueprint] = []
        app.extensions[_API] = self
        self.spec.components.security_scheme(
            "token", {"type": "http", "scheme": "bearer", "description": "A token from POST /api/v1/tokens"}
        )
        self.spec.components.security_scheme(
            "password",
            {"type": "http", "scheme": "basic", "description": "Login and password, for POST /api/v1/tokens only"},
        )

    def register_blueprint(self, blueprint: SmorestBlueprint, **options: Any) -> None:
        """Serve its routes, and describe them later."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blueprint.name] = self
        self._app.register_blueprint(blueprint, **options)
        self._undescribed.append(blueprint)

    def describe(self) -> dict[str, Any]:
        """The whole description, OpenAPI as JSON takes it."""
        with self._lock:
            for blueprint in self._undescribed:
                blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            self._undescribed.clear()
            return dict(self.spec.to_dict())

    def _openapi_json(self) -> Response:
        return current_app.response_class(json.dumps(self.describe(), indent=2), mimetype="application/json")

    def _register_responses(self) -> None:
        """The default responses are errors, so they have the media type of problems."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_error_handlers(self) -> None:
        """None: `problems.register_problems` answers every error."""


@blueprint.get("/docs")
def docs() -> str:
    """The documentation page: every route, parameter and field, with an example of each call."""
    api: DocumentedApi = current_app.extensions[_API]
    base_url = request.host_url.rstrip("/")
    return render_template(
        "docs.html", resources=describe.resources(api.describe(), base_url), kinds=KINDS, base_url=base_url
    )


@blueprint.app_template_filter("code")
def code(text: str) -> Markup:
    """`text` with the words between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
