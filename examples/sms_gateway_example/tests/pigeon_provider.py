"""The driver that the conformance kit plays Pigeon with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pigeon_gateway.adapter import Options, PigeonAdapter, create
from pigeon_gateway.pushed import signature
from pigeon_stand_in import KEY

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.conformance import Answer, Provider, Report, Taken, pushed
from sms_service.gateways.numbers import national_number

SECRET = "pigeon-secret-of-the-tests"
CALLBACK = "https://sms.example.gov.cn/callbacks/pigeon"


class PigeonProvider(Provider):
    """`with PigeonProvider(tmp_path) as provider: …`"""

    secrets = (KEY, SECRET)
    unknown_code = "999"
    unknown_receipt_code = "ASTRAY"
    cannot = {  # noqa: RUF012
        "refused[carrier]": "Pigeon has no such code",
        "some_parts_taken": "Pigeon takes a text whole or not at all",
    }

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self._answers: dict[str, dict[str, str | None]] = {}
        self._process: subprocess.Popen[str] | None = None
        (folder / "taken.jsonl").touch()
        self._write_answers()

    def __enter__(self) -> PigeonProvider:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def adapter(self, total_timeout_s: float | None = None) -> PigeonAdapter:
        return create("pigeon", self.options(total_timeout_s), CALLBACK)

    def options(self, total_timeout_s: float | None) -> Options:
        """What gateways.toml would say."""
        given = {} if total_timeout_s is None else {"total_timeout_s": total_timeout_s}
        return Options(url=f"http://127.0.0.1:{self._port}", key=KEY, secret=SECRET, **given)

    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        self._answers[national_number(phone)] = {"answer": answer, "error": error}
        self._write_answers()

    def taken(self) -> Sequence[Taken]:
        return [Taken(f"+86{line['to']}", line["text"], line["id"]) for line in self._lines()]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=15)
            self._process = None

    def start(self) -> None:
        if self._process is None:
            stand_in = Path(__file__).with_name("pigeon_stand_in.py")
            command = [sys.executable, str(stand_in), str(self._folder), str(self._port)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            with self._process.stdout:
                self._port = int(self._process.stdout.readline())

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        return [
            receipt
            for report in reports
            for receipt in pushed(adapter, self._signed({"reports": [self._item(report)]})).receipts
        ]

    def spellings(self, phone: str) -> Sequence[str]:
        bare = national_number(phone)
        return [bare, phone, phone[1:], f"0086{bare}", f"{bare[:3]}-{bare[3:7]}-{bare[7:]}", f"tel:+86 {bare}"]

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        message = {"id": f"R{time.time_ns()}", "from": sender, "text": text, "at": time.time(), "stop": stop}
        return pushed(adapter, self._signed({"messages": [message]}, "replies")).replies

    def forged(self) -> Sequence[CallbackRequest]:
        document = {"reports": [{"id": "P1", "ref": "202601-1", "to": "13800138000", "code": "DELIVERED", "at": 1}]}
        genuine = self._signed(document)
        return [
            self._signed(document, secret="somebody else's"),
            replace(genuine, headers={}),
            replace(genuine, body=genuine.body.replace(b"202601-1", b"202601-2")),
            replace(genuine, headers={**genuine.headers, "X-Pigeon-Time": "soon"}),
        ]

    def replayed(self) -> Sequence[CallbackRequest]:
        report = {"id": "P1", "ref": "202601-1", "to": "13800138000", "code": "DELIVERED", "at": 1}
        message = {"id": "R1", "from": "13800138000", "text": "收到", "at": 1}
        week_ago = time.time() - 7 * 86_400
        return [
            self._signed({"reports": [report]}, sent_at=week_ago),
            self._signed({"messages": [message]}, "replies", sent_at=week_ago),
        ]

    def malformed(self) -> Sequence[CallbackRequest]:
        good = {"id": "P1", "ref": "202601-1", "to": "13800138000", "code": "DELIVERED", "at": 1}
        reports = [*({**good, key: None} for key in good), {**good, "to": "soon"}, {**good, "part": -1}, "text"]
        good = {"id": "R1", "from": "13800138000", "text": "收到", "at": 1}
        messages = [*({**good, key: None} for key in good), {**good, "at": 1e99}]
        return [
            *(self._signed(document) for document in ([], {}, {"reports": {}})),
            *(self._signed({"reports": [report]}) for report in reports),
            *(self._signed({"messages": [message]}, "replies") for message in messages),
        ]

    def _item(self, report: Report) -> dict[str, Any]:
        [line] = [line for line in self._lines() if line["id"] == report.taken.provider_id]
        code = {
            ReceiptStatus.delivered: "DELIVERED",
            ReceiptStatus.undelivered: "OFF",
            ReceiptStatus.interim: "QUEUED",
            ReceiptStatus.unclassified: self.unknown_receipt_code,
        }[report.status]
        item = {"id": line["id"], "ref": line["ref"], "to": line["to"], "code": code, "at": report.at.timestamp()}
        return item | ({"part": report.part} if report.part else {})

    def _signed(
        self, document: Any, path: str = "receipts", *, secret: str = SECRET, sent_at: float | None = None
    ) -> CallbackRequest:
        body = json.dumps(document).encode()
        second = str(int(time.time() if sent_at is None else sent_at))
        headers = {"X-Pigeon-Time": second, "X-Pigeon-Signature": signature(secret, second, body)}
        return CallbackRequest("POST", f"{CALLBACK}/{path}", headers, {}, body, "203.0.113.7", path)

    def _lines(self) -> list[dict[str, Any]]:
        *whole, _ = (self._folder / "taken.jsonl").read_bytes().split(b"\n")  # the last may be half written
        return [json.loads(line) for line in whole]

    def _write_answers(self) -> None:
        new = self._folder / "answers.new"
        new.write_text(json.dumps(self._answers), encoding="utf-8")
        new.replace(self._folder / "answers.json")
