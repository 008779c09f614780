"""gateways.toml: what it can say, and that every mistake is named with file, table and key, never with a secret."""

from __future__ import annotations

import os
import threading
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from sms_service.errors import NotFound
from sms_service.gateways import discovery, null
from sms_service.gateways.config import BadGatewayConfig, ConfiguredMember, load_gateway_config
from sms_service.gateways.registry import Gateways

ROOT = Path(__file__).parents[2]
ENVIRON = {"SIMULATOR_URL": "http://127.0.0.1:8001", "SIMULATOR_SECRET": "hush-hush", "TOKEN": "hush-hush"}
GOOD = """
[accounts.simulator]
adapter = "simulator"
url = "${SIMULATOR_URL}"
secret = "${SIMULATOR_SECRET}"
max_group = 7
rate = 12.5
in_flight = 3
price_per_part = 3.5
receipt_parts = "one"

[accounts.benchmark]
adapter = "null"

[routes]
default = ["simulator", "benchmark"]
bulk = ["benchmark"]
"""


POLICY = """
[accounts.simulator.policy]
templates = "required"
refused_words = ["股票", "彩票"]
longest_text = 300
suffix = "拒收请回复R"
window = ["08:00", "20:00"]
no_links = true
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "gateways.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_accounts_and_routes_are_read_and_variables_expanded(tmp_path: Path) -> None:
    found = load_gateway_config(write(tmp_path, GOOD), ENVIRON)
    assert list(found.accounts) == ["simulator", "benchmark"]
    assert found.routes == {
        "default": (ConfiguredMember("simulator", 1, 1), ConfiguredMember("benchmark", 2, 1)),
        "bulk": (ConfiguredMember("benchmark", 1, 1),),
    }
    account = found.accounts["simulator"]
    assert (account.adapter, account.max_group, account.rate, account.in_flight) == ("simulator", 7, 12.5, 3)
    assert account.receipt_parts == "one"
    assert (found.accounts["benchmark"].rate, found.accounts["benchmark"].in_flight) == (None, 2)
    assert found.accounts["benchmark"].receipt_parts == "all"
    assert (account.options.url, account.options.secret) == ("http://127.0.0.1:8001", "hush-hush")
    assert "hush" not in repr(found)
    assert "hush" not in repr(account.options)


def test_a_content_policy_is_read(tmp_path: Path) -> None:
    gateways = Gateways.from_file(write(tmp_path, GOOD + POLICY), "http://x", ENVIRON)
    policy = gateways.account("simulator").policy
    assert gateways.needs_templates("simulator")
    assert not gateways.needs_templates("benchmark")
    assert policy.as_json() == {
        "refused_words": ["股票", "彩票"],
        "longest_text": 300,
        "suffix": "拒收请回复R",
        "window": ["08:00", "20:00"],
        "no_links": True,
    }
    assert gateways.account("benchmark").policy.as_json() == {}


@pytest.mark.parametrize("name", ["twilio", "mas", "other"])
def test_the_shipped_file_and_its_commented_blocks_can_be_used(tmp_path: Path, name: str) -> None:
    shipped = (ROOT / "gateways.toml").read_text(encoding="utf-8")
    assert list(load_gateway_config(ROOT / "gateways.toml", ENVIRON).accounts) == ["simulator", "simulator-slow"]
    start = shipped.index(f"# [accounts.{name}]")
    commented = shipped[start : shipped.index("\n\n", start)]
    block = "\n".join(line.removeprefix("# ") for line in commented.splitlines())
    environ = ENVIRON | {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_MESSAGING_SERVICE_SID": "MG1"}
    environ |= {"MAS_SECRET_KEY": "hush", "MAS_CALLBACK": "hush-hush-hush-hush", "OTHER_TOKEN": "hush"}
    gateways = Gateways.from_file(write(tmp_path, shipped.replace(commented, block)), "https://sms.example", environ)
    assert gateways.adapter(name).capabilities.sends_receipts == (name != "other")
    assert "hush" not in repr(gateways.account(name).options)
    gateways.close()


TWILIO = '[accounts.t]\nadapter = "twilio"\naccount_sid = "AC1"\nauth_token = "${TOKEN}"\n'
ROUTE = '[routes]\ndefault = ["t"]\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("accounts = 3", ["[accounts.<name>]", "at least one account"]),
        ("[accounts", ["cannot be read"]),
        (GOOD + "[other]\nx = 1", ["other", "is not known here"]),
        ('[accounts.A_B]\nadapter = "null"\n[routes]\ndefault = ["A_B"]', ["[accounts.A_B]", "a-z"]),
        ('[accounts]\nt = "x"', ["[accounts.t]", "must be a table"]),
        (
            '[accounts.t]\nadapter = "carrier"\n',
            ["[accounts.t] adapter", "'carrier'", "http, mas, null, simulator, smpp, twilio"],
        ),
        ("[accounts.t]\n", ["[accounts.t] adapter", "None"]),
        ('[accounts.t]\nadapter = "null"\nmax_group = 0\n', ["[accounts.t] max_group", "1 to 1000"]),
        ('[accounts.t]\nadapter = "null"\nmax_group = true\n', ["[accounts.t] max_group", "True"]),
        ('[accounts.t]\nadapter = "null"\nrate = 0\n', ["[accounts.t] rate", "is 0;", "above 0, at most 100000"]),
        ('[accounts.t]\nadapter = "null"\nrate = 100001\n', ["[accounts.t] rate", "is 100001;"]),
        ('[accounts.t]\nadapter = "null"\nrate = nan\n', ["[accounts.t] rate", "is nan;"]),
        ('[accounts.t]\nadapter = "null"\nrate = true\n', ["[accounts.t] rate", "is True;"]),
        ('[accounts.t]\nadapter = "null"\nrate = "fast"\n', ["[accounts.t] rate", "is 'fast';"]),
        ('[accounts.t]\nadapter = "null"\npolicy = 1\n', ["[accounts.t.policy]", "must be a table"]),
        *(
            (f'[accounts.t]\nadapter = "null"\n[accounts.t.policy]\n{line}\n', [f"[accounts.t.policy] {key}", *said])
            for line, key, said in (
                ("words = []", "words", ["is not known here; known are longest_text, no_links, refused_words"]),
                ('templates = "some"', "templates", ["is 'some'; it must be one of free, required"]),
                ('refused_words = "股票"', "refused_words", ["is '股票'; it must be a list"]),
                ('refused_words = [" 股票"]', "refused_words", ["must be words of 1 to 50 characters"]),
                ("longest_text = 0", "longest_text", ["is 0; it must be from 1 to 1000"]),
                ('suffix = ""', "suffix", ["must have 1 to 50 characters"]),
                ('window = ["08:00"]', "window", ["must be two times of one day"]),
                ('window = ["20:00", "08:00"]', "window", ["the earlier first"]),
                ('window = ["8", "20"]', "window", ["must be two times"]),
                ("no_links = 1", "no_links", ["is 1; it must be true or false"]),
            )
        ),
        ('[accounts.t]\nadapter = "null"\nprice_per_part = -1\n', ["[accounts.t] price_per_part", "is -1;", "fen"]),
        ('[accounts.t]\nadapter = "null"\nprice_per_part = nan\n', ["[accounts.t] price_per_part", "is nan;"]),
        ('[accounts.t]\nadapter = "null"\nprice_per_part = "3"\n', ["[accounts.t] price_per_part", "is '3';"]),
        ('[accounts.t]\nadapter = "null"\nin_flight = 0\n', ["[accounts.t] in_flight", "from 1 to 50"]),
        ('[accounts.t]\nadapter = "null"\nreceipt_parts = 1\n', ["[accounts.t] receipt_parts", "is 1;", '"one"']),
        ('[accounts.t]\nadapter = "null"\nshared = "yes"\n', ["[accounts.t] shared", "is 'yes';", "true or false"]),
        ('[accounts.t]\nadapter = "null"\nin_flight = 51\n', ["[accounts.t] in_flight", "is 51;"]),
        ('[accounts.t]\nadapter = "null"\nspeed = 3\n', ["[accounts.t] speed", "is not known here"]),
        (TWILIO + ROUTE, ["[accounts.t] messaging_service_sid", "from_number"]),
        (TWILIO + 'from_number = "+1"\nmessaging_service_sid = "MG1"\n', ["messaging_service_sid", "not both"]),
        (TWILIO + 'from_number = "+1"\napi_base = "ftp://x"\n', ["[accounts.t] api_base", "'ftp://x'", "http://"]),
        (TWILIO + 'from_number = "+1"\napi_base = "http://[::1"\n', ["[accounts.t] api_base", "http://"]),
        (TWILIO + 'from_number = "+1"\nconnections = "many"\n', ["[accounts.t] connections", "a whole number"]),
        (TWILIO + 'from_number = "+1"\nconnections = 1000\n', ["[accounts.t] connections", "from 1 to 200"]),
        (GOOD.replace("max_group = 7", "look_up_after = 599"), ["[accounts.simulator] look_up_after", "from 600 to"]),
        (GOOD.replace('"null"', '"null"\nlook_up_after = 600'), ["[accounts.benchmark] look_up_after", "not known"]),
        (TWILIO.replace("account_sid", "acount_sid"), ["[accounts.t] acount_sid", "known are account_sid"]),
        (TWILIO.replace('account_sid = "AC1"\n', ""), ["[accounts.t] account_sid", "is missing"]),
        (TWILIO.replace("${TOKEN}", "${NOT_THERE}"), ["[accounts.t] auth_token", "NOT_THERE is not set"]),
        (TWILIO.replace("${TOKEN}", "hush-hush"), ["[accounts.t] auth_token", "${NAME}"]),
        (GOOD.replace("[routes]\ndefault", "[routes]\nother"), ["[routes] default", "is missing"]),
        (GOOD.replace('"benchmark"]', '"nobody"]'), ["[routes] default", "'nobody'", "benchmark, simulator"]),
        (GOOD.replace('bulk = ["benchmark"]', "bulk = []"), ["[routes] bulk", "must be a list"]),
        (GOOD.replace('bulk = ["benchmark"]', "bulk = [1]"), ["[routes] bulk", "1 is no account"]),
        (GOOD + 'twice = ["simulator", "simulator"]', ["[routes] twice", "names an account twice"]),
        (GOOD + "t = [{priority = 1}]", ["[routes] t", "None is no account"]),
        (GOOD + 't = [{account = "nobody", priority = 1}]', ["[routes] t", "'nobody' is no account"]),
        (GOOD + 't = [{account = "benchmark"}]', ["[routes] t benchmark priority", "is None;", "from 1 to 100"]),
        (GOOD + 't = [{account = "benchmark", priority = 101}]', ["benchmark priority", "is 101;"]),
        (GOOD + 't = [{account = "benchmark", priority = 1, weight = 0}]', ["benchmark weight", "from 1 to 100"]),
        (GOOD + 't = [{account = "benchmark", priority = 1, weight = 1.5}]', ["benchmark weight", "is 1.5;"]),
        (GOOD + 't = [{account = "benchmark", priority = 1, wait = 3}]', ["[routes] t wait", "is not known here"]),
        (GOOD + 't = ["simulator", {account = "benchmark", priority = 1}]', ["[routes] t", "all names or all tables"]),
        (
            GOOD + 't = [{account = "benchmark", priority = 1}, {account = "benchmark", priority = 2}]',
            ["[routes] t", "names an account twice"],
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_no_secret(tmp_path: Path, text: str, named: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadGatewayConfig) as caught:
        load_gateway_config(path, ENVIRON)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for part in named:
        assert part in message
    assert "hush" not in message
    assert "\n" not in message.removeprefix(f"{path}: ") or "cannot be read" in message


def test_a_misspelt_key_does_not_show_what_may_be_a_secret(tmp_path: Path) -> None:
    text = TWILIO.replace('auth_token = "${TOKEN}"', 'auth_tokn = "hush-hush"')
    with pytest.raises(BadGatewayConfig, match=r"auth_tokn: is not known here") as caught:
        load_gateway_config(write(tmp_path, text), ENVIRON)
    assert "hush" not in str(caught.value)


def test_what_a_variable_held_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(BadGatewayConfig, match=r"\$\{SIMULATOR_URL\}") as caught:
        load_gateway_config(write(tmp_path, GOOD), ENVIRON | {"SIMULATOR_URL": "user:hush@host"})
    assert "hush" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadGatewayConfig, match="there is no such file"):
        load_gateway_config(tmp_path / "gateways.toml", ENVIRON)


def test_the_registry_builds_each_adapter_once_even_for_many_threads(tmp_path: Path) -> None:
    gateways = Gateways.from_file(write(tmp_path, GOOD), "https://sms.example", ENVIRON)
    found = []
    threads = [threading.Thread(target=lambda: found.append(gateways.adapter("simulator"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1
    assert gateways.group_size("simulator") == 7
    assert [member.account for member in gateways.route()] == ["simulator", "benchmark"]
    gateways.close()


def test_a_route_of_tables_says_priority_and_weight(tmp_path: Path) -> None:
    tables = """shared = [
    {account = "simulator", priority = 2, weight = 3},
    {account = "benchmark", priority = 1},
]"""
    found = load_gateway_config(write(tmp_path, GOOD + tables), ENVIRON)
    assert found.routes["shared"] == (ConfiguredMember("benchmark", 1, 1), ConfiguredMember("simulator", 2, 3))


def test_the_files_rate_goes_before_the_adapters(tmp_path: Path) -> None:
    accounts = GOOD.replace("[routes]", TWILIO + 'from_number = "+15005550006"\n[routes]')
    gateways = Gateways.from_file(write(tmp_path, accounts), "https://sms.example", ENVIRON)
    assert gateways.rates() == {"simulator": 12.5, "benchmark": 100_000, "t": 100}
    assert (gateways.in_flight("simulator"), gateways.in_flight("t")) == (3, 2)
    assert gateways.prices() == {"simulator": 3.5}
    gateways.close()


def test_a_group_is_never_larger_than_the_adapter_takes(tmp_path: Path) -> None:
    text = TWILIO + 'from_number = "+15005550006"\nmax_group = 1000\n' + ROUTE
    gateways = Gateways.from_file(write(tmp_path, text), "https://sms.example", ENVIRON)
    assert gateways.group_size("t") == gateways.adapter("t").capabilities.largest_group == 500
    gateways.close()


def test_unknown_accounts_and_routes_are_not_found(tmp_path: Path) -> None:
    gateways = Gateways.from_file(write(tmp_path, GOOD), "https://sms.example", ENVIRON)
    for ask in (gateways.account, gateways.adapter, gateways.route, gateways.group_size, gateways.in_flight):
        with pytest.raises(NotFound, match="nobody"):
            ask("nobody")


def test_after_a_fork_the_child_has_adapters_of_its_own(tmp_path: Path) -> None:
    gateways = Gateways.from_file(write(tmp_path, GOOD), "https://sms.example", ENVIRON)
    before = gateways.adapter("benchmark")
    child = os.fork()
    if child == 0:
        os._exit(0 if gateways.adapter("benchmark") is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gateways.adapter("benchmark") is before


def test_a_third_partys_adapter_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("carrier", "sms_service.gateways.null", discovery.ENTRY_POINT_GROUP),
            EntryPoint("simulator", "sms_service.gateways.null", discovery.ENTRY_POINT_GROUP),
        ]
    )
    monkeypatch.setattr(discovery, "entry_points", lambda **wanted: points.select(**wanted))
    text = GOOD.replace('adapter = "null"', 'adapter = "carrier"')
    gateways = Gateways.from_file(write(tmp_path, text), "https://sms.example", ENVIRON)
    assert isinstance(gateways.adapter("benchmark"), null.NullAdapter)
    assert not isinstance(gateways.adapter("simulator"), null.NullAdapter), "our own cannot be replaced"
    assert "carrier" in discovery.adapter_names()
