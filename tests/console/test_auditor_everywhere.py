"""An auditor asks every route of the application, pages and API, for a change: each refuses, and no row is another."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import select

from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.api import API_PREFIX
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from tests.api.directory_client import Caller
from tests.api.samples import make_samples
from tests.api.test_every_route import arguments, routes
from tests.browser.every_page import fill
from tests.console.conftest import SAME_ORIGIN
from tests.console.test_every_page import IDS
from tests.factories import make_unit

# The routes that change something and yet answer an auditor, with why. Anything else refuses them.
FOR_THEMSELVES = {
    "POST /log-in": "whoever has a password",
    "POST /log-out": "ends their own visit",
    "POST /language/<language>": "of the log-in page, kept in a cookie",
    "POST /me/password": "their own",
    "POST /me/preferences": "the language and size of their own pages",
    "POST /me/sessions/<int:session_id>/end": "a log-in of their own",
    "POST /me/sessions/end-others": "log-ins of their own",
    "POST /me/phone": "their own, for test sends and notices",
    "POST /me/phone/confirm": "their own",
    "POST /me/phone/end": "their own",
    "POST /me/pushes": "which notices reach themself",
    "PUT /api/v1/me/password": "their own",
    "PUT /api/v1/me/phone": "their own",
    "POST /api/v1/me/phone/confirm": "their own",
    "DELETE /api/v1/me/phone": "their own",
    "PUT /api/v1/me/pushes": "which notices reach themself",
    "POST /api/v1/tokens": "a log-in of their own, for programs",
    "DELETE /api/v1/tokens/<int:token_id>": "a log-in of their own",
    "POST /exports": "a file of what they may read, for them alone",
    "POST /api/v1/exports": "the same",
    "POST /exports/<int:export_id>/delete": "a file of their own",
    "DELETE /api/v1/exports/<int:export_id>": "the same",
    "POST /statement": "counts of what they may read, under a number",
    "POST /api/v1/statements": "the same",
}
# Of these, what belongs to somebody else is refused as well.
_NAMING = {name for name in FOR_THEMSELVES if "_id>" in name}
# Questions, which are POSTs since they do not fit an address, or since no name and no phone shall stand there.
QUESTIONS = {
    *("POST /units", "POST /people", "POST /inbox", "POST /opted-out", "POST /lists/<int:list_id>"),
    *("POST /quiz/categories/<int:quiz_category_id>", "POST /lists/<int:list_id>/download", "POST /counts/number"),
    *("POST /api/v1/inbox/search", "POST /api/v1/numbers/history", "POST /api/v1/suppressions/history"),
    *("POST /api/v1/segments/preview", "POST /api/v1/templates/preview"),
    "POST /api/v1/templates/<int:template_id>/preview",
}
FORMS = {
    "POST /opted-out": {"wanted": "13900000001"},
    "POST /counts/number": {"phone": "13900000001", "why": "投诉"},
}
# A question about one number is an act, with its reason.
NOTED = {"number.history"}
LOGGED_IN = {"session.begin"}
# What a visit itself writes, whatever it asks.
OF_A_VISIT = {"trail", "trail_unlinked", "sessions", "tokens"}


def changing_routes(app: Flask) -> Iterator[tuple[str, str, Permission | None]]:
    """(name, rule, permission) of every method of every route of pages and API that is no GET, whether or not the same
    address has a GET, too.
    """
    for method, rule, view in routes(app):
        if method != "GET" and not rule.startswith("/callbacks/"):  # providers sign what they send
            permission = getattr(view, "permission", None)
            yield f"{method} {rule}", rule, permission if isinstance(permission, Permission) else None


def read_all(database: Database) -> dict[str, tuple[int, int | None]]:
    """How many rows each table has, and a sum over what they say; read by a superuser, who sees all of them."""
    with psycopg.connect(database.url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        sums = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*), sum(hashtextextended(t::text, 0)) FROM {} t").format(
                name, sql.Identifier(name)
            )
            for (name,) in tables
        )
        return {name: (rows, said) for name, rows, said in connection.execute(sums)}


@pytest.fixture
def asked(app, database, session, log_in):
    """An auditor of the whole tree asks all of it: (name, status) of each, the tables that are different afterwards,
    and the acts that were noted.
    """
    top = make_unit(session)
    unit = make_unit(session, parent=top)
    ids = IDS | make_samples(database, session, unit)
    caller, visitor = Caller(app.test_client(), session, top, "auditor"), log_in(top, "auditor")
    fields = visitor.fields("/me")
    before, answers = read_all(database), {}
    for name, rule, _ in changing_routes(app):
        if name in FOR_THEMSELVES.keys() - _NAMING:
            continue
        if rule.startswith(API_PREFIX):
            method, path, kw = arguments(name.replace(API_PREFIX, ""), ids)
            answers[name] = caller.call(method, path, **kw).status_code
        else:
            path = fill(rule, ids)
            assert path is not None, f"add the parameters of {rule}"
            form = {**fields, "_once": secrets.token_urlsafe(16), **FORMS.get(name, {})}
            answers[name] = visitor.client.post(path, data=form, headers=SAME_ORIGIN).status_code
    after = read_all(database)
    changed = {table for table in after if after[table] != before.get(table)}
    own = TrailEntry.account_id.in_([caller.account_id, visitor.account_id])
    return answers, changed, set(session.scalars(select(TrailEntry.act).where(own)))


def test_the_list_has_the_routes_that_answer_an_auditor_and_no_other(app):
    reached = {
        name
        for name, _, permission in changing_routes(app)
        if permission is None or permission in PERMISSIONS["auditor"]
    }
    assert reached == FOR_THEMSELVES.keys() | QUESTIONS


def test_every_other_route_refuses_and_nothing_is_written(asked):
    answers, changed, acts = asked
    assert len(answers) > 300
    assert {name for name, status in answers.items() if status != 403} == QUESTIONS | {
        name for name in _NAMING if answers[name] == 404
    }
    assert {name: answers[name] for name in QUESTIONS if answers[name] >= 400} == {}
    assert changed <= OF_A_VISIT
    assert acts == NOTED | LOGGED_IN
