"""The web process: what a killed master leaves behind."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from pathlib import Path

import psutil

from sms_service.ops.supervisor import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20


def ask(connection: http.client.HTTPConnection) -> bool:
    """Whether it answers, on a connection that stays open, as providers keep theirs."""
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() != b""
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


def test_workers_of_a_killed_master_let_go_of_the_port_at_once() -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--threads", "2", "wsgiref.simple_server:demo_app"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    master = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not ask(connection):
            assert time.monotonic() < give_up, "gunicorn does not answer"
        workers = psutil.Process(master.pid).children()
    finally:
        master.kill()
        master.wait()
    # gunicorn by itself goes on for 30 s with whoever keeps asking.
    give_up = time.monotonic() + PATIENCE_S
    while psutil.wait_procs(workers, timeout=0.1)[1]:
        ask(connection)
        assert time.monotonic() < give_up, "the workers still hold the port"
    assert workers
