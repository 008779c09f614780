"""What became of a request: answered, surely not written, or untold. Against real sockets."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from sms_service.gateways.http_client import (
    LARGEST_ANSWER,
    HttpAnswer,
    HttpClient,
    HttpRequest,
    NoAnswer,
    NotWritten,
    Result,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """A server that hands each connection to `answer`: its URL, and a list that grows by one number per connection."""
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):  # a caller that goes away is not the server's failure
                answer(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(len(connections))
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", connections
        listener.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := connection.recv(65536)):
            return b""
        received += chunk
    return received


def read_request(connection: socket.socket) -> bytes:
    if not (received := read_head(connection)):
        return b""
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


def echo(connection: socket.socket) -> None:
    while body := read_request(connection):
        connection.sendall(b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def client(url: str, **options: float) -> HttpClient:
    return HttpClient(url, headers={}, **{"in_flight": 4, "total_timeout_s": 10.0, **options})  # type: ignore[arg-type]


def test_answers_come_in_the_order_of_the_bodies_over_connections_that_stay_open() -> None:
    with server(echo) as (url, connections):
        http = client(url)
        for _ in range(3):
            results = http.post_all([b"body %d" % n for n in range(50)])
            assert all(isinstance(result, HttpAnswer) for result in results)
            assert [result.body for result in results if isinstance(result, HttpAnswer)] == [
                b"body %d" % n for n in range(50)
            ]
        assert len(connections) <= 4
        http.close()


def test_a_get_carries_its_query_and_is_answered_in_its_place() -> None:
    def tell_target(connection: socket.socket) -> None:
        while head := read_head(connection):
            target = head.split(b" ")[1]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    with server(tell_target) as (url, _):
        http = client(url)
        results = http.get_all([{"reference": f"202601-{n}", "to": "+86"} for n in range(20)])
        assert [result.body for result in results if isinstance(result, HttpAnswer)] == [
            b"/?reference=202601-%d&to=%%2B86" % n for n in range(20)
        ]
        http.close()


def test_every_request_has_its_own_method_url_headers_query_and_body() -> None:
    def tell(connection: socket.socket) -> None:
        while head := read_head(connection):
            line, *headers = head.decode().split("\r\n")
            told = f"{line}|{next(one for one in headers if one.startswith('X-Name:'))}".encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))

    with server(tell) as (url, _):
        http = client("")
        results = http.send_all(
            [
                HttpRequest("GET", f"{url}a?x=1", {"X-Name": "first"}, {"text": "你好 &"}),
                HttpRequest("DELETE", f"{url}b", {"X-Name": "second"}),
            ]
        )
        http.close()
    assert [result.body for result in results if isinstance(result, HttpAnswer)] == [
        b"GET /a?x=1&text=%E4%BD%A0%E5%A5%BD+%26 HTTP/1.1|X-Name: first",
        b"DELETE /b HTTP/1.1|X-Name: second",
    ]


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_no_request_is_ever_written_twice(method: str) -> None:
    """Not even one that HTTP calls idempotent: many a provider takes texts by GET."""
    heads: list[bytes] = []

    def break_off(connection: socket.socket) -> None:
        heads.append(read_head(connection))

    with server(break_off) as (url, _):
        http = client(url)
        [result] = http.send_all([HttpRequest(method, url)])
        http.close()
    assert isinstance(result, NoAnswer)
    assert len(heads) == 1


def test_a_job_that_fails_harms_no_other_and_its_text_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    phone = "+8613800138000"
    with server(echo) as (url, _):
        http = client(url, in_flight=1)

        async def send() -> Result:
            return await http.send(HttpRequest("POST", url, body=b"x"))

        async def fail() -> Result:
            raise LookupError(phone)

        first, second = http.run_all([fail, send])
        http.close()
    assert first == NoAnswer("LookupError")
    assert isinstance(second, HttpAnswer)
    assert "unexpected LookupError" in caplog.text
    assert phone not in caplog.text


def test_many_threads_share_one_client() -> None:
    with server(echo) as (url, connections):
        http = client(url)
        failed: list[object] = []

        def work(name: int) -> None:
            bodies = [b"%d-%d" % (name, n) for n in range(40)]
            results = http.post_all(bodies)
            failed.extend(
                r for r, b in zip(results, bodies, strict=True) if not isinstance(r, HttpAnswer) or r.body != b
            )

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(connections) <= 4
        http.close()


def test_nobody_listening_is_not_written() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [result] = client(f"http://127.0.0.1:{port}/").post_all([b"x"])
    assert isinstance(result, NotWritten)
    assert str(port) not in result.reason


def test_a_server_that_never_takes_the_connection_is_not_written() -> None:
    # A listener whose queue is full drops what asks for a connection, as a host behind a silent firewall does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        http = client(f"http://127.0.0.1:{address[1]}/", connect_timeout_s=0.3)
        assert isinstance(http.post_all([b"x"])[0], NotWritten)
        for one in waiting:
            one.close()


def test_a_certificate_that_is_none_is_not_written() -> None:
    with server(echo) as (url, _):
        [result] = client(url.replace("http:", "https:"), total_timeout_s=2).post_all([b"x"])
    assert isinstance(result, NotWritten)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"nonsense\r\n\r\n", b"HTTP/1.1 200"],
    ids=["closed", "cut short", "no HTTP", "half a line"],
)
def test_what_ends_after_writing_without_a_readable_answer_is_untold(answer: bytes) -> None:
    def speak(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with server(speak) as (url, _):
        assert isinstance(client(url).post_all([b"x"])[0], NoAnswer)


def test_an_answer_without_end_is_not_kept() -> None:
    def speak(connection: socket.socket) -> None:
        read_request(connection)
        with suppress(OSError):  # the other side hangs up when it has had enough
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * LARGEST_ANSWER * 20)

    with server(speak) as (url, _):
        assert client(url).post_all([b"x"]) == [NoAnswer("the answer is too large to read")]


def test_an_answer_that_drips_does_not_hold_up_the_group() -> None:
    stop = threading.Event()

    def speak(connection: socket.socket) -> None:
        body = read_request(connection)
        if body == b"slow":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not stop.wait(0.05):
                connection.sendall(b"x")
        else:
            connection.sendall(OK)

    with server(speak) as (url, _):
        results = client(url, total_timeout_s=0.8).post_all([b"slow", b"fast"])
        stop.set()
    assert isinstance(results[0], NoAnswer)
    assert isinstance(results[1], HttpAnswer)


def test_a_process_that_was_stopped_in_between_sends_nothing_more() -> None:
    """The clock jumps, as it does for a process that was stopped or a machine that slept, after the first request."""
    now = [0.0]

    def speak(connection: socket.socket) -> None:
        while read_request(connection):
            now[0] = 1000.0
            connection.sendall(OK)

    with server(speak) as (url, _):
        http = HttpClient(url, headers={}, in_flight=1, total_timeout_s=10, clock=lambda: now[0])
        results = http.post_all([b"1", b"2", b"3"])
        http.close()
    assert isinstance(results[0], HttpAnswer)
    assert [type(result) for result in results[1:]] == [NotWritten, NotWritten]


def test_a_process_that_was_stopped_while_it_connected_writes_nothing() -> None:
    """The last look at the clock comes when the connection stands."""
    looks = iter([0.0, 0.0, 1000.0])  # when it begins, before it connects, before it writes
    received: list[bytes] = []
    with server(lambda connection: received.append(connection.recv(65536))) as (url, connections):
        http = HttpClient(url, headers={}, in_flight=1, total_timeout_s=10, clock=lambda: next(looks))
        [result] = http.post_all([b"1"])
        http.close()
        while not received:  # the end of the connection, which did stand
            pass
    assert isinstance(result, NotWritten)
    assert received == [b""]
    assert len(connections) == 1


def test_redirects_are_answers_and_not_followed() -> None:
    def speak(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with server(speak) as (url, connections):
        [result] = client(url).post_all([b"x"])
        assert isinstance(result, HttpAnswer)
        assert result.status == 307
        assert len(connections) == 1


def test_a_forked_child_opens_connections_of_its_own() -> None:
    with server(echo) as (url, connections):
        http = client(url, in_flight=1)
        assert isinstance(http.post_all([b"parent"])[0], HttpAnswer)
        child = os.fork()
        if child == 0:
            [result] = http.post_all([b"child"])
            del http
            gc.collect()
            os._exit(0 if isinstance(result, HttpAnswer) and result.body == b"child" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        [result] = http.post_all([b"parent again"])
        assert isinstance(result, HttpAnswer)
        assert len(connections) == 2
        http.close()
