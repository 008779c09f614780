"""Coming in: by a session's cookie, by login and password, or with both in a form whose session was over."""

from __future__ import annotations

from flask import Response, g, make_response, request

from sms_service.accounts import passwords, sessions
from sms_service.accounts.actors import RecordingActor
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.console import cookies
from sms_service.console.languages import choose_language
from sms_service.console.once import OWN_FIELDS
from sms_service.console.rendering import render_page
from sms_service.errors import Invalid
from sms_service.web import limits
from sms_service.web.context import current_context

FRESH_S = 15 * 60  # seconds for which a password counts as given just now


def enter_session(secret: str | None, *, acts: bool = True) -> None:
    """Let the holder of the cookie's secret in. A transaction of its own, so that no long request holds its row.

    Raises NotAuthenticated, or BadRequest where the cookie would travel readable.
    """
    cookies.require_safe_transport()
    if secret is None:
        raise NotAuthenticated("log in to see this page")
    context = current_context()
    with context.database.session() as session:
        visitor = sessions.find_visitor(session, secret, context.clock(), acts=acts)
    g.visitor, g.session_secret = visitor, secret
    g.actor = RecordingActor(visitor.actor.account_id, visitor.actor.login, visitor.actor.grants)
    g.language = choose_language(visitor.language)


def log_in(login: str, password: str) -> str:
    """Begin a session and return its secret. Raises NotAuthenticated, TooManyGuesses, TooManyHashes or BadRequest.

    No connection to the database is held while the password is checked, which takes long.
    """
    cookies.require_safe_transport()
    context = current_context()
    with limits.log_in_counted(login):
        with context.database.session() as session:
            found = passwords.find_login(session, login)
        account_id = passwords.check_login(found, password)
    with context.database.session() as session:
        return sessions.begin_session(
            session,
            account_id,
            user_agent=request.user_agent.string,
            now=context.clock(),
            random_bytes=context.random_bytes,
        )


def log_in_again() -> str | Response:
    """For a form whose session was over: the new session's secret, or the page that asks for login and password.

    That page carries the form's fields, so that nothing that was written is lost and the act goes on.
    """
    login, password = request.form.get("_login", ""), request.form.get("_password", "")
    refused = None
    if login and password:
        try:
            return log_in(login, password)
        except NotAuthenticated as error:
            refused = error.said
    carried = [(name, value) for name, value in request.form.items(multi=True) if name not in OWN_FIELDS - {"_once"}]
    page = render_page("log_in_again.html", carried=carried, login=login, refused=refused, files=bool(request.files))
    return make_response(page, 401)


def is_password_fresh() -> bool:
    """Whether the visitor gave their password in the last quarter of an hour."""
    return bool((current_context().clock() - g.visitor.password_at).total_seconds() < FRESH_S)


def confirm_password() -> None:
    """For acts that reach far: the password again, in the form's field `_password`, where it is not fresh.

    Raises Invalid (`_password`) or TooManyGuesses. It works in the act's transaction, `g.session`.
    """
    if is_password_fresh():
        return
    given = request.form.get("_password", "")
    context = current_context()
    with limits.log_in_counted(g.visitor.actor.login):
        found = passwords.find_login(g.session, g.visitor.actor.login)
        if not given or not passwords.check_password(found.kept, given):
            raise Invalid("_password", None, "is not your password; give it again to go on")
    sessions.note_password(g.session, g.visitor.session_id, context.clock())
