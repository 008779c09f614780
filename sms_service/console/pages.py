"""Who looks, what a page demands, the one transaction of a request, and that no form acts twice.

`page_view` is for what only shows (GET), `act_view` for what changes something (POST → 303 → GET). Each is the
outermost decorator of its views, which work with `g.session` and `g.actor`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, make_response, redirect, request, url_for

from sms_service.accounts.permissions import Permission
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.console import cookies
from sms_service.console.blueprint import blueprint
from sms_service.console.entering import enter_session, log_in_again
from sms_service.console.forgery import require_form_token, require_own_page
from sms_service.console.once import INSTEAD, act_once
from sms_service.errors import Conflict, Forbidden, ServiceError
from sms_service.web.bodies import LARGEST_JSON
from sms_service.web.context import current_context
from sms_service.web.problems import find_problem

View = Callable[..., Any]
NO_ROLE = None  # for a page that concerns nothing but the visitor's own account
_WITH_A_DUE_PASSWORD = {"console.show_password", "console.change_password", "console.log_out"}


def page_view(
    rule: str,
    permission: Permission | None,
    *,
    fragment: bool = False,
    methods: tuple[str, ...] = ("GET",),
    again: View | None = None,
) -> Callable[[View], View]:
    """A page that shows something to whoever holds `permission` over at least one unit.

    `fragment`: a part of a page that refreshes itself; it does not count as something the visitor does. `methods`: a
    search for people is a POST, so that no name or phone stands in an address; it changes nothing and needs no `once`.
    `again`: the page with the form, as of `act_view`.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def show(*args: Any, **kwargs: Any) -> Any:
            if request.method == "POST":
                require_own_page(request)
            secret = cookies.read_cookie(cookies.SESSION)
            try:
                enter_session(secret, acts=not fragment)
            except NotAuthenticated:
                return _send_to_log_in(fragment)
            if request.method == "POST":
                require_form_token(request, secret or "")
            return _show(view, permission, again, args, kwargs)

        show.is_fragment = fragment  # type: ignore[attr-defined]
        return _declare(show, rule, permission, methods)

    return decorate


def act_view(
    rule: str, permission: Permission | None, *, again: View | None = None, file: bool = False
) -> Callable[[View], View]:
    """A form's target. The view does it and returns `go_to(…)`; whatever it raises undoes all of it.

    `again`: the page with the form; where a field's value cannot be used it is shown again, with what was sent kept and
    a message at each field (`g.form_errors`). A form that is sent twice acts once: both get the first one's answer.
    `file`: the form has a file, so that it may be large.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def run(*args: Any, **kwargs: Any) -> Any:
            if not file:
                request.max_content_length = LARGEST_JSON
            require_own_page(request)
            secret = cookies.read_cookie(cookies.SESSION)
            try:
                enter_session(secret)
            except NotAuthenticated:
                begun = log_in_again()
                if isinstance(begun, Response):
                    return begun
                enter_session(begun)
                answer = _do(view, permission, again, args, kwargs)
                cookies.set_session_cookie(answer, begun)
                return answer
            require_form_token(request, secret or "")
            return _do(view, permission, again, args, kwargs)

        return _declare(run, rule, permission, ("POST",))

    return decorate


def go_to(endpoint: str, *, said: str | None = None, **values: Any) -> Response:
    """The answer of an act: to that page, which says `said` once on top."""
    response = make_response(redirect(url_for(endpoint, **values), 303))
    if said is not None:
        cookies.set_notice(response, said)
    return response


def show_once(page: str, endpoint: str, **values: Any) -> Response:
    """The answer of an act that shows what is kept nowhere, such as a first password. The same form that is sent again
    leads to the endpoint, which cannot show it.
    """
    setattr(g, INSTEAD, url_for(endpoint, **values))
    return make_response(page)


def show_again(refused: ServiceError, page: Callable[[], Any]) -> Response:
    """The page with its form once more, what was sent kept and a message at each field that was refused."""
    g.form_errors, g.submitted = find_problem(refused).errors, request.form
    response = make_response(page())
    response.status_code = 422
    return response


def show_typed(view: View, *args: Any) -> str:
    """The page of another view with what was typed into its form so far; nothing of it is kept."""
    if request.method == "POST":
        g.submitted = request.form
    return str(view.__wrapped__(*args))  # type: ignore[attr-defined]


def local_path(address: str | None) -> str | None:
    """The path of `address` if it is one of this service, with its query; None otherwise."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")):
        return None
    parts = urlsplit(address)
    return None if parts.scheme or parts.netloc or any(ord(c) < 32 for c in address) else address


def _declare(view: View, rule: str, permission: Permission | None, methods: tuple[str, ...]) -> View:
    view.permission = permission  # type: ignore[attr-defined]
    blueprint.add_url_rule(rule, view.__name__, view, methods=list(methods))
    return view


def _show(view: View, permission: Permission | None, again: View | None, args: Any, kwargs: Any) -> Any:
    if g.visitor.password_due and request.endpoint not in _WITH_A_DUE_PASSWORD:
        return redirect(url_for("console.show_password"), 303)
    if permission is not None:
        g.actor.require_somewhere(permission)
    return _answer(lambda: make_response(view(*args, **kwargs)), again, args, kwargs)


def _do(view: View, permission: Permission | None, again: View | None, args: Any, kwargs: Any) -> Response:
    if g.visitor.password_due and request.endpoint not in _WITH_A_DUE_PASSWORD:
        raise Forbidden("choose a password of your own first")
    if permission is not None:
        g.actor.require_somewhere(permission)
    return _answer(
        lambda: act_once(g.session, g.actor, lambda: make_response(view(*args, **kwargs))), again, args, kwargs
    )


def _answer(make: Callable[[], Response], again: View | None, args: Any, kwargs: Any) -> Response:
    """What is made in one transaction; where a field's value cannot be used, the page with the form in another one."""
    try:
        with current_context().database.session() as session:
            g.session = session
            return make()
    except ServiceError as error:
        if again is None or not find_problem(error).errors or isinstance(error, Conflict):
            raise
        refused, page = error, again.__wrapped__  # type: ignore[attr-defined]
    with current_context().database.session() as session:
        g.session = session
        return show_again(refused, lambda: page(*args, **kwargs))


def _send_to_log_in(fragment: bool) -> Response:
    if fragment:
        # htmx then loads the page anew, which leads to the log-in; but not a page on which somebody writes, since that
        # would lose the words: its own form asks for the password and keeps them.
        return Response(status=401, headers={"HX-Refresh": "true"} if request.method == "GET" else {})
    following = local_path(request.full_path.rstrip("?")) if request.method == "GET" else None
    return make_response(redirect(url_for("console.show_log_in", next=following if following != "/" else None), 303))
