"""What every resource shares: problems, one transaction a request, repeated requests, health, the documentation."""

from __future__ import annotations

import io
import json
import logging
import threading
from html.parser import HTMLParser

import pytest
from directory_client import Caller
from factories import make_unit
from flask import g, jsonify
from flask.views import MethodView
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields
from sqlalchemy import func, select, text, update
from test_every_route import api_routes

from sms_service import settings
from sms_service.accounts.models import Account, RoleGrant
from sms_service.accounts.permissions import Permission
from sms_service.api import LONGEST_STATEMENT_S, create_app
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audit import trail
from sms_service.audit.models import TrailEntry
from sms_service.masking import mask_phone, mask_text
from sms_service.said import from_json
from sms_service.web import schemas
from sms_service.web.problems import KINDS, field_errors

PHONE = "+8613800001234"


@pytest.fixture
def unit(session):
    unit = make_unit(session, code="01", name="云州市")
    session.commit()
    return unit


@pytest.fixture
def administrator(make_app, session, unit):
    return Caller(make_app().test_client(), session, unit, "administrator")


def probe():
    """A resource that fails in every way; a new one each time, since a blueprint belongs to one application."""
    blueprint = Blueprint("probe", description="Fails in every way.")

    class ProbeIn(schemas.In):
        rule = fields.Dict(metadata={"description": "Anything"})
        items = fields.List(fields.Nested(schemas.In.from_dict({"tag": schemas.OneLine(5)})))
        id = schemas.Id()

    @blueprint.route("/probe/<what>")
    class Probe(MethodView):
        @endpoint(Permission.read)
        def get(self, what):
            """Fail."""
            if what == "impatient":
                g.session.execute(text("SET LOCAL lock_timeout = '50ms'"))
                g.session.execute(text("SELECT FROM trail"))
            if what == "slow":
                g.session.execute(text("SET LOCAL statement_timeout = '20ms'"))
                g.session.execute(text("SELECT pg_sleep(60)"))
            trail.record_act(g.session, g.actor.account_id, "probe", "probe", what, "/1/")
            if what == "unexpected":
                raise RuntimeError(f"the number {PHONE} is in this message")
            if what == "statement":
                g.session.execute(text("SELECT 1/0, :phone"), {"phone": PHONE})
            if what == "commit":
                g.session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
                g.session.execute(text("CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
                g.session.execute(text("INSERT INTO late VALUES (1), (1)"))
            return jsonify({})

        @endpoint(Permission.read)
        @blueprint.arguments(ProbeIn)
        @blueprint.response(201, schemas.Out)
        def post(self, body, what):
            """Take anything."""
            trail.record_act(g.session, g.actor.account_id, "probe", "probe", what, "/1/")
            return {}

    return blueprint


@pytest.fixture
def prober(make_app, session, unit):
    app = make_app(fresh=True)
    app.register_blueprint(probe(), url_prefix="/api/v1")
    return Caller(app.test_client(), session, unit, "officer")


def probes(session):
    return session.scalar(select(func.count()).where(TrailEntry.act == "probe"))


@pytest.mark.parametrize("what", ["unexpected", "statement"])
def test_an_unexpected_error_shows_and_logs_no_secret_and_undoes_everything(prober, session, caplog, what):
    with caplog.at_level(logging.INFO):
        response = prober.call("GET", f"/probe/{what}", headers={"X-Request-Id": "r-1"})
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    assert (response.json["request_id"], response.headers["X-Request-Id"]) == ("r-1", "r-1")
    shown = response.get_data(as_text=True)
    assert "Traceback" not in shown
    assert "r-1" in caplog.text
    assert "test_core.py" in caplog.text, "the log says where"
    assert "13800001234" not in caplog.text + shown
    assert probes(session) == 0


def test_a_commit_that_fails_is_an_error_and_not_an_answer(prober, session):
    response = prober.get("/probe/commit")
    assert response.status_code == 409
    assert probes(session) == 0
    assert prober.get("/probe/fine").status_code == 200
    assert probes(session) == 1


NO_ID = "must be the id of a row: a whole number from 1"


@pytest.mark.parametrize(
    ("body", "field", "value", "reason"),
    [
        ({"rul": 1}, "rul", 1, "Unknown field."),
        ({"items": [{"tag": "a"}, {"tag": "too long"}]}, "items[1].tag", "too long", "must have 1 to 5 characters"),
        ({"rule": {"all": [{"tag": "a\x00"}]}}, "rule.all[0].tag", "a\x00", "must not contain the character NUL"),
        ({"id": True}, "id", True, NO_ID),
        ({"id": 1.0}, "id", 1.0, NO_ID),
        ({"id": 2**63}, "id", "922****08", "must be a whole number from 1 to 2^63 - 1"),
        ({"id": PHONE}, "id", "+86138****1234", NO_ID),
        ({"password": "hunter2"}, "password", None, "Unknown field."),
        ([], "body", None, "Invalid input type."),
    ],
)
def test_invalid_fields_are_named_with_what_would_be_right(prober, body, field, value, reason):
    response = prober.post("/probe/x", json=body)
    shown = {} if value is None else {"value": value}
    (error,) = response.json["errors"]
    assert from_json(error.pop("message"), error.pop("values")) == reason
    assert (response.status_code, error) == (422, {"field": field, **shown, "reason": reason})
    assert response.json["type"] == "/docs#problem-invalid"


def test_half_a_surrogate_pair_is_refused_before_it_reaches_the_database(prober):
    response = prober.post("/probe/x", data='{"rule": {"a": "\\ud800"}}', content_type="application/json")
    assert (response.status_code, response.json["errors"][0]["field"]) == (422, "rule.a")


@pytest.mark.parametrize(
    "body",
    [
        b'{"rule": ' + b'{"a": ' * 500 + b"1" + b"}" * 501,
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
        b'{"rule": {"a": NaN}}',
        b'{"rule": {"a": -Infinity}}',
        b'{"rule": {"a": 1e999}}',
    ],
)
def test_what_is_no_strict_json_within_reason_is_malformed(prober, body):
    response = prober.post("/probe/x", data=body, content_type="application/json")
    assert (response.status_code, response.json["type"]) == (400, "/docs#problem-malformed")


def test_half_a_surrogate_pair_in_a_name_of_json_is_refused_too(prober):
    body = '{"rule": {"\\ud800": 1, "\\udfff": {"a": "\\u0000"}}}'
    response = prober.post("/probe/x", data=body, content_type="application/json")
    assert (response.status_code, [error["field"] for error in response.json["errors"]]) == (
        422,
        ["rule.?", "rule.?.a"],
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [("/gateway-accounts/a%00b/unknown-codes", 400), ("/units/" + "9" * 5_000, 404), ("/units/%00", 400)],
)
def test_an_address_that_no_row_can_have_is_a_problem(administrator, path, status):
    response = administrator.get(path)
    assert (response.status_code, response.content_type) == (status, "application/problem+json")


def test_a_change_without_its_body_is_refused_and_moves_nothing(make_app, session, unit):
    officer = Caller(make_app().test_client(), session, unit, "officer")
    segment = officer.post("/segments", json={"unit_id": unit.id, "name": "全体", "rule": {"everyone": True}}).json
    for kw in ({}, {"data": b"", "content_type": "application/json"}):
        response = officer.call("PATCH", f"/segments/{segment['id']}", **kw)
        assert (response.status_code, response.json["errors"][0]["field"]) == (422, "body")
    assert officer.get(f"/segments/{segment['id']}").json["updated_at"] == segment["updated_at"]


def test_a_change_that_changes_nothing_moves_no_time(make_app, session, unit):
    client = make_app().test_client()
    officer, administrator = (Caller(client, session, unit, role) for role in ("officer", "administrator"))
    role = {"unit_id": unit.id, "role": "书记"}
    person = {"name": "李娜", "phone": "13800138000", "tags": ["退休"], "attributes": {"党龄": "3"}, "roles": [role]}
    segment = {"name": "全体", "rule": {"everyone": True}}
    for caller, path, body in ((administrator, "/people", person), (officer, "/segments", segment)):
        made = caller.post(path, json={"unit_id": unit.id, **body}).json
        for again in ({}, body):
            answer = caller.call("PATCH", f"{path}/{made['id']}", json=again)
            assert (answer.status_code, answer.json) == (200, made)
        assert caller.patch(f"{path}/{made['id']}", name="另名").json["updated_at"] > made["updated_at"]
    assert administrator.patch("/people/1", roles=[]).json["roles"] == []


def test_a_rule_is_bounded(make_app, session, unit):
    officer = Caller(make_app().test_client(), session, unit, "officer")
    rule = {"any": [{"attribute": {"name": f"n{n}", "in": ["值" * 200] * 100}} for n in range(2)]}
    answer = officer.post("/segments", json={"unit_id": unit.id, "name": "大", "rule": rule})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "rule")


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": b"\xff", "content_type": "application/json"}, 400),
        ({"data": "a=1", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"data": "{}", "content_type": "text/plain"}, 415),
        ({"data": "{}", "content_type": "application/json", "headers": {"Idempotency-Key": "a b"}}, 422),
        ({"data": "{}", "content_type": "application/json", "headers": {"Idempotency-Key": "a" * 256}}, 422),
    ],
)
def test_what_cannot_be_read_is_a_problem(prober, send, status):
    response = prober.post("/probe/x", **send)
    assert (response.status_code, response.content_type) == (status, "application/problem+json")


def test_addresses_methods_and_sizes_are_problems_too(make_app, administrator):
    client = make_app().test_client()
    missing = client.get("/nowhere")
    assert (missing.status_code, missing.json["type"]) == (404, "/docs#problem-not-found")
    method = client.delete("/api/v1/units")
    assert (method.status_code, method.content_type) == (405, "application/problem+json")
    assert set(method.headers["Allow"].split(", ")) >= {"GET", "POST"}
    big = administrator.post("/units", data=io.BytesIO(b"x" * (1024 * 1024 + 1)), content_type="application/json")
    assert (big.status_code, big.json["title"]) == (413, "Too large")
    announced = {"CONTENT_LENGTH": str(64 * 1024 * 1024 + 1)}
    form = {"content_type": "multipart/form-data; boundary=x", "environ_overrides": announced}
    assert administrator.post("/imports", data=b"--x--", **form).status_code == 413


def test_a_database_that_is_away_is_unavailable_and_health_says_so(tmp_path):
    environ = {"DATABASE_URL": "postgresql://nobody:hidden@127.0.0.1:1/none"}
    client = create_app(settings.load_settings(environ, tmp_path)).test_client()
    response = client.get("/api/v1/me", headers={"Authorization": f"Bearer sms_{'A' * 43}"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    health = client.get("/health")
    assert (health.status_code, health.json) == (
        503,
        {"status": "down", "database": "unreachable", "redis": "not configured"},
    )
    assert "hidden" not in response.get_data(as_text=True) + health.get_data(as_text=True)


def test_health_names_the_state_of_both_engines(make_app, redis_url, own_redis):
    assert make_app({"REDIS_URL": redis_url}).test_client().get("/health").json == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
    }
    client = make_app({"REDIS_URL": own_redis.url}).test_client()
    own_redis.kill()
    without = client.get("/health")
    assert (without.status_code, without.json["status"], without.json["redis"]) == (200, "degraded", "unreachable")


def test_one_key_sent_twice_at_once_makes_one_account(make_app, session, unit):
    app = make_app()
    caller = Caller(app.test_client(), session, unit, "administrator")
    body = {"login": "li.na", "name": "李娜", "unit_id": unit.id}
    barrier, answered = threading.Barrier(4), []

    def send():
        barrier.wait()
        answered.append(caller.post("/accounts", json=body, headers={"Idempotency-Key": "k-1"}))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [response.status_code for response in answered] == [201] * 4
    assert len({response.get_data() for response in answered}) == 1
    assert sorted(response.headers.get("Idempotency-Replayed", "no") for response in answered) == ["no"] + ["true"] * 3
    assert session.scalar(select(func.count()).where(Account.login == "li.na")) == 1


def test_a_stored_answer_is_repeated_only_to_who_may_still_do_it(make_app, session, unit):
    other = make_unit(session, parent=unit)
    caller = Caller(make_app().test_client(), session, other, "officer")
    session.add(RoleGrant(account_id=caller.account_id, role="auditor", unit_id=unit.id))
    session.commit()
    kw = {
        "json": {"unit_id": other.id, "name": "全体", "rule": {"everyone": True}},
        "headers": {"Idempotency-Key": "k"},
    }
    first, again = caller.post("/segments", **kw), caller.post("/segments", **kw)
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert "asked" not in again.headers
    held = {"account_id": caller.account_id, "role": "officer"}
    session.execute(update(RoleGrant).filter_by(**held).values(unit_id=make_unit(session).id))
    session.commit()
    assert caller.post("/segments", **kw).status_code == 403


def test_a_key_is_bound_to_the_address_and_free_again_after_an_error(administrator, unit):
    headers = {"Idempotency-Key": "k-1"}
    body = {"login": "li.na", "name": "李娜", "unit_id": unit.id}
    assert administrator.post("/accounts", json={**body, "login": "李"}, headers=headers).status_code == 422
    assert administrator.post("/accounts", json=body, headers=headers).status_code == 201
    for path in ("/tokens", "/accounts?x=1"):
        response = administrator.post(path, json=body, headers=headers)
        assert (response.status_code, response.json["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_file_sent_again_is_the_same_request_whatever_its_boundary(administrator):
    def upload(content, boundary):
        data = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nunits\r\n--{boundary}\r\n'
            f'Content-Disposition: form-data; name="file"; filename="组织.csv"\r\n\r\n{content}\r\n--{boundary}--\r\n'
        )
        return administrator.post(
            "/imports",
            data=data.encode(),
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "file-1"},
        )

    first, again = (
        upload("编码,名称,级别,上级编码\n01,云州市,市,", "aaa"),
        upload("编码,名称,级别,上级编码\n01,云州市,市,", "bbb"),
    )
    assert first.status_code == again.status_code == 202, first.get_data(as_text=True)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert upload("编码,名称,级别,上级编码\n01,另一市,市,", "aaa").status_code == 422


class _References(HTMLParser):
    """Every address that a page makes a browser load or lead to, and every anchor."""

    def __init__(self):
        super().__init__()
        self.links, self.anchors, self.tags = [], set(), set()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        self.links += [attributes[name] for name in ("href", "src", "action") if name in attributes]
        self.anchors |= {attributes["id"]} if "id" in attributes else set()


def test_the_documentation_has_every_route_and_needs_no_other_server(make_app):
    app = make_app()
    response = app.test_client().get("/docs")
    page = _References()
    page.feed(response.get_data(as_text=True))
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert all(link == "/openapi.json" or link.removeprefix("#") in page.anchors for link in page.links)
    assert {f"problem-{slug}" for slug in KINDS} <= page.anchors
    named = {name.replace("<int:", "{").replace("<", "{").replace(">", "}") for name, _ in api_routes(app)}
    anchors = {f"{name.split(' ')[0].lower()}-api-v1{name.split(' ')[1].replace('/', '-')}" for name in named}
    assert {anchor.replace("{", "").replace("}", "") for anchor in anchors} <= page.anchors


def test_the_description_is_openapi_without_dangling_references(make_app):
    spec = make_app().test_client().get("/openapi.json").json
    assert spec["openapi"].startswith("3.")
    for reference in set(_references(spec)):
        node = spec
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
    for path, item in spec["paths"].items():
        for method in set(item) - {"parameters"}:
            places = {parameter["in"] for parameter in item[method].get("parameters", [])}
            assert places <= {"path", "query", "header"}, (method, path)
            assert item[method]["security"], (method, path)


def _references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_masked_phone_hides_at_least_four_digits(phone):
    head, tail = mask_phone(phone).split("****")
    assert phone.startswith(head)
    assert phone.endswith(tail)
    assert len(head) + len(tail) <= len(phone) - 4
    assert phone not in mask_text(f"打给{phone}。")


@given(
    st.recursive(
        st.text(max_size=5),
        lambda inner: st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, min_size=1, max_size=3),
    )
)
def test_every_message_of_a_nested_fault_is_listed_with_its_path(messages):
    listed = list(field_errors(messages, messages))
    assert [error["reason"] for error in listed] == [mask_text(text) for text in _leaves(messages)]
    for error in listed:
        node = messages
        for step in [] if error["field"] == "body" else error["field"].split("."):
            node = node[step]
        assert mask_text(node) == error["reason"]


def _leaves(node):
    return [leaf for value in node.values() for leaf in _leaves(value)] if isinstance(node, dict) else [node]


def test_two_requests_in_each_others_way_may_be_tried_again(session, prober):
    session.execute(text("SET LOCAL ROLE sms_owner"))
    session.execute(text("LOCK TABLE trail IN ACCESS EXCLUSIVE MODE"))
    blocked = prober.get("/probe/impatient")
    assert (blocked.status_code, blocked.headers["Retry-After"]) == (503, "5")
    assert "Try again" in blocked.json["detail"]


def test_a_question_that_takes_too_long_is_ended_and_said_so(prober, caplog, database_url, tmp_path):
    slow = prober.get("/probe/slow")
    assert (slow.status_code, slow.json["type"]) == (503, "/docs#problem-too-slow")
    assert caplog.messages[-1].endswith("GET /api/v1/probe/slow took too long")
    assert "Traceback" not in caplog.text
    app = create_app(settings.load_settings({"DATABASE_URL": database_url}, tmp_path))
    with app.extensions["sms_service"].database.transaction() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == f"{LONGEST_STATEMENT_S}s"
    app.extensions["sms_service"].database.close()


def test_answers_are_not_kept_by_caches(administrator):
    response = administrator.get("/me")
    assert (response.headers["Cache-Control"], response.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_answers_keep_chinese_readable(administrator, unit):
    assert "云州市" in administrator.get(f"/units/{unit.id}").get_data(as_text=True)
    assert json.loads(administrator.get("/units").get_data())["scope"][0]["name"] == "云州市"
