"""Walks every route of the application: none without a log-in, none without a permission, none that reaches outside."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import func, select

from sms_service.accounts.passwords import hash_password
from sms_service.accounts.permissions import Permission
from sms_service.api import API_PREFIX
from sms_service.api.authentication import Own
from sms_service.audit.models import TrailEntry
from tests.api.directory_client import Caller
from tests.api.samples import BODIES, FORMS, PREPARATIONS, QUERIES, make_samples
from tests.factories import make_account, make_unit

CALLBACKS = {"/callbacks/<account>", "/callbacks/<account>/<path:tail>"}
PUBLIC = {"/health", "/docs", "/openapi.json", *CALLBACKS}
HEADER = "编号,姓名,手机号,组织编码"
# They change nothing, although they are POSTs: their question does not fit an address.
QUESTIONS = {
    "POST /inbox/search",
    "POST /logins/plan",
    "POST /numbers/history",
    "POST /segments/preview",
    "POST /suppressions/history",
    "POST /templates/preview",
    "POST /templates/<int:template_id>/preview",
}
# They concern the caller's own account only, whatever is sent.
OWN = {"GET /me", "GET /tasks", "PUT /me/password", "POST /tokens"}
OWN |= {"GET /me/phone", "PUT /me/phone", "DELETE /me/phone", "POST /me/phone/confirm"}
OWN |= {"GET /me/pushes", "PUT /me/pushes"}
OWN |= {"GET /exports", "GET /exports/<int:export_id>", "GET /exports/<int:export_id>/file"}
OWN |= {"DELETE /exports/<int:export_id>"}
# What they make says what the caller may read anyway: a file for the caller alone, a paper under a number.
FILES = {"POST /exports", "POST /statements"}
# They list what belongs to the whole installation: names, states, codes and numbers, nothing of any unit.
EVERYBODYS = {
    "GET /gateway-accounts",
    "GET /gateway-accounts/health",
    "GET /gateway-accounts/<name>/refused-callbacks",
    "GET /gateway-accounts/<name>/unknown-codes",
    "GET /routes",
    "GET /caps",
    "GET /trail/head",
    "GET /reports/definitions",
    "GET /seals/<day>",  # of the units that one may read
}


def routes(app):
    """(method, rule, view) of every route, without what Flask adds."""
    for rule in app.url_map.iter_rules():
        function = app.view_functions[rule.endpoint]
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            view_class = getattr(function, "view_class", None)
            yield method, rule.rule, getattr(view_class, method.lower()) if view_class else function


def api_routes(app):
    """(name, permission) of every route of the API; names like `GET /units/<int:unit_id>`."""
    for method, rule, view in routes(app):
        if rule.startswith(API_PREFIX):
            yield f"{method} {rule.removeprefix(API_PREFIX)}", getattr(view, "permission", None)


def arguments(name, ids):
    """Method, address and what to send to call the route `name` about the things in `ids`."""
    method, path = name.split(" ")
    for parameter, value in ids.items():
        path = path.replace(f"<int:{parameter}>", str(value)).replace(f"<{parameter}>", str(value))
    assert "<" not in path, f"add the parameters of {name} to make_samples in samples.py"
    kw = {}
    if name in BODIES:
        kw["json"] = BODIES[name](ids)
    elif name in FORMS:
        kw["data"] = {"file": (io.BytesIO(f"{HEADER}\n1,甲,,0102\n".encode()), "党员.csv"), **FORMS[name](ids)}
        kw["content_type"] = "multipart/form-data"
    elif name in QUERIES:
        kw["query_string"] = QUERIES[name](ids)
    return method, path, kw


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def city(database, session):
    top = make_unit(session, code="01")
    mine, other = make_unit(session, code="0101", parent=top), make_unit(session, code="0102", parent=top)
    ids = make_samples(database, session, other)
    return {"top": top, "mine": mine, "other": other, "ids": ids}


def test_every_route_but_the_public_ones_declares_what_it_demands(app):
    assert {rule for _, rule, view in routes(app) if not hasattr(view, "permission")} == PUBLIC
    assert all(isinstance(permission, (Permission, Own)) for _, permission in api_routes(app))


def test_every_public_route_but_the_callbacks_only_reads(app):
    changing = {rule for method, rule, view in routes(app) if rule in PUBLIC and method != "GET"}
    assert changing == CALLBACKS


@pytest.mark.parametrize("header", [None, "Bearer sms_short", f"Bearer sms_{'A' * 43}", "Digest x=1", "nonsense"])
def test_no_route_answers_without_a_valid_log_in(app, city, header):
    client = app.test_client()
    for number, (name, _) in enumerate(api_routes(app)):
        method, path, kw = arguments(name, city["ids"])
        headers = {"Authorization": header} if header else {}
        address = {
            "REMOTE_ADDR": f"192.0.2.{number}"
        }  # one of its own, or the many failures are refused for their number
        response = client.open(API_PREFIX + path, method=method, headers=headers, environ_base=address, **kw)
        assert (name, response.status_code) == (name, 401)
        assert response.headers["WWW-Authenticate"].startswith("Basic" if name == "POST /tokens" else "Bearer")
        assert response.content_type == "application/problem+json"


def test_a_password_opens_no_route_but_the_log_in(app, session, city):
    make_account(session, city["top"], "root", ("administrator",), password_hash=hash_password("correct horse battery"))
    session.commit()
    for name, _ in api_routes(app):
        method, path, kw = arguments(name, city["ids"])
        if name == "POST /tokens":
            kw["json"] = {"name": "laptop"}
        response = app.test_client().open(
            API_PREFIX + path, method=method, auth=("root", "correct horse battery"), **kw
        )
        assert (name, response.status_code) == (name, 201 if name == "POST /tokens" else 401)


def test_an_account_without_a_role_reaches_nothing_but_itself(app, session, city):
    nobody = Caller(app.test_client(), session, city["top"])
    for name, permission in api_routes(app):
        if isinstance(permission, Permission):
            method, path, kw = arguments(name, city["ids"])
            assert (name, nobody.call(method, path, **kw).status_code) == (name, 403)


def test_an_auditor_can_change_nothing(app, session, city):
    auditor = Caller(app.test_client(), session, city["top"], "auditor")
    for name, permission in api_routes(app):
        method, path, kw = arguments(name, city["ids"])
        if method != "GET" and name not in QUESTIONS | FILES and isinstance(permission, Permission):
            assert permission is not Permission.read, name
            assert (name, auditor.call(method, path, **kw).status_code) == (name, 403)
    assert session.scalar(select(func.count()).where(TrailEntry.account_id == auditor.account_id)) == 0


def test_nobody_reaches_another_district(app, session, city):
    stranger = Caller(app.test_client(), session, city["mine"], "administrator", "officer", "approver", "auditor")
    documented = app.test_client().get("/openapi.json").json["paths"]
    for name, _ in api_routes(app):
        if name in OWN | EVERYBODYS:
            continue
        method, path, kw = arguments(name, city["ids"])
        if "<" not in name and method == "GET" and name not in QUERIES:
            parameters = documented[API_PREFIX + path]["get"]["parameters"]
            assert "unit" in {parameter["name"] for parameter in parameters}, f"{name} takes no unit"
            kw["query_string"] = {"unit": city["other"].id}
        elif method in ("POST", "PUT", "PATCH"):
            assert "json" in kw or "data" in kw, f"add a body of {name} to samples.py"
        response = stranger.call(method, path, **kw)
        assert (name, response.status_code) == (name, 403), response.get_data(as_text=True)
    assert session.scalar(select(func.count()).where(TrailEntry.account_id == stranger.account_id)) == 0


def test_what_does_not_exist_is_not_found(app, session, city):
    caller = Caller(app.test_client(), session, city["top"], "administrator", "officer", "approver")
    missing = dict.fromkeys(city["ids"], 2**63 - 1)
    for name, _ in api_routes(app):
        if "<" in name:
            method, path, kw = arguments(name, missing)
            if name in BODIES:
                kw["json"] = BODIES[name]({**city["ids"], "unit_id": city["top"].id})
            assert (name, caller.call(method, path, **kw).status_code) == (name, 404)
    for path in ("/units/0", f"/units/{2**63}", "/units/x", "/nothing"):
        assert caller.get(path).status_code == 404


def creating(name, ids, another):
    """The arguments of a POST, or of the same with another body."""
    method, path, kw = arguments(name, ids)
    if name == "POST /tokens":
        kw["json"] = {"name": "laptop"}
    if another and "data" in kw:
        kw["data"]["file"] = (io.BytesIO(f"{HEADER}\n2,乙,,0102\n".encode()), "党员.csv")
    elif another:
        kw["json"] = {**kw["json"], "another": 1}
    return method, path, kw


def test_every_creating_post_honours_an_idempotency_key(app, session, city):
    author = Caller(app.test_client(), session, city["top"], "administrator", "officer")
    approver = Caller(app.test_client(), session, city["top"], "approver")
    # What takes the person and the unit away comes last.
    last = ("erasure", "close", "reopen")
    turns = {end: turn for turn, end in enumerate(last, 1)}
    for name, permission in sorted(api_routes(app), key=lambda route: turns.get(route[0].rpartition("/")[2], 0)):
        caller = approver if permission is Permission.approve_campaigns else author
        if not name.startswith("POST "):
            continue
        if name in PREPARATIONS:
            PREPARATIONS[name](session, city["ids"])
            session.commit()
        headers = {"Idempotency-Key": f"key of {name}".replace(" ", "-").replace("<", "").replace(">", "")}
        first, second, other = (
            caller.call(method, path, headers=headers, **kw)
            for method, path, kw in (creating(name, city["ids"], another) for another in (False, False, True))
        )
        assert first.status_code < 300, (name, first.get_data(as_text=True))
        assert (name, second.status_code, second.headers.get("Idempotency-Replayed")) == (
            name,
            first.status_code,
            "true",
        )
        secret = {"secret": None}
        hidden = {
            "POST /tokens": {"token": None},
            "POST /logins": {"logins": None},
            "POST /webhooks": secret,
            "POST /webhooks/<int:webhook_id>/secret": secret,
        }.get(name, {})
        answered = first.get_json(silent=True)  # None for 204
        assert second.get_json(silent=True) == (answered and {**answered, **hidden}), name
        assert (name, other.status_code) == (name, 422)


def test_every_field_and_parameter_is_described(app):
    spec = app.test_client().get("/openapi.json").json
    bare = [
        f"{name}.{field}"
        for name, schema in spec["components"]["schemas"].items()
        for field, property_ in schema.get("properties", {}).items()
        if not property_.get("description")
    ]
    bare += [
        f"{method} {path} {parameter['name']}"
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert bare == []
    summaries = [
        operation.get("summary")
        for item in spec["paths"].values()
        for operation in item.values()
        if "tags" in operation
    ]
    assert all(summaries)
