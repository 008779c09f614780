"""Whatever is sent to whichever route of the description: an announced status, strict JSON, never a failure of ours."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_every_route import api_routes, arguments

from sms_service.api import API_PREFIX
from tests.api.directory_client import Caller
from tests.api.samples import make_samples
from tests.examples import count_examples
from tests.factories import make_unit

# Values that have brought down somebody's service, beside those of every type.
ODD_TEXTS = [
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "‮",
    "１３８００１３８０００",
    "😀" * 40,
    "{{ x }}",
    "{% if %}",
]
ODD_TEXTS += [
    "9" * 5_000,
    "-1",
    "1e400",
    "0001-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "%",
    "x" * 3_000,
]
ODD_NUMBERS = [0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, 10**38, 0.5, -0.0, 1e308, True, None]
# JSON, or what claims to be it, that no library of a client's makes.
ODD_BODIES = [
    b'{"\\ud800": 1}',
    b'{"name": {"\\udfff": "\\ud800"}}',
    b'{"name": NaN}',
    b'{"values": {"a": Infinity}}',
    b'{"values": {"a": 1e999}}',
    b'{"unit_id": ' + b"9" * 5_000 + b"}",
    b'{"rule": ' + b'{"not": ' * 500 + b"1" + b"}" * 501,
    b"[" * 100_000,
    b'{"a": 1, "a": 2}',
    b"\xff\xfe",
    b"",
    b"null",
    b'"\\u0000"',
    b"{",
]
ODD_STEPS = [
    "%00",
    "1%00",
    "0",
    "-1",
    "9" * 19,
    "9" * 5_000,
    "%ED%A0%80",
    "%F0%9F%98%80",
    "..%2f",
    "x",
    "1.0",
    "%0a",
    "١",
]

texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=12), st.text(string.digits, max_size=20))
values = st.recursive(
    st.one_of(st.sampled_from(ODD_NUMBERS), texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def requests(draw, calls):
    """Method, address and arguments of a call that is right but for what was changed in it."""
    name, method, path, kw, parameters, fields = draw(st.sampled_from(calls))
    kw = {"headers": {}, **kw}
    if "<" in name and draw(st.integers(0, 3)) == 0:
        steps, places = path.split("/"), [i for i, step in enumerate(name.split(" ")[1].split("/")) if "<" in step]
        steps[draw(st.sampled_from(places))] = draw(st.sampled_from(ODD_STEPS))
        path = "/".join(steps)
    if parameters and draw(st.booleans()):
        query = draw(st.dictionaries(st.sampled_from(parameters) | texts, texts, max_size=3))
        kw["query_string"] = urlencode(query, errors="surrogatepass")
    if "content_type" not in kw and method != "GET":
        how = draw(st.integers(0, 5))
        if how == 0:
            kw |= {"data": draw(st.sampled_from(ODD_BODIES)), "content_type": "application/json"}
            kw.pop("json", None)
        elif how < 5:
            changed = draw(st.dictionaries(st.sampled_from(fields) | texts, values, max_size=3))
            body = json.dumps({**kw.pop("json", {}), **changed})  # half a surrogate as its escape
            kw |= {"data": body, "content_type": "application/json"}
    if method == "POST" and draw(st.integers(0, 9)) == 0:
        kw["headers"]["Idempotency-Key"] = draw(st.sampled_from(["a", "é", " ", "a" * 256, "k-1"]))
    return name, method, path, kw


def body_fields(described, operation):
    """The names at the top of the body that the description gives."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        return sorted(described["components"]["schemas"].get(name, content["schema"]).get("properties", {}))
    return []


@pytest.fixture
def calls(make_app, database, session):
    """The application, its description and every call of it with right arguments, as a caller who may do it all."""
    app = make_app({"RATE_LIMIT": "1000000 per minute"}, clock=lambda: datetime.now(UTC))
    unit = make_unit(session, code="01")
    ids = make_samples(database, session, unit)
    described = app.test_client().get("/openapi.json").json
    found = []
    for name, _ in api_routes(app):
        method, path, kw = arguments(name, ids)
        at = API_PREFIX + name.partition(" ")[2].replace("<int:", "{").replace("<", "{").replace(">", "}")
        item = described["paths"][at]
        operation = item[method.lower()]
        parameters = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
        if "data" in kw:  # a file is read once; the forms are tried with what is no form
            kw = {"data": b"--x--", "content_type": "multipart/form-data; boundary=x"}
        found.append((name, method, path, kw, parameters, body_fields(described, operation) or ["x"]))
    announced = {
        name: set(described["paths"][API_PREFIX + at][method.lower()]["responses"])
        for name, method, at in (
            (name, method, name.partition(" ")[2].replace("<int:", "{").replace("<", "{").replace(">", "}"))
            for name, method, *_ in found
        )
    }
    return app, unit, found, announced


def test_nothing_that_is_sent_is_a_failure_of_ours(calls, session):
    app, unit, found, announced = calls
    roles = ("administrator", "officer", "approver")
    callers = [Caller(app.test_client(), session, unit, *roles)]

    @given(requests(found))
    @settings(
        max_examples=count_examples(500), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    def send(request):
        name, method, path, kw = request
        answer = callers[-1].call(method, path, **kw)
        if answer.status_code == 401:  # it has revoked its own token, or disabled its own account
            callers.append(Caller(app.test_client(), session, unit, *roles))
        shown = (name, path[:100], str(kw)[:600], answer.status_code, answer.get_data()[:300])
        matched = answer.status_code == 404 or str(answer.status_code) in announced[name]
        assert answer.status_code < 500, shown
        assert matched, shown
        if answer.status_code != 204 and "Content-Disposition" not in answer.headers:  # a file is no JSON
            strict = json.loads(answer.get_data().decode("utf-8"), parse_constant=lambda name: pytest.fail(str(shown)))
            wanted = "application/json" if answer.status_code < 400 else "application/problem+json"
            assert answer.mimetype == wanted, shown
            assert answer.status_code < 400 or {"type", "title", "status", "detail"} <= set(strict), shown

    send()
