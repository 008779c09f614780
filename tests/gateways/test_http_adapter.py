"""The generic HTTP adapter against stand-ins in processes of their own: what is sent, and what is made of each answer.

The account is the first example of docs/gateways-http.md; the kit's scenarios are in test_http_conformance.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_callbacks import CALLBACKS, ENVIRON, options, options_of
from http_providers import HERON_KEY, StandIn

from sms_service.gateways.base import ErrorClass, Group, NotTaken, Outcome, OutcomeKind, Text
from sms_service.gateways.config import BadGatewayConfig
from sms_service.gateways.http.adapter import HttpAdapter

NOW = 1_800_000_000.0
OLD = """
[accounts.old]
adapter = "http"
phone = "national"
charset = "gb18030"

[accounts.old.variables]
user = "user"

[accounts.old.secrets]
key = "${HERON_KEY}"

[accounts.old.request]
url = "URL/old"
query = { sign = "{{ text[1:3] }}", at = "{{ now | time('%Y-%m-%d %H:%M') }}", odd = "a+b&c=d %41" }
form = { mobile = "{{ phone }}", text = "{{ text }}", pwd = "{{ (user ~ key ~ text) | md5 }}" }

[accounts.old.answer]
format = "text"
pattern = '^(?P<code>-?\\d+),(?P<id>\\w*)$'
code = "code"
id = "id"

[accounts.old.codes.answers]
0 = "accepted"
-1 = "refused credentials"
-3 = "refused balance"
"HTTP 403" = "refused credentials"
"""

_phones = iter(range(10_000, 99_999))


@pytest.fixture(scope="module")
def heron() -> Iterator[StandIn]:
    with StandIn("heron") as heron:
        yield heron


@pytest.fixture
def adapter(heron: StandIn, tmp_path: Path) -> Iterator[HttpAdapter]:
    adapter = make(options("heron", heron, tmp_path))
    yield adapter
    adapter.close()


@pytest.fixture
def old(heron: StandIn, tmp_path: Path) -> Iterator[HttpAdapter]:
    adapter = make(options_of(OLD.replace("URL", heron.url), tmp_path))
    yield adapter
    adapter.close()


def make(found: Any) -> HttpAdapter:
    return HttpAdapter(found, f"{CALLBACKS}/callbacks/heron", clock=lambda: NOW)


def texts(count: int, body: str = '【学习】你好𠮷"\\\n{{ now }}') -> list[Text]:
    """Texts to numbers that no other test uses."""
    return [Text(f"202601-{n}", f"+86138000{n}", body, 1) for n, _ in zip(_phones, range(count), strict=False)]


def submit_one(adapter: HttpAdapter, heron: StandIn, do: str, **more: Any) -> Outcome:
    """The outcome of a text that is answered so; it is asked exactly once."""
    [text] = texts(1)
    for phone in (text.phone, text.phone.removeprefix("+86")):
        heron.answer(phone, do, **more)
    before = len(heron.requests())
    [outcome] = adapter.submit(Group("g", [text]))
    assert len(heron.requests()) == before + 1, "never repeated by itself"
    assert text.phone.removeprefix("+86") not in str(outcome)
    return outcome


def test_a_group_goes_in_one_signed_request_with_everything(heron: StandIn, adapter: HttpAdapter) -> None:
    group = Group("g", texts(3), validity_s=7200)
    outcomes = adapter.submit(group)
    request = heron.requests()[-1]
    assert request["headers"]["X-Time"] == "1800000000"
    assert request["document"] == {
        "messages": [{"reference": one.reference, "phone": one.phone, "text": one.body} for one in group.texts],
        "validity": 7200,
        "report_to": f"{CALLBACKS}/callbacks/heron/receipts/{ENVIRON['HERON_PATH']}",
    }
    taken = {one["phone"]: one["id"] for one in heron.taken()}
    assert outcomes == [
        Outcome(one.reference, OutcomeKind.accepted, provider_id=taken[one.phone]) for one in group.texts
    ]


def test_a_large_group_goes_in_several_requests_in_order(heron: StandIn, adapter: HttpAdapter) -> None:
    before = len(heron.requests())
    group = Group("g", texts(230))
    outcomes = adapter.submit(group)
    sizes = [len(request["document"]["messages"]) for request in heron.requests()[before:]]
    assert sorted(sizes) == [30, 100, 100]
    assert [outcome.reference for outcome in outcomes] == [text.reference for text in group.texts]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}


def test_what_an_answer_leaves_out_or_contradicts_is_unknown(heron: StandIn, adapter: HttpAdapter) -> None:
    group = texts(4)
    said = [
        {"reference": group[0].reference, "code": 0, "id": "h-1"},
        {"reference": group[1].reference, "code": 0, "id": "h-2"},
        {"reference": group[1].reference, "code": 410},
        {"reference": group[2].reference, "code": 0},
        {"reference": "202601-0", "code": 0, "id": "h-3"},
        7,
    ]
    heron.answer(group[0].phone, "raw", status=200, body=json.dumps({"code": 0, "results": said}))
    kinds = [outcome.kind for outcome in adapter.submit(Group("g", group))]
    assert kinds == [OutcomeKind.accepted, OutcomeKind.unknown, OutcomeKind.unknown, OutcomeKind.unknown]


@pytest.mark.parametrize(("code", "error"), [("410", ErrorClass.bad_number), ("402", ErrorClass.balance)])
def test_a_refusal_of_the_whole_group_says_so(
    heron: StandIn, adapter: HttpAdapter, code: str, error: ErrorClass
) -> None:
    group = texts(3)
    heron.answer(group[1].phone, "whole_group", code=code)
    outcomes = adapter.submit(Group("g", group))
    found = {(outcome.kind, outcome.error, outcome.raw_code, outcome.whole_group) for outcome in outcomes}
    assert found == {(OutcomeKind.refused, error, code, True)}
    assert not submit_one(adapter, heron, "whole_group", code=code).whole_group, "alone, it is itself to blame"


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), ("99999", 3600.0), ("soon", None), ("-1", None)])
def test_429_is_throttled_for_as_long_as_it_says(
    heron: StandIn, adapter: HttpAdapter, after: str, seconds: float | None
) -> None:
    outcome = submit_one(adapter, heron, "raw", status=429, body="slow down", headers={"Retry-After": after})
    assert (outcome.kind, outcome.error, outcome.retry_after_s) == (OutcomeKind.throttled, ErrorClass.rate, seconds)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ""),
        (502, '{"code": 0, "results": []}'),
        (403, ""),
        (302, ""),
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, '{"code": {}}'),
        (200, '{"code": 0}'),
        (200, '{"code": 4711}'),
        (200, '{"code": "0\\u0000"}'),
        (200, '{"code": 0, "results": {}}'),
        (200, '{"code": 0, "results": [{"reference": "another", "code": 0, "id": "h-1"}]}'),
        (200, "[" * 60_000),
        (200, "x" * 100_000),
    ],
    ids=str,
)
def test_whatever_is_not_clear_is_unknown(heron: StandIn, adapter: HttpAdapter, status: int, body: str) -> None:
    outcome = submit_one(adapter, heron, "raw", status=status, body=body)
    assert (outcome.kind, outcome.error) == (OutcomeKind.unknown, None)
    assert outcome.detail


def test_taken_but_answered_with_an_error_status_is_unknown(heron: StandIn, adapter: HttpAdapter) -> None:
    [text] = texts(1)
    said = {"code": 0, "results": [{"reference": text.reference, "code": 0, "id": "h-1"}]}
    heron.answer(text.phone, "raw", status=500, body=json.dumps(said))
    [outcome] = adapter.submit(Group("g", [text]))
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.unknown, None)


def test_one_request_that_hangs_harms_no_other(heron: StandIn, tmp_path: Path) -> None:
    adapter = make(options("heron", heron, tmp_path, total_timeout_s=0.8))
    group = texts(120)
    heron.answer(group[110].phone, "hang")
    kinds = [outcome.kind for outcome in adapter.submit(Group("g", group))]
    assert kinds == [OutcomeKind.accepted] * 100 + [OutcomeKind.unknown] * 20
    adapter.close()


def test_nobody_listening_is_not_taken(heron: StandIn, adapter: HttpAdapter) -> None:
    heron.stop()
    try:
        with pytest.raises(NotTaken, match="cannot be reached"):
            adapter.submit(Group("g", texts(3)))
    finally:
        heron.start()


def test_a_wrong_key_is_an_account_s_fault(heron: StandIn, tmp_path: Path) -> None:
    found = options("heron", heron, tmp_path)
    object.__setattr__(found.request.authentication, "key", "another")
    outcome = submit_one(make(found), heron, "accept")
    assert (outcome.kind, outcome.error) == (OutcomeKind.refused, ErrorClass.credentials)


def test_forms_in_gb18030_and_answers_in_plain_text(heron: StandIn, old: HttpAdapter) -> None:
    [text] = texts(1, "【学习】你好𠮷, 100% + & = ok")
    [outcome] = old.submit(Group("g", [text]))
    request = heron.requests()[-1]
    assert request["document"]["text"] == text.body
    assert request["document"]["mobile"] == text.phone.removeprefix("+86")
    assert request["query"] == {"sign": "学习", "at": "2027-01-15 16:00", "odd": "a+b&c=d %41"}
    assert request["headers"]["Content-Type"] == "application/x-www-form-urlencoded; charset=gb18030"
    assert outcome == Outcome(text.reference, OutcomeKind.accepted, provider_id=heron.taken()[-1]["id"])


@pytest.mark.parametrize(
    ("status", "body", "kind", "error", "raw_code"),
    [
        (200, "-3,", OutcomeKind.refused, ErrorClass.balance, "-3"),
        (400, "-3,", OutcomeKind.refused, ErrorClass.balance, "-3"),
        (403, "go away", OutcomeKind.refused, ErrorClass.credentials, "HTTP 403"),
        (404, "go away", OutcomeKind.unknown, None, "HTTP 404"),
        (200, "0,", OutcomeKind.unknown, None, "0"),
        (200, "99,x", OutcomeKind.unknown, None, "99"),
        (200, "余额不足", OutcomeKind.unknown, None, "HTTP 200"),
    ],
)
def test_plain_answers_and_bare_statuses(
    heron: StandIn, old: HttpAdapter, status: int, body: str, kind: OutcomeKind, error: ErrorClass | None, raw_code: str
) -> None:
    outcome = submit_one(old, heron, "raw", status=status, body=body)
    assert (outcome.kind, outcome.error, outcome.raw_code) == (kind, error, raw_code)


def test_a_number_of_another_country_is_not_written_as_one_of_this(heron: StandIn, old: HttpAdapter) -> None:
    """Without their country codes, numbers of two countries can be the same."""
    [good] = texts(1)
    foreign = Text("202601-1", "+85291234567", "你好", 1)
    before = len(heron.requests())
    outcomes = old.submit(Group("g", [foreign, good]))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.refused, OutcomeKind.accepted]
    assert outcomes[0].error is ErrorClass.bad_number
    assert len(heron.requests()) == before + 1
    [alone] = old.submit(Group("g", [foreign]))
    assert alone.kind is OutcomeKind.refused


def test_a_text_that_no_template_can_take_is_refused_alone(heron: StandIn, tmp_path: Path) -> None:
    written = OLD.replace("URL", heron.url).replace("{{ text }}", "{{ text ~ ('!' * (1 // (text | length - 3))) }}")
    adapter = make(options_of(written.replace("(user ~ key ~ text)", "text"), tmp_path))
    [good], [bad] = texts(1, "你好"), texts(1, "三个字")
    outcomes = adapter.submit(Group("g", [good, bad]))
    assert (outcomes[1].kind, outcomes[1].error) == (OutcomeKind.refused, ErrorClass.request)
    assert outcomes[1].detail == "a template cannot be filled in (ZeroDivisionError)"
    assert outcomes[0].raw_code == "-1", "the other one was asked for, here with a wrong digest"
    adapter.close()


def test_a_half_character_keeps_its_request_from_leaving(heron: StandIn, adapter: HttpAdapter) -> None:
    before = len(heron.requests())
    outcomes = adapter.submit(Group("g", [*texts(1, "\ud83c"), *texts(1)]))
    assert {(outcome.kind, outcome.error) for outcome in outcomes} == {(OutcomeKind.refused, ErrorClass.request)}
    assert {outcome.whole_group for outcome in outcomes} == {True}, "which of them it was is for halving to find"
    assert not adapter.submit(Group("g", texts(1, "\ud83c")))[0].whole_group
    assert len(heron.requests()) == before


def test_xml_answers_basic_log_in_and_one_id_for_many(heron: StandIn, tmp_path: Path) -> None:
    account = f"""
[accounts.x]
adapter = "http"
[accounts.x.request]
url = "{heron.url}/old"
recipients = 10
one_text = true
headers = {{ X-Phones = "{{{{ phones | join(';') }}}}" }}
form = {{ mobile = "{{{{ phones[0] }}}}", text = "{{{{ text }}}}", pwd = "" }}
authentication = {{ kind = "basic", user = "u", password = "${{HERON_KEY}}" }}
[accounts.x.answer]
format = "xml"
code = "result.code"
id = "/result/@id"
[accounts.x.codes]
answers = {{ ok = "accepted" }}
receipts = {{}}
"""
    adapter = make(options_of(account, tmp_path))
    assert adapter.capabilities.names_groups
    assert not adapter.capabilities.sends_receipts
    assert adapter.capabilities.largest_group == 10, "what is refused as a whole must be a whole group"
    one, two = texts(2, "你好"), texts(1, "再见")
    body = '<?xml version="1.0"?><a xmlns="urn:x"><result id="g7"><code>ok</code></result></a>'
    for text in (one[0], two[0]):
        heron.answer(text.phone, "raw", status=200, body=body, take=True)
    outcomes = adapter.submit(Group("g", [one[0], two[0], one[1]]))
    assert {(outcome.kind, outcome.provider_id) for outcome in outcomes} == {(OutcomeKind.accepted, "g7")}
    headers = [request["headers"] for request in heron.requests()[-2:]]
    assert sorted(header["X-Phones"] for header in headers) == sorted([f"{one[0].phone};{one[1].phone}", two[0].phone])
    assert {header["Authorization"].partition(" ")[0] for header in headers} == {"Basic"}
    adapter.close()


def test_no_number_text_or_secret_reaches_a_log_or_a_repr(
    heron: StandIn, adapter: HttpAdapter, old: HttpAdapter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    [text] = texts(1)
    heron.answer(text.phone, "reset")
    said = [str(adapter.submit(Group("g", [text]))), repr(adapter), repr(options("heron", heron, tmp_path))]
    said.append(repr(options_of(OLD.replace("URL", heron.url), tmp_path)))
    for one in (*said, caplog.text):
        assert HERON_KEY not in one
        assert ENVIRON["HERON_PATH"] not in one
        assert text.phone.removeprefix("+86") not in one


CLOUD = """
[accounts.cloud]
adapter = "http"

[accounts.cloud.request]
url = "URL/v2/messages"
recipients = 10
headers = { X-App = "city-42", X-Time = "{{ now | epoch }}", X-Signature = "{{ signature }}" }
body = '''{"template": {{ template | json }}, "messages": {{ texts | json }}}'''
authentication = { kind = "hmac-sha256", key = "${HERON_KEY}", over = "{{ now | epoch }}\\n{{ body }}" }

[accounts.cloud.answer]
code = "code"
each = { list = "results", reference = "reference", code = "code", id = "id" }

[accounts.cloud.codes.answers]
0 = "accepted"
"""


def test_a_provider_of_registered_templates_gets_name_and_parameters(heron: StandIn, tmp_path: Path) -> None:
    adapter = make(options_of(CLOUD.replace("URL", heron.url), tmp_path))
    assert adapter.capabilities.needs_templates
    first, second = texts(2, "【学习】王芳，请参加学习。")
    named = replace(second, template_id="SMS_1", parameters={"事": "学习", "name": "王芳"})
    refused, accepted = adapter.submit(Group("g", [first, named]))
    assert (refused.kind, refused.error) == (OutcomeKind.refused, ErrorClass.request), "nothing of it was written"
    assert accepted.kind is OutcomeKind.accepted
    sent = heron.requests()[-1]["document"]
    assert sent["template"] == "SMS_1"
    assert [(one["parameters"], one["named_parameters"]) for one in sent["messages"]] == [
        (["学习", "王芳"], {"事": "学习", "name": "王芳"})
    ]
    adapter.close()


def test_parameters_without_a_template_are_a_mistake(heron: StandIn, tmp_path: Path) -> None:
    broken = OLD.replace("URL", heron.url).replace('text = "{{ text }}"', 'text = "{{ parameters | json }}"')
    with pytest.raises(BadGatewayConfig, match="nowhere its name, template"):
        options_of(broken, tmp_path)
