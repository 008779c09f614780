"""The driver that the conformance kit plays the simulator's SMSC with."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import Any

from simulator_process import SimulatorProcess

from sms_service.gateways.base import Adapter, ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.conformance import Answer, Provider, Report, Taken
from sms_service.gateways.smpp.adapter import Options, SmppAdapter, create

PASSWORD = "pw-7Xk9q"
OPTIONS = ("--silent-share", "1", "--garble-as", "protocol")
CODES = {
    ErrorClass.bad_number: "invalid_number",
    ErrorClass.carrier: "blocked",
    ErrorClass.later: "4",  # not bound for sending
    ErrorClass.request: "malformed",
}
ANSWERS = {
    Answer.unknown_code: "refuse",
    Answer.not_listed: "omit",
    Answer.part_refused: "partial",
    Answer.server_error: "error",
    Answer.garbage: "garble",
}
RECEIPTS = {
    ReceiptStatus.delivered: "DELIVRD",
    ReceiptStatus.undelivered: "UNDELIV",
    ReceiptStatus.interim: "ENROUTE",
    ReceiptStatus.unclassified: "ASTRAY:000",
}
_NO_SUCH_CODE = "SMPP 3.4 has no such command_status"
_NO_CALLBACKS = "receipts and replies come over the session"


class Kept:
    """What the `keep` of one link got."""

    def __init__(self) -> None:
        self._receipts: list[Receipt] = []
        self._replies: list[Reply] = []
        self._came = threading.Condition()

    def keep(self, receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
        with self._came:
            self._receipts += receipts
            self._replies += replies
            self._came.notify_all()
        stored: Future[None] = Future()
        stored.set_result(None)
        return stored

    def receipts(self, count: int) -> list[Receipt]:
        """Waits for so many, and takes them out."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._receipts) >= count, 20), "the receipts did not come"
            found, self._receipts = self._receipts, []
            return found

    def reply(self) -> list[Reply]:
        """Waits for all parts of a reply, and takes them out."""
        with self._came:
            assert self._came.wait_for(lambda: self._replies and len(self._replies) >= self._replies[0].parts, 20), (
                "the reply did not come"
            )
            found, self._replies = self._replies, []
            return found


class SmscOnCommandProcess(SimulatorProcess):
    """A simulator that makes receipts when it is told."""

    program = ("-m", "tests.gateways.smsc_on_command")

    def report(self, line: dict[str, Any], code: str, at: float) -> None:
        """Make a receipt of a part's line."""
        self._call("POST", "/report", {"line": line, "code": code, "at": at})


class SmppProvider(Provider):
    """`with SmppProvider(tmp_path) as provider: …`"""

    secrets = (PASSWORD,)
    unknown_code = "0x000004FF"
    unknown_receipt_code = "ASTRAY"
    cannot = MappingProxyType(
        {f"refused[{error}]": _NO_SUCH_CODE for error in ("blocked", "blacklisted", "content", "signature")}
        | {f"refused[{error}]": _NO_SUCH_CODE for error in ("credentials", "balance")}
        | dict.fromkeys(("forged", "replayed", "malformed"), _NO_CALLBACKS)
        | {
            "whole_group_refused": "each part has a submit_sm of its own",
            "reply_stop": "an SMSC does not say that a reply is an opt-out",
        }
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rules: list[dict[str, Any]] = []
        self._kept: dict[int, Kept] = {}

    def __enter__(self) -> SmppProvider:
        ledger = self._folder / "ledger.jsonl"
        self.process = SmscOnCommandProcess(ledger, *OPTIONS, secret=PASSWORD, smpp=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def adapter(self, total_timeout_s: float | None = None) -> SmppAdapter:
        total_s = 20.0 if total_timeout_s is None else total_timeout_s
        options = Options(
            host="127.0.0.1",
            port=self.process.smpp_port,
            system_id="simulator",
            password=PASSWORD,
            source_addr="10690000",
            throughput=10_000,
            total_timeout_s=total_s,
            answer_timeout_s=total_s / 2,
        )
        adapter, kept = create("smpp", options, ""), Kept()
        self._kept[id(adapter)] = kept
        adapter.open(kept.keep)
        assert self.process.process.poll() is not None or adapter.state(20).up, "the session is not up"
        return adapter

    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        code = "no_such_code" if answer is Answer.unknown_code else CODES[error] if error else "blocked"
        rule = {"match": re.escape(phone), "answer": ANSWERS.get(answer, str(answer)), "code": code, "receipt": "none"}
        self._rules.append(rule)
        self.process.behave(by_phone=self._rules)

    def taken(self) -> Sequence[Taken]:
        return [Taken(line["to"], line["text"], line["id"]) for line in self.process.ledger()]

    def stop(self) -> None:
        self.process.stop()

    def start(self) -> None:
        if self.process.process.poll() is not None:
            self.process.restart()
            self.process.behave(by_phone=self._rules)

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        found: list[Receipt] = []
        for report in reports:
            [whole] = [line for line in self.process.ledger() if line["id"] == report.taken.provider_id]
            name = whole["part_ids"][max(report.part, 1) - 1]
            [line] = [line for line in self.process.parts() if line["id"] == name]
            self.process.report(line, RECEIPTS[report.status], report.at.timestamp())
            found += self._kept[id(adapter)].receipts(1)
        return found

    def spellings(self, phone: str) -> Sequence[str]:
        return [phone, phone[1:], phone[3:], f"00{phone[1:]}"]  # an address has digits, and perhaps a +

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        self.process.reply(sender, text, via="smpp")
        return self._kept[id(adapter)].reply()
