"""Twilio's adapter in the conformance kit, against the stand-in; callbacks come over HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest
from receipt_sink import ReceiptSink
from twilio_stand_in import AUTH_TOKEN, TwilioStandIn, adapter_of, error, received

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Group, Receipt, ReceiptStatus, Reply, Text
from sms_service.gateways.conformance import Answer, Conformance, Provider, Report, Taken, pushed
from sms_service.gateways.conformance.handing_over import REFUSALS

CODES = {
    ErrorClass.bad_number: (400, 21211),
    ErrorClass.blocked: (400, 21608),
    ErrorClass.blacklisted: (400, 21610),
    ErrorClass.carrier: (400, 21612),
    ErrorClass.credentials: (401, 20003),
    ErrorClass.request: (400, 21617),
}
FAULTS = {
    Answer.accept: {},
    Answer.hang: {"do": "hang", "take": True},
    Answer.reset: {"do": "reset", "take": True},
    Answer.server_error: {"status": 503, "raw": "upstream", "take": True},
    Answer.garbage: {"status": 201, "raw": '{"sid": ', "take": True},
}
STATES = {
    ReceiptStatus.delivered: {"MessageStatus": "delivered"},
    ReceiptStatus.undelivered: {"MessageStatus": "undelivered", "ErrorCode": "30003"},
    ReceiptStatus.interim: {"MessageStatus": "sent"},
    ReceiptStatus.unclassified: {"MessageStatus": "teleported"},
}
PHONE = "+8613000000001"


class Twilio(Provider):
    """`with Twilio() as provider: …`"""

    secrets = (AUTH_TOKEN,)
    unknown_code = "59999"
    unknown_receipt_code = "teleported"
    cannot = MappingProxyType(
        {
            "whole_group_refused": "every text has a request of its own",
            "answer_lists_only_some": "every text has a request of its own",
            "some_parts_taken": "Twilio splits a text itself",
            "receipts_per_part": "Twilio reports whole texts",
            "receipt_of_one_part_only": "Twilio reports whole texts",
            **{f"refused[{one}]": "Twilio has no such code" for one in REFUSALS if one not in CODES},
        }
    )

    def __init__(self) -> None:
        self._twilio, self._sink, self._names = TwilioStandIn(), ReceiptSink(), itertools.count(1)

    def __enter__(self) -> Twilio:
        self._twilio.__enter__()
        self._sink.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._sink.__exit__(*error)
        self._twilio.__exit__(*error)

    def adapter(self, total_timeout_s: float | None = None) -> Adapter:
        options = {} if total_timeout_s is None else {"total_timeout_s": total_timeout_s}
        return adapter_of(self._twilio.url, f"{self._sink.base}/callbacks/twilio", **options)

    def answer(self, phone: str, answer: Answer, error_class: ErrorClass | None = None) -> None:
        if answer in FAULTS:
            self._twilio.answer(phone, **FAULTS[answer])
        elif answer is Answer.throttle:
            body = error(429, 20429, "Too Many Requests")
            self._twilio.answer(phone, status=429, body=body, headers={"Retry-After": "2"})
        else:
            status, code = (400, int(self.unknown_code)) if error_class is None else CODES[error_class]
            self._twilio.answer(phone, status=status, body=error(status, code, f"The number {phone} is not good"))

    def taken(self) -> Sequence[Taken]:
        return [Taken(one["to"], one["body"], one["sid"]) for one in self._twilio.messages()]

    def stop(self) -> None:
        self._twilio.stop()

    def start(self) -> None:
        self._twilio.start()

    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        requests = [self._reported(report.taken.provider_id, **STATES[report.status]) for report in reports]
        return [receipt for request in requests for receipt in pushed(adapter, request).receipts]

    def spellings(self, phone: str) -> Sequence[str]:
        return [phone]  # https://www.twilio.com/docs/glossary/what-e164: everywhere

    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        fields = {"From": sender, "Body": text} | ({"OptOutType": "STOP"} if stop else {})
        return pushed(adapter, self._inbound(**fields)).replies

    def forged(self) -> Sequence[CallbackRequest]:
        genuine = (self._reported(self._a_text(), MessageStatus="delivered"), self._inbound(From=PHONE, Body="收到"))
        changed = [
            change
            for one in genuine
            for change in (
                replace(one, headers={}),
                replace(one, body=one.body + b"&More=1"),
                replace(one, body=one.body.replace(b"%2B86130", b"%2B86131")),
                replace(one, public_url=one.public_url + "/"),
            )
        ]
        by_another = self._reported(self._a_text(), token="another", MessageStatus="delivered")
        return [*changed, by_another, self._inbound(token="another", From=PHONE, Body="收到")]

    def replayed(self) -> Sequence[CallbackRequest]:
        return [self._reported(self._a_text(), MessageStatus="delivered"), self._inbound(From=PHONE, Body="收到")]

    def malformed(self) -> Sequence[CallbackRequest]:
        return [
            self._reported(self._a_text()),
            self._reported(self._a_text(), MessageStatus="delivered", MessageSid=""),
            self._inbound(From=PHONE),
            self._inbound(Body="收到"),
            self._inbound(From=PHONE, Body="收到", MessageStatus="received"),
        ]

    def _reported(self, sid: str, *, token: str = AUTH_TOKEN, **fields: str) -> CallbackRequest:
        self._twilio.report(sid, token=token, **fields)
        return received(self._sink.next(), self._sink.base)

    def _inbound(self, *, token: str = AUTH_TOKEN, **fields: str) -> CallbackRequest:
        own = {"MessageSid": f"SMin{next(self._names)}"}
        self._twilio.inbound(f"{self._sink.base}/callbacks/twilio/replies", token=token, **own | fields)
        return received(self._sink.next(), self._sink.base)

    def _a_text(self) -> str:
        """A text that no scenario knows; its SID."""
        adapter = self.adapter()
        [outcome] = adapter.submit(Group("202601-g", [Text(f"202601-{next(self._names)}", PHONE, "【学习】你好", 1)]))
        adapter.close()
        assert outcome.provider_id is not None
        return outcome.provider_id


class TestTwilio(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Iterator[Twilio]:
        with Twilio() as provider:
            yield provider
