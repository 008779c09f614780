"""Finds out who calls, checks what the route demands, and runs the request in one transaction.

    @blueprint.route("/units")
    class Units(MethodView):
        @endpoint(Permission.read)
        @blueprint.arguments(UnitQuery, location="query")
        @blueprint.response(200, UnitList)
        def get(self, query):
            …g.session, g.actor…

`endpoint` is the outermost decorator of every method of every route.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Response, g, make_response, request

from sms_service.accounts import passwords, tokens
from sms_service.accounts.actors import RecordingActor, load_actor
from sms_service.accounts.permissions import Permission
from sms_service.accounts.tokens import Caller, NotAuthenticated
from sms_service.api.blueprint import MUST_HAVE_A_BODY
from sms_service.errors import Forbidden
from sms_service.said import say
from sms_service.web import limits
from sms_service.web.bodies import LARGEST_JSON
from sms_service.web.context import Context, current_context
from sms_service.web.idempotency import HEADER, respond_once


class Own(Enum):
    """What a route demands that is only about the caller's own account: a valid log-in, but no role."""

    account = "own account"


def endpoint(
    permission: Permission | Own, *, password: bool = False, secret_fields: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declare what a view demands.

    The caller must hold `permission` over at least one unit; the room checks with `g.actor` over which units.
    The view runs in one transaction, `g.session`, committed before the answer is sent and rolled back by any exception.
    A POST honours Idempotency-Key; `secret_fields` of its answer are not stored. `password`: HTTP Basic is accepted
    too.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def run(*args: Any, **kwargs: Any) -> Response:
            context = current_context()
            g.accepts_password = password
            caller = _authenticate(context, password)
            g.actor, g.token_id = caller.actor, caller.token_id
            if isinstance(permission, Permission):
                g.actor.require_somewhere(permission)
            with context.database.session() as session:
                g.session = session

                def answer() -> Response:
                    return make_response(view(*args, **kwargs))

                if request.mimetype != "multipart/form-data":
                    request.max_content_length = LARGEST_JSON
                if request.method != "POST":
                    return answer()
                if g.actor.account_id is None:
                    raise Forbidden("the service itself does not call its own API")
                g.actor = RecordingActor(g.actor.account_id, g.actor.login, g.actor.grants)
                return respond_once(session, g.actor, request, answer, secret_fields)

        run.permission = permission  # type: ignore[attr-defined]
        run._apidoc = _documented(view, permission, password)  # type: ignore[attr-defined]
        return run

    return decorate


def _authenticate(context: Context, password: bool) -> Caller:
    """The caller. This has its own transaction, so that no long request keeps the token's row locked."""
    given = request.authorization
    if given is None:
        raise NotAuthenticated("send the header Authorization: Bearer sms_…")
    if given.type == "bearer":
        return _by_token(context, given.token or "")
    if given.type == "basic" and password:
        return _by_password(context, given.username or "", given.password or "")
    if password:
        refused = say("this route accepts Authorization: Bearer or Basic, not {given}", given=given.type[:20])
    else:
        refused = say(
            "this route accepts Authorization: Bearer (Basic only on POST /api/v1/tokens), not {given}",
            given=given.type[:20],
        )
    raise NotAuthenticated(refused)


def _by_token(context: Context, token: str) -> Caller:
    try:
        with context.database.session() as session:
            return tokens.authenticate_token(session, token, context.clock())
    except NotAuthenticated:
        limits.count_failed_token(token)
        raise


def _by_password(context: Context, login: str, password: str) -> Caller:
    """The caller. Checking the password takes long, and no connection to the database is held during it."""
    with limits.log_in_counted(login):
        with context.database.session() as session:
            found = passwords.find_login(session, login)
        account_id = passwords.check_login(found, password)
    with context.database.session() as session:
        return Caller(load_actor(session, account_id), None)


def _announced(method: str, takes_arguments: bool) -> list[int]:
    """The errors that an operation can answer."""
    statuses = [400, 401, 403, 404, 429, 500, 503]
    if takes_arguments or method == "post":
        statuses.append(422)
    if method != "get":
        statuses += [409, 413, 415]
    return statuses


def _documented(view: Callable[..., Any], permission: Permission | Own, password: bool) -> dict[str, Any]:
    documentation: dict[str, Any] = deepcopy(getattr(view, "_apidoc", {}))
    manual = documentation.setdefault("manual_doc", {})
    manual["security"] = [{"token": []}, {"password": []}] if password else [{"token": []}]
    manual["x-permission"] = permission.value
    parameters = documentation.get("arguments", {}).get("parameters", [])
    for body in (parameter for parameter in parameters if parameter["in"] == "json"):
        fields = body["schema"]().fields.values()
        body["required"] = view.__name__.upper() in MUST_HAVE_A_BODY or any(field.required for field in fields)
    responses = documentation.setdefault("response", {}).setdefault("responses", {})
    for status in _announced(view.__name__, bool(parameters)):
        responses.setdefault(status, []).append(HTTPStatus(status).name)
    if view.__name__ == "post":
        documentation.setdefault("arguments", {}).setdefault("parameters", []).append(
            {
                "in": "header",
                "name": HEADER,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": "Any visible ASCII, such as a UUID. The same request with the same key within 24 hours "
                "answers what the first one answered and does nothing again.",
            }
        )
    return documentation
