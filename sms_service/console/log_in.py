"""Logging in and out, and the language before anybody is known."""

from __future__ import annotations

from flask import Response, g, make_response, redirect, request, url_for

from sms_service.accounts import sessions
from sms_service.accounts.models import LANGUAGES
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.console import cookies
from sms_service.console.blueprint import blueprint
from sms_service.console.demonstration import list_cast
from sms_service.console.entering import log_in
from sms_service.console.forgery import require_own_page
from sms_service.console.languages import choose_language
from sms_service.console.pages import NO_ROLE, act_view, go_to, local_path
from sms_service.console.rendering import render_page
from sms_service.web.bodies import LARGEST_JSON
from sms_service.web.context import current_context


@blueprint.get("/log-in")
def show_log_in() -> Response:
    """The only page that asks for no session."""
    return _page(None, "")


@blueprint.post("/log-in")
def take_log_in() -> Response:
    """Begin a session and go where the visitor wanted to go."""
    request.max_content_length = LARGEST_JSON
    require_own_page(request)
    login = request.form.get("login", "").strip()
    try:
        secret = log_in(login, request.form.get("password", ""))
    except NotAuthenticated as error:
        return _page(error.said, login, 401)
    following = local_path(request.args.get("next")) or url_for("console.show_home")
    response = make_response(redirect(following, 303))
    cookies.set_session_cookie(response, secret)
    return response


@blueprint.post("/language/<language>")
def choose_log_in_language(language: str) -> Response:
    """Remember the language in this browser, for pages before the log-in."""
    require_own_page(request)
    following = local_path(request.args.get("next")) or url_for("console.show_log_in")
    response = make_response(redirect(following, 303))
    if language in LANGUAGES:
        cookies.set_language_cookie(response, language)
    return response


@act_view("/log-out", NO_ROLE)
def log_out() -> Response:
    """End this session."""
    sessions.end_session(g.session, g.actor, g.visitor.session_id, current_context().clock())
    response = go_to("console.show_log_in")
    cookies.clear_session_cookie(response)
    return response


def _page(refused: str | None, login: str, status: int = 200) -> Response:
    g.language = choose_language()
    cookies.require_safe_transport()
    following = local_path(request.args.get("next"))
    page = render_page("log_in.html", refused=refused, login=login, following=following, cast=list_cast())
    return make_response(page, status)
