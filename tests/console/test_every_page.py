"""Walks every page of the console: none without a log-in, none without a permission, no form that acts unasked."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from sqlalchemy import event, text

from sms_service.accounts.permissions import PERMISSIONS, Permission
from sms_service.console import errors
from tests.api.samples import make_samples
from tests.browser.every_page import ROLES, fill, list_pages
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_unit

PUBLIC = {
    "show_log_in",
    "take_log_in",
    "choose_log_in_language",
    "serve_asset",
    "show_nothing",
    "check_printed_statement",
}
# They concern nothing but the visitor's own account.
OWN = {"show_home", "show_me", "show_password", "change_password", "set_own_preferences", "log_out"}
OWN |= {"end_own_session", "end_other_sessions"}
OWN |= {"say_own_phone", "confirm_phone", "end_phone_on_page", "choose_pushes"}
MOST_STATEMENTS = 12
EVIL = "\"><svg onload=alert(1)><b>'{{ 7*7 }}"
_IDS = "unit person account role grant import segment template template_version campaign run message stop session"
_IDS += (
    " suppression reply token cap quiet_day contact word category check signature recipient_list list row calendar_day"
)
_IDS += " export statement rule delegation channel post webhook quiz_category quiz_question quiz_draft question"
# Of what no row has.
_WORDS = {"name": "main", "class_": "study", "number": 1, "day": "2999-01-01"}
IDS = {f"{name}_id": 999_999 for name in _IDS.split()} | _WORDS
IDS["day"] = "2999-01-01"


def routes(app):
    """(endpoint without the blueprint's name, methods, rule, view) of every route of the console."""
    for rule in app.url_map.iter_rules():
        blueprint, _, endpoint = rule.endpoint.partition(".")
        if blueprint == "console":
            yield endpoint, rule.methods - {"HEAD", "OPTIONS"}, rule.rule, app.view_functions[rule.endpoint]


@pytest.fixture
def unit(session):
    unit = make_unit(session)
    session.commit()
    return unit


def test_every_route_says_what_it_demands(app):
    for endpoint, _, _, view in routes(app):
        if endpoint in PUBLIC:
            continue
        assert hasattr(view, "permission"), f"{endpoint} is neither page_view nor act_view"
        assert isinstance(view.permission, Permission) or endpoint in OWN, endpoint


def test_no_page_without_a_log_in(app):
    client = app.test_client()
    for endpoint, methods, rule, view in routes(app):
        if endpoint in PUBLIC:
            continue
        path = fill(rule, IDS)
        assert path is not None, f"add the parameters of {rule} to IDS"
        for method in methods:
            answer = client.open(path, method=method, headers=SAME_ORIGIN)
            if method == "GET" or answer.status_code == 303:
                assert answer.status_code in (303, 401), path
                assert answer.status_code == 401 or answer.location.startswith("/log-in")
            else:
                assert answer.status_code == 401, path
                # A part of a page that shows what is written carries nothing on: the page keeps it.
                assert 'name="_password"' in answer.text or getattr(view, "is_fragment", False), path


def test_no_form_acts_without_its_token_or_from_elsewhere(app, log_in, unit):
    visitor = log_in(unit, *ROLES)
    fields = visitor.fields("/me")  # no form of all these acts, so that the key stays unused
    once, token = fields["_once"], fields["_csrf"]
    for endpoint, methods, rule, _ in routes(app):
        if endpoint in PUBLIC or "POST" not in methods:
            continue
        path = fill(rule, IDS)
        without = visitor.client.post(path, data={"_once": once}, headers=SAME_ORIGIN)
        elsewhere = visitor.client.post(path, data={"_once": once, "_csrf": token}, headers={"Origin": "https://a.b"})
        assert (without.status_code, elsewhere.status_code) == (403, 403), path
        if "GET" not in methods:  # a search is asked by POST and does nothing
            keyless = visitor.client.post(path, data={"_csrf": token}, headers=SAME_ORIGIN)
            assert keyless.status_code in (403, 404, 422), f"{path} acts without a key"


def test_what_a_role_may_not_do_is_refused_and_not_shown(app, log_in, unit):
    """Each route by one role that may and by one that may not, and what each permission opens by every role."""
    visitors = {role: log_in(unit, role) for role in ("administrator", "officer", "approver", "auditor", "operator")}
    homes = {role: visitor.get("/").text for role, visitor in visitors.items()}
    fields = {role: visitor.fields("/me") for role, visitor in visitors.items()}
    demanded = defaultdict(list)
    for endpoint, methods, rule, view in routes(app):
        if endpoint not in PUBLIC | OWN and isinstance(view.permission, Permission):
            demanded[view.permission].append(("GET" in methods, fill(rule, IDS)))
    for permission, found in demanded.items():
        may = [role for role in visitors if permission in PERMISSIONS[role]]
        others = [role for role in visitors if role not in may]
        for number, (shown, path) in enumerate(found):
            for role in _take_turns(others, number, len(found)):
                visitor = visitors[role]
                sent = {"data": fields[role], "headers": SAME_ORIGIN}
                refused = visitor.get(path) if shown else visitor.client.post(path, **sent)
                assert refused.status_code == 403, f"{role} {path}"
            for role in _take_turns(may, number, len(found)) if shown else ():
                assert visitors[role].get(path).status_code != 403, f"{role} {path}"
            for role in others if shown else ():
                assert f'href="{path}"' not in homes[role], f"{role} sees {path}"


def _take_turns(roles, number, routes):
    """Whose turn it is at this of so many routes: one of the roles, and more of them if there are fewer routes."""
    return {*roles[number::routes], *roles[number % len(roles) :][:1]} if roles else set()


def test_names_are_text_on_every_page(app, database, session, log_in):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    for table in ("units", "people", "accounts", "segments", "templates", "campaigns"):
        session.execute(text(f"UPDATE {table} SET name = :evil || id"), {"evil": EVIL})
    session.execute(text("UPDATE stops SET why = :evil"), {"evil": EVIL})
    session.commit()
    visitor = log_in(unit, *ROLES)
    for _, rule in list_pages(app):
        page = visitor.get(fill(rule, ids) or "/").text
        assert "<svg onload" not in page, rule
        assert "<b>'" not in page, rule


def test_a_page_asks_the_database_little_whatever_it_shows(app, database, session, log_in):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    visitor = log_in(unit, *ROLES)
    too_many: dict[str, str] = {}
    for endpoint, rule in list_pages(app):
        asked = []

        def note(connection, cursor, statement, *_, asked=asked):
            if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
                asked.append(" ".join(statement.split())[:90])

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            visitor.get(fill(rule, ids) or "/")
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        if len(asked) > MOST_STATEMENTS:
            too_many[endpoint] = "\n".join(asked)
    assert not too_many, "\n".join(f"{page}:\n{asked}" for page, asked in too_many.items())


@pytest.mark.parametrize("status", sorted(errors._TITLES))
def test_every_error_has_a_title(status):
    assert errors._TITLES[status]


def test_a_fault_of_ours_is_a_page_with_a_number_and_nothing_else(app, log_in, unit, monkeypatch):
    visitor = log_in(unit)
    monkeypatch.setitem(app.view_functions, "console.show_me", lambda: 1 / 0)
    answer = visitor.get("/me", headers={"X-Request-Id": "abc"})
    assert answer.status_code == 500
    assert "abc" in answer.text
    assert re.search("Traceback|ZeroDivision|\\.py", answer.text) is None
