"""The conformance kit on the generic HTTP adapter, as docs/gateways-http.md configures it for an invented provider."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from http_callbacks import CALLBACKS, ENVIRON, heron_callback, options
from http_providers import StandIn

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.conformance import Answer, Conformance, Provider, Report, Taken, pushed
from sms_service.gateways.conformance.handing_over import REFUSALS
from sms_service.gateways.http.adapter import create

CODES = {
    ErrorClass.credentials: "401",
    ErrorClass.balance: "402",
    ErrorClass.bad_number: "410",
    ErrorClass.blacklisted: "411",
    ErrorClass.content: "412",
}
RAW = {
    Answer.throttle: {"status": 429, "body": "slow down", "headers": {"Retry-After": "3"}},
    Answer.server_error: {"status": 503, "body": "", "take": True},
    Answer.garbage: {"status": 200, "body": "<html>", "take": True},
}
STATES = {
    ReceiptStatus.delivered: {"state": "delivered"},
    ReceiptStatus.undelivered: {"state": "failed", "why": "off"},
    ReceiptStatus.interim: {"state": "queued"},
    ReceiptStatus.unclassified: {"state": "K4712"},
}


class Heron(Provider):
    """Drives the stand-in."""

    secrets = tuple(ENVIRON[name] for name in ("HERON_KEY", "HERON_PATH"))
    cannot = MappingProxyType(
        {f"refused[{error}]": "it has no code for that" for error in REFUSALS if error not in CODES}
        | {"some_parts_taken": "it takes whole texts"}
    )

    def __init__(self, stand_in: StandIn, folder: Path) -> None:
        self._stand_in, self._folder = stand_in, folder

    def adapter(self, total_timeout_s: float | None = None) -> Adapter:
        changes = {} if total_timeout_s is None else {"total_timeout_s": total_timeout_s}
        return create(
            "heron", options("heron", self._stand_in, self._folder, **changes), f"{CALLBACKS}/callbacks/heron"
        )

    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        if answer in (Answer.refuse, Answer.whole_group):
            assert error is not None
            self._stand_in.answer(phone, answer, code=CODES[error])
        elif answer is Answer.unknown_code:
            self._stand_in.answer(phone, "refuse", code=self.unknown_code)
        elif answer in RAW:
            self._stand_in.answer(phone, "raw", **RAW[answer])
        else:
            self._stand_in.answer(phone, answer)

    def taken(self) -> Sequence[Taken]:
        return [Taken(one["phone"], one["text"], one["id"]) for one in self._stand_in.taken()]

    def stop(self) -> None:
        self._stand_in.stop()

    def start(self) -> None:
        self._stand_in.start()

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        records = [self._record(report) for report in reports]
        return pushed(adapter, heron_callback("reports", records)).receipts

    def spellings(self, phone: str) -> Sequence[str]:
        grouped = f"{phone[3:6]}-{phone[6:10]}-{phone[10:]}"
        return [phone[1:], phone, phone[3:], f"00{phone[1:]}", grouped, f"+86 {phone[3:]}", f"tel:{phone}"]

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        record = {"id": "r1", "from": sender, "to": "10690000", "text": text, "at": 1_790_000_000}
        return pushed(adapter, heron_callback("replies", [record | ({"opt_out": True} if stop else {})])).replies

    def forged(self) -> Sequence[CallbackRequest]:
        good = [{"id": "h-1", "reference": "202601-1", "phone": "+8613800138000", "state": "delivered"}]
        return [
            heron_callback("reports", good, key="another key"),
            heron_callback("reports", good, secret="another-secret-path"),
            heron_callback("reports", good, path="receipts"),
            heron_callback("reports", good, path=""),
            heron_callback("reports", good, address="203.0.113.9"),
            heron_callback("reports", good, address="no address"),
        ]

    def replayed(self) -> Sequence[CallbackRequest]:
        week_ago = (datetime.now(UTC) - timedelta(days=7)).timestamp()
        return [heron_callback(kind, [], at=week_ago) for kind in ("reports", "replies")]

    def malformed(self) -> Sequence[CallbackRequest]:
        return [
            heron_callback("reports", [], body=body)
            for body in (b"", b"{", b"[1]", b'{"reports": 7}', b'{"reports": [{"id": "h-1"}]}')
        ] + [heron_callback("replies", [{"text": "R"}]), heron_callback("replies", {"from": [], "text": "R"})]

    def _record(self, report: Report) -> dict[str, object]:
        requests = self._stand_in.requests()
        texts = [text for request in requests for text in request["document"]["messages"]]
        [reference] = [text["reference"] for text in texts if text["phone"] == report.taken.phone]
        record = {"id": report.taken.provider_id, "reference": reference, "phone": report.taken.phone[1:]}
        record |= {"at": int(report.at.timestamp()), **STATES[report.status]}
        return record | ({"part": report.part} if report.part else {})


class TestHeron(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Iterator[Provider]:
        with StandIn("heron") as stand_in, tempfile.TemporaryDirectory() as folder:
            yield Heron(stand_in, Path(folder))
