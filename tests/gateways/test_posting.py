"""POSTs to addresses that people type in: once, bounded, and never into our own network. Against real sockets."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator

import pytest

from sms_service.gateways.http_client import HttpAnswer, NoAnswer, NotWritten
from sms_service.gateways.posting import FORBIDDEN, JsonPoster, check_address, is_public
from tests.hostile_receiver import HostileReceiver


@pytest.fixture
def receiver() -> Iterator[HostileReceiver]:
    with HostileReceiver() as running:
        yield running


def poster(receiver: HostileReceiver, total_timeout_s: float = 10.0) -> JsonPoster:
    return JsonPoster([receiver.host], total_timeout_s=total_timeout_s)


def test_a_body_arrives_once_with_its_headers(receiver: HostileReceiver) -> None:
    client = poster(receiver)
    answer = client.post_json(receiver.address("/hook?key=k"), b'{"a":1}', {"X-A": "b"})
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b'{"errcode":0,"errmsg":"ok"}'
    [taken] = receiver.taken
    assert (taken.target, taken.body, taken.headers["x-a"]) == ("/hook?key=k", b'{"a":1}', "b")
    assert taken.headers["content-type"] == "application/json; charset=utf-8"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: HostileReceiver) -> None:
    receiver.manner = "redirect"
    answer = poster(receiver).post_json(receiver.address(), b"{}")
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 302
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("manner", ["hang", "drip", "cut", "deaf", "garbage", "huge"])
def test_what_may_have_arrived_is_no_answer_and_is_not_tried_again(receiver: HostileReceiver, manner: str) -> None:
    receiver.manner = manner
    assert isinstance(poster(receiver, total_timeout_s=1.0).post_json(receiver.address(), b"{}"), NoAnswer)
    assert receiver.connections == 1


def test_a_packed_answer_is_not_unpacked(receiver: HostileReceiver) -> None:
    receiver.manner = "packed"
    answer = poster(receiver).post_json(receiver.address(), b"{}")
    assert isinstance(answer, HttpAnswer)
    assert len(answer.body) < 64 * 1024


def test_a_receiver_that_hangs_does_not_hold_up_another(receiver: HostileReceiver) -> None:
    receiver.manner = "hang"
    with HostileReceiver() as other:
        client = JsonPoster([receiver.host, other.host])
        stuck = threading.Thread(target=client.post_json, args=(receiver.address(), b"{}"), daemon=True)
        stuck.start()
        receiver.wait_for(1)
        assert isinstance(client.post_json(other.address(), b"{}"), HttpAnswer)
        assert stuck.is_alive()


@pytest.mark.parametrize(
    "address",
    [
        "http://robots.example.cn/hook", "ftp://example.cn/", "https:///hook", "robots.example.cn/hook", "https://",
        "https://user:word@example.cn/", "https://example.cn/#key", "https://example.cn:0/", "https://example.cn:x/",
        "https://exa mple.cn/", "https://ex\nample.cn/", "https://机器人.cn/", "https://-.cn/", "https://a..cn/",
        "https://example.cn\\@127.0.0.1/", "https://" + "a" * 2000, "https://[::1/", "javascript:alert(1)",
        "https://127.0.0.1/", "https://2130706433/", "https://127.1/", "https://0177.0.0.1/", "https://10.0.0.7/",
        "https://192.168.1.1/", "https://172.16.0.1/", "https://169.254.169.254/", "https://100.64.0.1/",
        "https://0.0.0.0/", "https://224.0.0.1/", "https://255.255.255.255/", "https://[::1]/", "https://[::]/",
        "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/", "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2001:0:1::1]/", "https://[ff02::1]/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_the_internet_is_refused_as_it_is_typed_and_as_it_is_posted(address: str) -> None:
    assert check_address(address) is not None
    assert JsonPoster().post_json(address, b"{}") == NotWritten(FORBIDDEN)


@pytest.mark.parametrize(
    "address",
    ["https://oapi.dingtalk.com/robot/send?access_token=x", "https://8.8.8.8/a", "https://[2400:3200::1]:8443/a"],
)
def test_addresses_of_the_internet_are_taken(address: str) -> None:
    assert check_address(address) is None


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], ["fd00::7"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"],
        ["64:ff9b::a00:1"], ["8.8.8.8", "127.0.0.1"],
    ],
)  # fmt: skip
def test_a_name_that_leads_into_our_network_is_not_connected_to(receiver: HostileReceiver, found: list[str]) -> None:
    client = JsonPoster(resolve=lambda host, port: found)
    assert client.post_json(f"https://robots.example.cn:{receiver.port}/", b"{}") == NotWritten(FORBIDDEN)
    assert receiver.connections == 0


def test_numbers_that_the_system_takes_for_an_address_are_refused(receiver: HostileReceiver) -> None:
    """By the system's own look-up: 0x7f000001 is 127.0.0.1 to it."""
    for host in ("0x7f000001", "0x7f.1", "localhost"):
        result = JsonPoster().post_json(f"https://{host}:{receiver.port}/", b"{}")
        assert isinstance(result, NotWritten), host
    assert receiver.connections == 0


def test_the_connection_goes_to_the_address_that_was_checked(receiver: HostileReceiver) -> None:
    """The name is looked up once: what it means a moment later does not matter."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Collection[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client = JsonPoster([f"bridge.intranet:{receiver.port}"], resolve=resolve)
    assert isinstance(client.post_json(f"http://bridge.intranet:{receiver.port}/a", b"{}"), HttpAnswer)
    assert asked == ["bridge.intranet"]
    assert receiver.taken[0].headers["host"] == f"bridge.intranet:{receiver.port}"
    other = client.post_json(f"http://bridge.intranet:{receiver.port + 1}/a", b"{}")
    assert other == NotWritten(FORBIDDEN), "only the port that is named"


def test_a_name_server_that_hangs_costs_no_more_than_the_time_to_connect(receiver: HostileReceiver) -> None:
    ended = threading.Event()

    def resolve(host: str, port: int) -> Collection[str]:
        ended.wait(30)
        return ["127.0.0.1"]

    client = JsonPoster([receiver.host], total_timeout_s=2.0, resolve=resolve)
    assert isinstance(client.post_json("https://robots.example.cn/", b"{}"), NotWritten)
    assert isinstance(client.post_json(receiver.address(), b"{}"), HttpAnswer)
    ended.set()
    client.close()


def test_nobody_listening_is_surely_not_written() -> None:
    with HostileReceiver() as receiver:
        address, host = receiver.address(), receiver.host
    assert isinstance(JsonPoster([host]).post_json(address, b"{}"), NotWritten)


def test_public_addresses() -> None:
    assert is_public("114.114.114.114")
    assert is_public("2400:3200::1")
    assert not is_public("robots.example.cn")
