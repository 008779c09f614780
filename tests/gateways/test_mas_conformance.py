"""The conformance kit on the adapter of China Mobile's cloud MAS, pushed and pulled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from http_callbacks import CALLBACKS, ENVIRON, mas_callback, options
from http_providers import StandIn

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.conformance import Answer, Conformance, Provider, Report, Taken, pulled, pushed
from sms_service.gateways.conformance.handing_over import REFUSALS
from sms_service.gateways.mas.adapter import create

CITY = ZoneInfo("Asia/Shanghai")
CODES = {
    ErrorClass.credentials: "InvalidUsrOrPwd",
    ErrorClass.signature: "IllegalSignId",
    ErrorClass.request: "InvalidMessage",
    ErrorClass.bad_number: "InvalidMobile",
}
RAW = {
    Answer.throttle: {"status": 429, "body": ""},
    Answer.server_error: {"status": 500, "body": "Internal Server Error", "take": True},
    Answer.garbage: {"status": 200, "body": '{"msgGroup":"1","rspcod":', "take": True},
}
STATES = {
    ReceiptStatus.delivered: {"reportStatus": "CM:0000", "errorCode": "DELIVRD"},
    ReceiptStatus.undelivered: {"reportStatus": "UNDELIV", "errorCode": "DB:0140"},
    ReceiptStatus.interim: {"reportStatus": "ACCEPTD", "errorCode": ""},
    ReceiptStatus.unclassified: {"reportStatus": "K4712"},
}


class Mas(Provider):
    """Drives the stand-in. `pulls`: the account asks for what is new, instead of being pushed to."""

    secrets = tuple(ENVIRON[name] for name in ("MAS_SECRET_KEY", "MAS_CALLBACK"))
    cannot = MappingProxyType(
        {f"refused[{error}]": "it has no code for that" for error in REFUSALS if error not in CODES}
        | {
            "one_bad_number": "it takes all numbers of a request or none",
            "answer_lists_only_some": "its answer lists nothing",
            "some_parts_taken": "it takes whole texts",
            "receipts_per_part": "it reports whole texts",
            "receipt_of_one_part_only": "it reports whole texts",
            "reply_stop": "it says nothing of opt-outs",
        }
    )

    def __init__(self, stand_in: StandIn, folder: Path, *, pulls: bool = False) -> None:
        self._stand_in, self._folder, self._pulls = stand_in, folder, pulls
        if pulls:
            no_push = "this account is pulled from, and believes no callback"
            self.cannot = {**self.cannot, "malformed": no_push, "replayed": no_push}

    def adapter(self, total_timeout_s: float | None = None) -> Adapter:
        changes: dict[str, object] = {} if total_timeout_s is None else {"total_timeout_s": total_timeout_s}
        if self._pulls:
            changes |= {"pull_every_s": 30, "callback_secret": None, "callback_addresses": None}
        return create("mas", options("mas", self._stand_in, self._folder, **changes), f"{CALLBACKS}/callbacks/mas")

    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        phone = phone.removeprefix("+86")
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
        return [Taken(f"+86{one['phone']}", one["text"], one["id"]) for one in self._stand_in.taken()]

    def stop(self) -> None:
        self._stand_in.stop()

    def start(self) -> None:
        self._stand_in.start()

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        records = [self._record(report) for report in reports]
        if self._pulls:
            self._stand_in.offer("receipts", records)
            return pulled(adapter).receipts
        return pushed(adapter, mas_callback("receipts", records if len(records) > 1 else records[0])).receipts

    def spellings(self, phone: str) -> Sequence[str]:
        return [phone[3:], phone[1:], phone, f"00{phone[1:]}"]

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        record = {"mobile": sender, "smsContent": text, "addSerial": "10657109"}
        record |= {"sendTime": "2026-01-31 08:00:00"}
        if self._pulls:
            self._stand_in.offer("replies", [record])
            return pulled(adapter).replies
        return pushed(adapter, mas_callback("replies", record)).replies

    def forged(self) -> Sequence[CallbackRequest]:
        good = {"msgGroup": "1", "mobile": "13800138000", "reportStatus": "CM:0000"}
        forged = [
            mas_callback("receipts", good, secret="another-secret-path"),
            mas_callback("receipts", good, secret=""),
            mas_callback("replies", {"mobile": "13800138000", "smsContent": "T"}, secret="another-secret-path"),
            mas_callback("receipts", good, address="203.0.113.9"),
        ]
        return [*forged, mas_callback("receipts", good)] if self._pulls else forged

    def replayed(self) -> Sequence[CallbackRequest]:
        receipt = {"msgGroup": "1", "mobile": "13800138000", "reportStatus": "CM:0000"}
        reply = {"mobile": "13800138000", "smsContent": "T", "sendTime": "20260101080000"}
        return [mas_callback("receipts", receipt), mas_callback("replies", reply)]

    def malformed(self) -> Sequence[CallbackRequest]:
        return [
            *(mas_callback("receipts", None, body=body) for body in (b"", b"{", b"7", b"\xff\xfe", b'{"mobile": "1"}')),
            mas_callback("receipts", {"msgGroup": "1", "reportStatus": "DELIVRD"}),
            mas_callback("receipts", {"msgGroup": "1" * 1000, "mobile": "13800138000", "reportStatus": "DELIVRD"}),
            mas_callback("replies", {"smsContent": "T"}),
        ]

    @staticmethod
    def _record(report: Report) -> dict[str, object]:
        at = report.at.astimezone(CITY)
        record = {"msgGroup": report.taken.provider_id, "mobile": report.taken.phone.removeprefix("+86")}
        return record | {"receiveDate": at.strftime("%Y%m%d%H%M%S"), "submitDate": "", **STATES[report.status]}


class TestPushed(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Iterator[Provider]:
        with StandIn("mas") as stand_in, tempfile.TemporaryDirectory() as folder:
            yield Mas(stand_in, Path(folder))


class TestPulled(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Iterator[Provider]:
        with StandIn("mas") as stand_in, tempfile.TemporaryDirectory() as folder:
            yield Mas(stand_in, Path(folder), pulls=True)
