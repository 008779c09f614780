"""What went wrong, as a page: which right is missing and who can give it, what changed meanwhile, when to try again."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import PathConverter

from sms_service.accounts.services import find_administrators
from sms_service.console import cookies
from sms_service.console.blueprint import blueprint
from sms_service.console.languages import choose_language
from sms_service.console.once import AlreadySent
from sms_service.console.pages import local_path
from sms_service.console.rendering import address_with, render_page
from sms_service.console.series_conflicts import show_both_wordings
from sms_service.errors import EditedMeanwhile
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.problems import RequestProblem, find_problem, request_id

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TITLES = {
    400: as_said("This cannot be read"),
    403: as_said("You may not do this"),
    404: as_said("There is no such page"),
    405: as_said("There is no such page"),
    409: as_said("It has changed meanwhile"),
    413: as_said("That is too large"),
    422: as_said("Some values cannot be used"),
    429: as_said("Too many attempts"),
    500: as_said("Something went wrong"),
    503: as_said("Please try again in a moment"),
}


class _PagePath(PathConverter):
    """Every address that belongs to no other door: a wrong one gets a page, not the API's JSON."""

    regex = r"(?!(?:api|callbacks|health|docs|openapi\.json)(?:/|$))[^/].*?"


def _register_converter(state: Any) -> None:
    state.app.url_map.converters["page_path"] = _PagePath


blueprint.record(_register_converter)


@blueprint.get("/<page_path:unknown>")
def show_nothing(unknown: str) -> Response:
    """An address that leads nowhere."""
    raise NotFound


@blueprint.errorhandler(Exception)
def show_problem(error: Exception) -> Response:
    """Any error of a page, as a page."""
    if isinstance(error, HTTPException) and (error.code or 500) < 400:
        return Response(error.get_body(), error.code, error.get_headers())
    problem = find_problem(error)
    wrong = [one["field"] for one in problem.errors or () if request.method == "GET"]
    already = isinstance(error, AlreadySent)
    if "language" not in g:
        g.language = choose_language()
    if isinstance(error, EditedMeanwhile):
        return make_response(show_both_wordings(error), problem.status)
    page = render_page(
        "already_sent.html" if already else "problem.html",
        problem=problem,
        title=problem.title
        if problem.slug == "not-found" and problem.detail
        else _TITLES.get(problem.status, problem.title),
        without=address_with(**dict.fromkeys(wrong)) if wrong and all(name in request.args for name in wrong) else None,
        request_id=request_id(),
        back=local_path(request.referrer and request.referrer.removeprefix(request.host_url.rstrip("/"))),
        location=error.location if isinstance(error, AlreadySent) else None,
        administrators=_administrators(problem),
    )
    response = make_response(page, problem.status)
    response.headers.update(problem.headers)
    return response


@blueprint.after_request
def add_headers(response: Response) -> Response:
    """The headers of every page; what was to be said once has been said."""
    response.headers["Content-Security-Policy"] = _CSP
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html" and response.status_code < 300 and "HX-Request" not in request.headers:
        cookies.clear_notice(response)
    return response


def _administrators(problem: RequestProblem) -> list[str]:
    """Who could give the right that is missing, by name; nobody where the database cannot be asked."""
    if problem.slug != "forbidden" or "visitor" not in g:
        return []
    try:
        with current_context().database.session() as session:
            return find_administrators(session, g.visitor.unit_id)
    except DBAPIError:
        return []
