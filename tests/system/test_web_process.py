"""The web process: what a killed master leaves behind, and what callers who send half a request can hold."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from sms_service.db.engine import Database
from sms_service.ops import web_worker
from sms_service.ops.supervisor import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20
HELD_APP = "tests.system.held_app:app"


def ask(connection: http.client.HTTPConnection) -> bool:
    """Whether it answers, on a connection that stays open, as providers keep theirs."""
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() != b""
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


@contextmanager
def web(application: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """gunicorn as gunicorn.conf.py has it, with one worker; yields it and its port once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", application]
    master = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stderr=subprocess.DEVNULL)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        give_up = time.monotonic() + PATIENCE_S
        while not ask(connection):
            assert time.monotonic() < give_up, "gunicorn does not answer"
            time.sleep(0.05)
        connection.close()
        yield master, port
    finally:
        master.kill()
        master.wait()


def get(port: int, path: str, *, timeout: float = PATIENCE_S) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def say(port: int, words: bytes) -> socket.socket:
    """A connection on which only this was sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(words)
    return connection


def answered(connection: socket.socket) -> tuple[int, bytes]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


def test_workers_of_a_killed_master_let_go_of_the_port_at_once() -> None:
    with web(HELD_APP) as (master, port):
        workers = psutil.Process(master.pid).children()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        assert ask(connection)
        master.kill()
        master.wait()
        # gunicorn by itself goes on for 30 s with whoever keeps asking.
        give_up = time.monotonic() + PATIENCE_S
        while psutil.wait_procs(workers, timeout=0.1)[1]:
            ask(connection)
            assert time.monotonic() < give_up, "the workers still hold the port"
        assert workers


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\n",
        b"POST /callbacks/a HTTP/1.1\r\nContent-Length: 900\r\n\r\n{",
    ],
    ids=["silence", "half a head", "half a body"],
)
def test_two_hundred_half_requests_hold_up_nobody(
    half: bytes, database: Database, database_url: str, redis_url: str
) -> None:
    variables = {"ENV_FILE": os.devnull, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "SIMULATOR_SECRET": "s"}
    variables |= {"SIMULATOR_URL": "http://127.0.0.1:1"}
    with web("wsgi:app", **variables) as (_, port), ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(say(port, half))
        assert get(port, "/health", timeout=1)[0] == 200
        assert get(port, "/api/v1/campaigns")[0] == 401
        assert get(port, "/callbacks/simulator")[0] == 403


def test_pages_that_take_long_hold_up_no_callback_and_no_health() -> None:
    pages = web_worker.POOLS["pages"]
    with web(HELD_APP) as (_, port), ThreadPoolExecutor(2 * pages) as threads:
        waiting = [threads.submit(get, port, "/page") for _ in range(2 * pages)]
        assert get(port, "/health")[0] == 200
        assert get(port, "/callbacks/release")[0] == 204
        assert [page.result()[0] for page in waiting] == [200] * 2 * pages


def test_what_is_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with web(HELD_APP, GATE=str(gate)) as (master, port), ThreadPoolExecutor(1) as threads:
        answer = threads.submit(get, port, "/gate")
        with gate.open("w") as opened:  # as soon as the application reads it
            master.terminate()
            opened.write("done")
        assert answer.result() == (200, b"done ")
        assert master.wait(PATIENCE_S) == 0


def test_a_request_that_drips_for_too_long_is_closed() -> None:
    with web(HELD_APP, HURRY="1") as (_, port), say(port, b"POST / HTTP/1.1\r\n") as connection:
        connection.settimeout(0.05)
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            try:
                connection.sendall(b"a")
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
        pytest.fail("it is still read")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * web_worker.LARGEST_HEAD + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * web_worker.LARGEST_HEAD + b" HTTP/1.1\r\n\r\n", 431),
        (b"POST /callbacks/a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % web_worker.LARGEST_BODY, 413),
        (b"POST /api/v1/imports HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % web_worker.LARGEST_FILE, 413),
        (b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_the_server_refuses_by_itself_is_a_problem_in_json(request_: bytes, status: int) -> None:
    with web(HELD_APP) as (_, port), say(port, request_) as connection:
        said, body = answered(connection)
        assert said == status
        assert json.loads(body)["status"] == status


def test_only_imports_may_be_large() -> None:
    size = web_worker.LARGEST_BODY + 1
    head = b"POST /api/v1/imports HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    with web(HELD_APP) as (_, port), say(port, head + b"x" * size) as connection:
        status, body = answered(connection)
        assert (status, len(body)) == (200, len(b"/api/v1/imports ") + size)


def test_a_connection_stays_open_after_an_answer_without_a_body() -> None:
    ask_twice = b"GET /callbacks/release HTTP/1.1\r\n\r\n" * 2
    with web(HELD_APP) as (_, port), say(port, ask_twice) as connection:
        received = b""
        while received.count(b"HTTP/1.1 204") < 2:
            more = connection.recv(4096)
            assert more, f"it was closed after {received!r}"
            received += more


@pytest.mark.parametrize(
    ("method", "path", "pool"),
    [
        ("POST", "/callbacks/mas/receipts", "callbacks"),
        ("POST", "/api/v1/tokens", "log-ins"),
        ("GET", "/api/v1/tokens", "pages"),
        ("GET", "/health", "health"),
        ("GET", "/api/v1/runs", "pages"),
    ],
)
def test_every_request_has_its_pool(method: str, path: str, pool: str) -> None:
    assert web_worker.choose_pool(method, path) == pool
