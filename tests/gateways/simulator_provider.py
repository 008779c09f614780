"""The driver that the conformance kit plays the simulator with, over HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from receipt_sink import ReceiptSink
from simulator_process import SECRET, SimulatorProcess

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.conformance import Answer, Provider, Report, Taken, pushed
from sms_service.gateways.simulator.adapter import Options, SimulatorAdapter, create
from sms_service.gateways.simulator.signature import signature_headers

CODES = {
    ErrorClass.bad_number: "invalid_number",
    ErrorClass.credentials: "unauthorized",
    ErrorClass.balance: "no_balance",
    ErrorClass.request: "malformed",
    ErrorClass.later: "unavailable",
}
ANSWERS = {
    Answer.unknown_code: "refuse",
    Answer.whole_group: "refuse_group",
    Answer.not_listed: "omit",
    Answer.part_refused: "partial",
    Answer.server_error: "error",
    Answer.garbage: "garble",
}
RECEIPTS = {
    ReceiptStatus.delivered: "DELIVRD",
    ReceiptStatus.undelivered: "UNDELIV",
    ReceiptStatus.interim: "ENROUTE",
    ReceiptStatus.unclassified: Provider.unknown_receipt_code,
}


class SimulatorProvider(Provider):
    """`with SimulatorProvider(tmp_path, batch=20) as provider: …`; `batch` is the adapter's option."""

    secrets = (SECRET,)

    def __init__(self, folder: Path, *, batch: int, templates: bool = False) -> None:
        self._folder, self._batch, self._templates = folder, batch, templates
        self.template_id = "T-1" if templates else None
        self._rules: list[dict[str, Any]] = []
        self.cannot = {"refused[carrier]": "the simulator has no such code"}
        if batch == 1:
            self.cannot["whole_group_refused"] = "each text has a POST of its own"

    def __enter__(self) -> SimulatorProvider:
        self._sink = ReceiptSink().__enter__()
        # Its own receipts would come when they please; the kit has them made when it wants them.
        self._process = SimulatorProcess(self._folder / "ledger.jsonl", "--silent-share", "1")
        self._behave()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._sink.__exit__()

    def adapter(self, total_timeout_s: float | None = None) -> SimulatorAdapter:
        given = {} if total_timeout_s is None else {"total_timeout_s": total_timeout_s}
        options = Options(url=self._process.url, secret=SECRET, batch=self._batch, templates=self._templates, **given)
        return create("simulator", options, self._sink.url)

    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        code = (
            self.unknown_code if answer is Answer.unknown_code else CODES.get(error, str(error)) if error else "blocked"
        )
        rule = {"match": re.escape(phone), "answer": ANSWERS.get(answer, str(answer)), "code": code, "receipt": "none"}
        self._rules.append(rule)
        self._behave()

    def _behave(self) -> None:
        self._process.behave(by_phone=self._rules, templates={"T-1": "{1}"} if self._templates else {})

    def taken(self) -> Sequence[Taken]:
        whole = (line for line in self._process.ledger() if line["outcome"] == "accepted")
        return [Taken(line["to"], line["text"], line["id"]) for line in whole]

    def stop(self) -> None:
        self._process.stop()

    def start(self) -> None:
        if self._process.process.poll() is not None:
            self._process.restart()
            self._behave()

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        items = [self._item(report) for report in reports]
        return [receipt for item in items for receipt in pushed(adapter, _signed({"receipts": [item]})).receipts]

    def spellings(self, phone: str) -> Sequence[str]:
        grouped = f"{phone[3:6]}-{phone[6:10]}-{phone[10:]}"
        return [phone, phone[1:], phone[3:], f"00{phone[1:]}", grouped, f"(86) {phone[3:]}", f"tel:{phone}"]

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        self._process.reply(sender, text, stop=stop, callback_url=self._sink.url)
        came = self._sink.next()
        return pushed(adapter, replace(came.as_request(self._sink.base), path="replies")).replies

    def forged(self) -> Sequence[CallbackRequest]:
        genuine = _signed({"receipts": [_ITEM]})
        return [
            _signed({"receipts": [_ITEM]}, secret="another"),
            replace(genuine, headers={}),
            replace(genuine, body=genuine.body.replace(b"DELIVRD", b"UNDELIV")),
        ]

    def replayed(self) -> Sequence[CallbackRequest]:
        return [_signed({"receipts": [_ITEM]}, sent_at=time.time() - 7 * 86_400)]

    def malformed(self) -> Sequence[CallbackRequest]:
        return [
            *(_signed(document) for document in (None, [], {}, {"receipts": {}}, {"receipts": [[]]})),
            *(_signed({"receipts": [{**_ITEM, key: None}]}) for key in _ITEM),
            *(_signed({"replies": [{**_REPLY, key: None}]}, "replies") for key in _REPLY),
        ]

    def _item(self, report: Report) -> dict[str, Any]:
        [line] = [line for line in self._process.ledger() if line["id"] == report.taken.provider_id]
        item = {key: line[key] for key in ("id", "reference", "to")}
        item |= {"code": RECEIPTS[report.status], "time": report.at.timestamp()}
        return item | ({"part": report.part} if report.part else {})


_ITEM = {"id": "SIM1", "reference": "202601-1", "to": "+8613800138000", "code": "DELIVRD", "time": 1}
_REPLY = {"from": "+8613800138000", "to": "10690000", "text": "收到", "time": 1}


def _signed(
    document: Any, path: str = "receipts", *, secret: str = SECRET, sent_at: float | None = None
) -> CallbackRequest:
    body = json.dumps(document).encode()
    headers = signature_headers(secret, body, time.time() if sent_at is None else sent_at)
    url = f"https://sms.example.gov.cn/callbacks/simulator/{path}"
    return CallbackRequest("POST", url, headers, {}, body, "203.0.113.7", path)
