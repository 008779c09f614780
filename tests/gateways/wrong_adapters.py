"""Adapters of Pigeon that are wrong, one fault each. `WRONG` names the scenarios that are there to find it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from pigeon_gateway.adapter import PigeonAdapter

from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Finding,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Question,
    Receipt,
    ReceiptStatus,
    Replayed,
    Reply,
)
from sms_service.gateways.numbers import e164

WRONG: dict[type[PigeonAdapter], tuple[str, ...]] = {}
_log = logging.getLogger(__name__)


def found_by(*scenarios: str) -> Callable[[type[PigeonAdapter]], type[PigeonAdapter]]:
    """Registers a wrong adapter."""

    def register(adapter: type[PigeonAdapter]) -> type[PigeonAdapter]:
        WRONG[adapter] = scenarios
        return adapter

    return register


class _Retold(PigeonAdapter):
    """Tells its outcomes otherwise."""

    def submit(self, group: Group) -> list[Outcome]:
        return [self.retold(outcome) for outcome in super().submit(group)]

    def retold(self, outcome: Outcome) -> Outcome:
        raise NotImplementedError


@found_by("accepted", "order_and_references")
class Nameless(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, provider_id=None)


@found_by("accepted")
class MakesUpNames(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, provider_id=outcome.reference)


@found_by("reset", "server_error", "garbage", "time_out_after_write")
class SaysAccepted(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        unknown = outcome.kind is OutcomeKind.unknown
        return replace(outcome, kind=OutcomeKind.accepted, provider_id="P0") if unknown else outcome


@found_by("reset", "server_error", "garbage", "time_out_after_write", "answer_lists_only_some")
class SaysRefused(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        unknown = outcome.kind is OutcomeKind.unknown
        return replace(outcome, kind=OutcomeKind.refused, error=ErrorClass.later) if unknown else outcome


@found_by("unknown_code")
class GuessesCodes(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, error=ErrorClass.blocked) if outcome.error is ErrorClass.unclassified else outcome


@found_by("unknown_code", "refused[blocked]")
class ForgetsCodes(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, raw_code=None)


@found_by(
    *(f"refused[{error}]" for error in ("bad_number", "blacklisted", "content", "signature", "request")),
    *(f"refused[{error}]" for error in ("credentials", "balance", "later")),
)
class OneClassForAll(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, error=outcome.error and ErrorClass.blocked)


@found_by("throttled")
class NeverComesBack(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, kind=OutcomeKind.refused) if outcome.kind is OutcomeKind.throttled else outcome


@found_by("whole_group_refused")
class BlamesEach(_Retold):
    def retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, whole_group=False)


@found_by("one_bad_number")
class BlamesAll(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        refused = next((outcome for outcome in outcomes if outcome.kind is OutcomeKind.refused), None)
        return [replace(refused, reference=outcome.reference) for outcome in outcomes] if refused else outcomes


@found_by("order_and_references")
class Reorders(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        return super().submit(group)[::-1]


@found_by("reset", "server_error", "garbage")
class TriesAgain(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        unknown = any(outcome.kind is OutcomeKind.unknown for outcome in outcomes)
        return super().submit(group) if unknown else outcomes


@found_by("connection_refused")
class DoubtsItself(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        try:
            return super().submit(group)
        except NotTaken:
            return [Outcome(text.reference, OutcomeKind.unknown) for text in group.texts]


@found_by("time_out_after_write")
class WaitsOn(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        if outcomes[0].kind is OutcomeKind.unknown:
            threading.Event().wait(3)  # past the kit's patience, which the test makes short
        return outcomes


@found_by("long_text_arrives_whole")
class CutsPairs(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        def cut(text: str) -> str:
            octets = text.encode("utf-16-be")
            parts = (octets[at : at + 134] for at in range(0, len(octets), 134))
            return "".join(part.decode("utf-16-be", "replace") for part in parts)

        return super().submit(replace(group, texts=[replace(text, body=cut(text.body)) for text in group.texts]))


@found_by("several_groups_at_once")
class SharesItsGroup(PigeonAdapter):
    together: threading.Barrier | None = threading.Barrier(2)

    def submit(self, group: Group) -> list[Outcome]:
        self._group = group
        if self.together is not None:
            self.together.wait(10)
        return super().submit(self._group)


class _Rereads(PigeonAdapter):
    """Reads receipts and replies otherwise; None leaves one out."""

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        return [found for receipt in super().parse_receipts(request) if (found := self.receipt(receipt))]

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        return [self.reply(reply) for reply in super().parse_replies(request)]

    def receipt(self, receipt: Receipt) -> Receipt | None:
        return receipt

    def reply(self, reply: Reply) -> Reply:
        return reply


@found_by("receipt[unclassified]")
class CallsItFinal(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        unclassified = receipt.status is ReceiptStatus.unclassified
        final = replace(receipt, status=ReceiptStatus.undelivered, error=ErrorClass.unclassified)
        return final if unclassified else receipt


@found_by("receipt[interim]", "receipts_reversed")
class CallsItDelivered(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, status=ReceiptStatus.delivered)


@found_by("receipt[undelivered]")
class LosesTheReason(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, error=None)


@found_by("receipt[delivered]")
class NationalPhones(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, phone=(receipt.phone or "").removeprefix("+86"))


@found_by("receipt[delivered]")
class DropsTheEcho(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, reference=None)


@found_by("receipts_early")
class NeedsMemory(_Rereads):
    def submit(self, group: Group) -> list[Outcome]:
        self._known = {text.reference for text in group.texts}
        return super().submit(group)

    def receipt(self, receipt: Receipt) -> Receipt | None:
        return receipt if receipt.reference in getattr(self, "_known", ()) else None


@found_by("receipts_late")
class DropsTheLate(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return receipt if receipt.occurred_at and time.time() - receipt.occurred_at.timestamp() < 86_400 else None


@found_by("receipts_late")
class LosesTheZone(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, occurred_at=receipt.occurred_at and receipt.occurred_at.replace(tzinfo=None))


@found_by("receipts_twice", "receipts_reversed")
class TellsOnce(_Rereads):
    _told: str | None = None

    def receipt(self, receipt: Receipt) -> Receipt | None:
        self._told, told = receipt.provider_id, self._told
        return None if told == receipt.provider_id else receipt


@found_by("receipts_per_part", "receipt_of_one_part_only")
class ForgetsTheParts(_Rereads):
    def receipt(self, receipt: Receipt) -> Receipt | None:
        return replace(receipt, part=0)


@found_by("reply", "reply_stop", "reply_spellings")
class HidesRepliers(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        return replace(reply, phone=f"{reply.phone[:3]}****{reply.phone[-4:]}")


@found_by("reply_spellings")
class KnowsOneSpelling(PigeonAdapter):
    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        return [reply for reply in super().parse_replies(request) if reply.phone.isdecimal()]


@found_by("reply_spellings")
class ReadsUpToTheDash(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        return replace(reply, phone=reply.phone.partition("-")[0])


@found_by("reply_without_phone")
class WantsAPhone(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        if (phone := e164(reply.phone)) is None:
            raise BadCallback("from must be a phone number")
        return replace(reply, phone=phone)


@found_by("reply_long")
class CutsReplies(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        return replace(reply, text=reply.text[:70])


@found_by("reply_emoji", "reply_long")
class KnowsNoEmoji(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        return replace(reply, text="".join(letter if letter < "\U00010000" else "?" for letter in reply.text))


@found_by("reply_stop")
class OverhearsStop(_Rereads):
    def reply(self, reply: Reply) -> Reply:
        return replace(reply, stop=False)


@found_by("forged")
class BelievesEverybody(PigeonAdapter):
    def verify(self, request: CallbackRequest) -> bool:
        return True


@found_by("replayed")
class KnowsNoTime(_Rereads):
    def verify(self, request: CallbackRequest) -> bool:
        try:
            return super().verify(request)
        except Replayed:
            return True

    def reply(self, reply: Reply) -> Reply:
        return replace(reply, provider_id=None)


@found_by("malformed")
class Stumbles(PigeonAdapter):
    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        try:
            return super().parse_receipts(request)
        except BadCallback as error:
            raise KeyError(str(error)) from None


@found_by("malformed")
class OverlooksIt(PigeonAdapter):
    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        try:
            return super().parse_receipts(request)
        except BadCallback:
            return []


@found_by("nothing_gets_out")
class LogsPhones(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        _log.debug("texting %s", group.texts[0].phone)
        return super().submit(group)


@found_by("nothing_gets_out")
class ShowsItsSecret(PigeonAdapter):
    def __repr__(self) -> str:
        return f"PigeonAdapter({self._secret})"


@found_by("nothing_gets_out")
class QuotesThePhone(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        return [
            replace(outcome, detail=f"{text.phone[3:]} is no good") if outcome.error else outcome
            for text, outcome in zip(group.texts, outcomes, strict=True)
        ]


@found_by("nothing_gets_out")
class QuotesTheSignature(PigeonAdapter):
    def verify(self, request: CallbackRequest) -> bool:
        if not super().verify(request):
            raise ValueError(f"not signed with {self._secret}")
        return True


@found_by("capabilities")
class HasNoLookUp(PigeonAdapter):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.capabilities = replace(self.capabilities, look_up_after_s=600)


@found_by("look_up")
class FindsNothing(HasNoLookUp):
    def look_up(self, questions: list[Question]) -> list[Finding]:
        return [Finding(None) for _ in questions]


@found_by("capabilities")
class AsksTooSoon(FindsNothing):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.capabilities = replace(self.capabilities, look_up_after_s=60)


@found_by("capabilities")
class IsNoLink(PigeonAdapter):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.capabilities = replace(self.capabilities, link=True)
