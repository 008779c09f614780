"""A simulator in a process of its own, on a free port, for tests of everything that sends."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECRET = "simulator-secret-of-the-tests"


class SimulatorProcess:
    """`with SimulatorProcess(tmp_path / "ledger.jsonl", "--fail-share", "0.1") as simulator: …`

    `callback_url` gets the receipts of texts that name none. `smpp`: it listens for SMPP too, at `smpp_port`. `restart`
    continues the ledger on the same ports.
    """

    smpp_port: int
    program: tuple[str, ...] = ("-m", "sms_service.simulator")  # for the interpreter

    def __init__(
        self,
        ledger_path: Path,
        *options: str,
        callback_url: str | None = None,
        secret: str = SECRET,
        smpp: bool = False,
    ) -> None:
        self.ledger_path, self.secret = ledger_path, secret
        self._options = list(options) + (["--callback-url", callback_url] if callback_url else [])
        self._log_path = ledger_path.with_name(f"{ledger_path.name}.{secrets.token_hex(4)}.log")
        self._smpp = smpp
        self._start(0, 0)

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def behave(self, **changes: Any) -> dict[str, Any]:
        """Change fields of its behaviour (see simulator.behaviour.Behaviour) while it runs; returns all of them."""
        return json.loads(self._call("PUT", "/behaviour", changes))

    def ledger(self) -> list[dict[str, Any]]:
        """What it was handed, oldest first: the `message` lines of its ledger.

        `acknowledged` is added to each: the codes of the receipts that the other side acknowledged, in that order.
        """
        acknowledged: dict[str, list[str]] = {}
        messages = []
        for event in self.events():
            if event["event"] == "message":
                messages.append(event)
            elif event["event"] == "receipt" and event["acknowledged"]:
                acknowledged.setdefault(event["id"], []).append(event["code"])
        return [
            {
                **message,
                "acknowledged": [
                    code for name in message.get("part_ids", [message["id"]]) for code in acknowledged.get(name, [])
                ],
            }
            for message in messages
        ]

    def events(self) -> list[dict[str, Any]]:
        """Every line of its ledger, read from the file; it may be stopped or dead."""
        lines = self.ledger_path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def post(self, body: bytes, authorization: str | None = None) -> tuple[int, dict[str, Any]]:
        """One raw POST /messages: status and JSON of the answer."""
        try:
            return 201, json.loads(self._call("POST", "/messages", body, authorization))
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def smpp(self, do: str) -> dict[str, Any]:
        """Tell its SMPP side to do something to all sessions (see simulator.smpp.COMMANDS); returns its state."""
        return json.loads(self._call("POST", "/smpp", {"do": do}))

    def smpp_state(self) -> dict[str, Any]:
        """Its SMPP sessions, and what waits for them."""
        return json.loads(self.get("/smpp"))

    def reply(self, phone: str, text: str, **options: Any) -> dict[str, Any]:
        """Make a phone answer (see simulator.replies.Replies.make); returns the reply's line."""
        return json.loads(self._call("POST", "/replies", {"from": phone, "text": text, **options}))

    def parts(self) -> list[dict[str, Any]]:
        """Every submit_sm that it got, oldest first."""
        return [event for event in self.events() if event["event"] == "part"]

    def incomplete(self) -> list[dict[str, Any]]:
        """The parts it took that make no whole text."""
        whole = {part_id for message in self.ledger() for part_id in message.get("part_ids", ())}
        return [part for part in self.parts() if part["id"] and part["id"] not in whole]

    def get(self, target: str) -> bytes:
        """The body of a GET with the right secret."""
        return self._call("GET", target)

    def stop(self) -> int:
        """TERM, and wait for its end; returns the exit status. Harmless when it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=15)

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=15)

    def restart(self) -> None:
        """Start it again, after `stop` or `kill`, on the same ledger and port."""
        self._start(self.port, self.smpp_port if self._smpp else 0)

    def until(self, condition: Callable[[], Any], timeout_s: float = 30) -> None:
        """Wait for what its ledger file will show; AssertionError if it does not in time."""
        give_up = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < give_up, f"it did not happen within {timeout_s} s"
            time.sleep(0.02)

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._log_path.read_text()

    def _start(self, port: int, smpp_port: int) -> None:
        command = [sys.executable, *self.program, "--port", str(port)]
        command += ["--ledger", str(self.ledger_path), *self._options]
        if self._smpp:
            command += ["--smpp-port", str(smpp_port)]
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "SIMULATOR_SECRET": self.secret},
            )
        assert self.process.stdout is not None
        with self.process.stdout:
            line = self.process.stdout.readline()
            if self._smpp:
                self.smpp_port = int(self.process.stdout.readline().rpartition(":")[2] or 0)
        if "listening on " not in line:
            self.process.wait(timeout=15)
            raise AssertionError(f"the simulator did not start: {self.log()}")
        self.url = line.rpartition(" ")[2].strip()

    def _call(self, method: str, target: str, body: Any = None, authorization: str | None = None) -> bytes:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.secret}" if authorization is None else authorization}
        request = urllib.request.Request(self.url + target, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()
