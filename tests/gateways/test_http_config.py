"""Every mistake in the nested tables of an HTTP account is named at start, with file, table and key and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_callbacks import ENVIRON
from http_providers import example

from sms_service.gateways.config import BadGatewayConfig, load_gateway_config
from sms_service.gateways.registry import Gateways

ROUTES = '\n[routes]\ndefault = ["{}"]\n'
HERON, MAS = example("heron"), example("mas")
MANY = """
[accounts.many]
adapter = "http"
request = { url = "https://x", recipients = 5, one_text = true, form = { to = "{{ phones | join(',') }}" } }
answer = { code = "code", id = "id" }
codes = { answers = { 0 = "accepted" } }
receipts = { id = "id", status = "s"PHONE }
callbacks = { secret = "${HERON_PATH}" }
"""


def refused(folder: Path, text: str) -> str:
    """What is said of a file with this account; never a secret."""
    path = folder / "gateways.toml"
    name = text.partition("[accounts.")[2].partition("]")[0]
    path.write_text(text + ROUTES.format(name), encoding="utf-8")
    with pytest.raises(BadGatewayConfig) as caught:
        load_gateway_config(path, ENVIRON)
    message = str(caught.value)
    for secret in ENVIRON.values():
        assert secret not in message
    prefix = f"{path}: [accounts.{name}] "
    assert message.startswith(prefix)
    assert "\n" not in message
    return message.removeprefix(prefix)


def test_the_examples_as_they_stand_are_good(tmp_path: Path) -> None:
    for name, text in (("heron", HERON), ("mas", MAS)):
        path = tmp_path / "gateways.toml"
        path.write_text(text + ROUTES.format(name), encoding="utf-8")
        assert list(load_gateway_config(path, ENVIRON).accounts) == [name]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("recipients = 100", "recipient = 100", "request.recipient: is not known here; known are authentication, body"),
        ("recipients = 100", "recipients = true", "request.recipients: is True; it must be a whole number"),
        ("recipients = 100", "recipients = 1001", "request.recipients: is 1001; it must be from 1 to 1000"),
        ("recipients = 100", 'method = "DELETE"', "request.method: is 'DELETE'; it must be one of GET, POST, PUT"),
        ("recipients = 100", 'method = "GET"', "request.method: is 'GET'; it must be POST or PUT"),
        ("recipients = 100", 'form = { a = "b" }', "request.body: or form must be given, and not both"),
        ("recipients = 100", 'query = "a=b"', "request.query: is 'a=b'; it must be a table"),
        ("recipients = 100", "query = { a = 1 }", "request.query.a: is 1; it must be text"),
        ('url = "https://api.heron.example/v2/messages"', "", "request.url: is missing"),
        ("https://api.heron.example/v2/messages", "api.heron.example", "request.url: is 'api.heron.example'; it must"),
        ("{{ texts | json }}", "{{ text | json }}", "request.body: is no usable template: text is not known here"),
        ("{{ texts | json }}", "{{ texts | jsn }}", "request.body: is no usable template: line 1: No filter named"),
        ("{{ texts | json }}", "{{ texts }}", "request.body: is no JSON for every text"),
        ("{{ texts | json }}", "{% for one in texts %}", "request.body: is no usable template: line 1: "),
        ("{{ texts | json }}", "{{ texts[9] | json }}", "request: cannot be made: a template cannot be filled in"),
        ("{{ validity_s or 86400 }}", "{{ validity_s // 60 }}", "request: cannot be made: "),
        ("{{ texts | json }}", "${HERON_KEY}", "request.body: is a template, which cannot hold ${NAME}"),
        (
            '"{{ app }}"',
            '"{{ apps }}"',
            "request.headers.X-App: is '{{ apps }}'; it is no usable template: apps is not",
        ),
        ('"{{ signature }}"', '"none"', "request.authentication.kind: is 'hmac-sha256'; it makes a signature that no"),
        (
            'kind = "hmac-sha256"\nkey',
            'kind = "md5"\nkey',
            "request.authentication.key: is '${HERON_KEY}'; it plays no",
        ),
        (
            'over = "{{ now | epoch }}\\n{{ body }}"',
            "",
            "request.authentication.over: is missing; hmac-sha256 needs it",
        ),
        (
            'kind = "hmac-sha256"\nkey',
            'kind = "hmac-md5"\nkey',
            "request.authentication.kind: is 'hmac-md5'; it must be",
        ),
        ('"${HERON_KEY}"\nover = "{{ now', '"clear"\nover = "{{ now', "request.authentication.key: is a secret, so it"),
        ('code = "code"\neach', 'code = "a..b"\neach', "answer.code: is 'a..b'; it must be names between single dots"),
        ('reference = "reference", code', "code", "answer.each.phone: or reference must be given"),
        ('list = "results", ', "", "answer.each.list: is missing"),
        ('code = "code"\neach', 'pattern = "("\ncode = "code"\neach', "answer.pattern: is '('; it must be a regular"),
        ('"refused content"', '"refused"', "codes.answers.412: is 'refused'; it cannot be used: code 412 is refused"),
        ('"refused content"', '"lost"', "codes.answers.412: is 'lost'; it cannot be used: 'lost' is not a valid"),
        ('"interim"', '"interim carrier"', "codes.receipts.queued: is 'interim carrier'; it cannot be used"),
        ('0 = "accepted"', "", "codes.answers: must call at least one code accepted"),
        ('status = "state"\n', "", "receipts.status: is missing"),
        ('id = "id"\nreference = "reference"\nphone', "phone", "receipts.id: or reference must be given"),
        (
            'time_format = "epoch"\n\n',
            'pull = { url = "https://x" }\n\n',
            "pull_every_s: must be there if, and only if",
        ),
        ("rate = 50 ", "pull_every_s = 30\nrate = 50 ", "pull_every_s: is 30; it must be there if, and only if"),
        ("rate = 50 ", "pull_every_s = 0\nrate = 50 ", "pull_every_s: is 0; it must be from 1 to 86400"),
        ('secret = "${HERON_PATH}"', 'secret = "clear-text-secret-path"', "callbacks.secret: is a secret, so it comes"),
        ('"${HERON_PATH}"', '"${HERON_KEY}${HERON_PATH}"', "callbacks.secret: is a secret, so it comes from the env"),
        ('["198.51.100.0/24"]', '["198.51.100.7/24"]', "callbacks.addresses: must be addresses or networks"),
        ('["198.51.100.0/24"]', '"198.51.100.7"', "callbacks.addresses: is '198.51.100.7'; it must be a list"),
        ('["198.51.100.0/24"]', "[7]", "callbacks.addresses: must be text"),
        ('header = "X-Heron-Signature"', "", "callbacks.signature.header: or query must be given"),
        ("{{ timestamp }}", "{{ time }}", "callbacks.signature.over: is"),
        ("tolerance_s = 300", "tolerance_s = 0", "callbacks.signature.tolerance_s: is 0; it must be from 1 to 86400"),
        ("acknowledge = { body", "acknowledge = { status = 404, body", "callbacks.acknowledge.status: is 404; it must"),
        ("rate = 50 ", 'zone = "Mars"\nrate = 50 ', "zone: is 'Mars'; it must be a zone of the IANA database"),
        ("rate = 50 ", 'charset = "gbk"\nrate = 50 ', "charset: is 'gbk'; it must be one of utf-8, gb18030"),
        ('app = "city-42"', 'texts = "x"', "variables.texts: is 'x'; it must be a name of letters"),
        ('app = "city-42"', 'app = "x"\n[accounts.heron.secrets]\nkey = "x"', "secrets.key: is a secret, so it comes"),
        ('app = "city-42"', 'app = "${NOT_THERE}"', "variables.app: the environment variable NOT_THERE is not set"),
        (
            "[accounts.heron.codes.answers]",
            '[accounts.heron.codes]\nfile = "no.csv"\n[accounts.heron.codes.answers]',
            "codes.file:",
        ),
    ],
)
def test_a_mistake_in_a_nested_table_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in HERON
    assert refused(tmp_path, HERON.replace(old, new, 1)).startswith(said)


def test_pushes_need_a_proof_and_a_proof_needs_pushes(tmp_path: Path) -> None:
    head, _, rest = HERON.partition("[accounts.heron.callbacks]")
    assert refused(tmp_path, head).startswith(
        "callbacks: must be there if, and only if, receipts or replies are pushed"
    )
    nothing = head.partition("[accounts.heron.receipts]")[0] + "[accounts.heron.callbacks]" + rest
    assert refused(tmp_path, nothing).startswith("callbacks: must be there if, and only if")
    assert refused(tmp_path, head + "[accounts.heron.callbacks]\n").startswith(
        "callbacks.secret: addresses or signature"
    )


def test_receipts_need_something_that_finds_their_text(tmp_path: Path) -> None:
    text = HERON.replace('\nreference = "reference"', "").replace('code = "code", id = "id" }', 'code = "code" }')
    assert refused(tmp_path, text).startswith("answer.each.id: is missing; receipts are found by it")
    many = MANY.replace("PHONE", "")
    assert refused(tmp_path, many).startswith("receipts.phone: is missing; the answer's id names a whole group")
    path = tmp_path / "gateways.toml"
    path.write_text(MANY.replace("PHONE", ', phone = "p"') + ROUTES.format("many"), encoding="utf-8")
    can = Gateways.from_file(path, "https://sms.example", ENVIRON).adapter("many").capabilities
    assert (can.names_groups, can.largest_group) == (True, 5)
    unheard = HERON.replace("{{ texts | json }}", "{{ phones | json }}")
    assert refused(tmp_path, unheard).startswith("receipts.reference: is 'reference'; it is echoed only if the request")


def test_a_short_path_is_no_secret(tmp_path: Path) -> None:
    environ = {**ENVIRON, "HERON_PATH": "short"}
    path = tmp_path / "gateways.toml"
    path.write_text(HERON + ROUTES.format("heron"), encoding="utf-8")
    with pytest.raises(BadGatewayConfig, match="16 to 200") as caught:
        load_gateway_config(path, environ)
    assert "is 'short'" not in str(caught.value)


def test_codes_come_from_a_file_beside_gateways_toml_and_the_table_over_it(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text(
        "use,code,result,error,meaning,source\nanswer,412,refused,blocked,nothing,page 7\nanswer,7,unknown,,,page 8\n"
    )
    text = HERON.replace(
        "[accounts.heron.codes.answers]", '[accounts.heron.codes]\nfile = "codes.csv"\n[accounts.heron.codes.answers]'
    )
    path = tmp_path / "gateways.toml"
    path.write_text(text + ROUTES.format("heron"), encoding="utf-8")
    assert load_gateway_config(path, ENVIRON).accounts["heron"].options.codes.file == tmp_path / "codes.csv"
    (tmp_path / "codes.csv").write_text("use,code,result,error,meaning,source\nanswer,1,accepted,blocked,x,y\n")
    assert "codes.csv, line 2: code 1 is accepted" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sign = "aB3dE5fGh"', "", "sign: is missing"),
        ('"http://112.35.1.155:1992"', '"112.35.1.155"', "url: is '112.35.1.155'; it must be an absolute http"),
        ('"${MAS_SECRET_KEY}"', '"clear"', "secret_key: is a secret, so it comes from the environment"),
        ('"${MAS_CALLBACK}"', '"clear-text-secret-path"', "callback_secret: is a secret, so it comes"),
        ('["112.35.0.0/16"]', '["112.35.0.0/33"]', "callback_addresses: must be addresses or networks"),
        ("rate = 50", "pull_every_s = 0.5\nrate = 50", "pull_every_s: is 0.5; it must be from 1 to 86400"),
        ("rate = 50", 'codes.answers.X = "gone"\nrate = 50', "codes.answers.X: is 'gone'; it cannot be used"),
        ("rate = 50", "recipients = 1\nrate = 50", "recipients: is not known here"),
    ],
)
def test_a_mistake_in_a_mas_account_is_named_by_its_own_keys(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in MAS
    assert refused(tmp_path, MAS.replace(old, new, 1)).startswith(said)
