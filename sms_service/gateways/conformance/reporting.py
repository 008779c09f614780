"""Scenarios: what the provider reports afterwards, receipts and replies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from sms_service.gateways.base import Adapter, OutcomeKind, Receipt, ReceiptStatus, Reply, Text
from sms_service.gateways.conformance.provider import Provider, Report, Taken
from sms_service.gateways.conformance.scenarios import Scenarios, long_text, texts, using
from sms_service.gateways.halves import join_halves, keep_halves
from sms_service.gateways.numbers import e164

LONG_REPLY = "我们支部今天下午三点在社区活动室集中学习，" * 8 + "𠮷书记主持，请大家准时参加🎉。"

SHORT_CODE = "10086"  # the number of a service; no text can be sent to it


class Reporting(Scenarios):
    """Receipts and replies, however they come: pushed, pulled, or over a link's session."""

    @pytest.mark.parametrize("status", ReceiptStatus, ids=str)
    def test_receipt(self, provider: Provider, adapter: Adapter, status: ReceiptStatus) -> None:
        """Each kind of receipt is read correctly; an unknown code is kept as it came and is never final."""
        text, taken, names = self._taken(provider, adapter)
        [receipt] = self._report(provider, adapter, text, names, Report(taken, status, _now()))
        assert receipt.status is status
        assert receipt.raw_code, "the provider's own code is kept"
        assert (receipt.error is not None) == (status is ReceiptStatus.undelivered)
        if status is ReceiptStatus.unclassified:
            assert receipt.raw_code == provider.unknown_receipt_code

    def test_receipts_early(self, provider: Provider, adapter: Adapter) -> None:
        """A receipt may come before the answer, or reach another process: reading it needs nothing remembered."""
        text, taken, names = self._taken(provider, adapter)
        adapter.close()
        with using(provider) as another:
            [receipt] = self._report(provider, another, text, names, Report(taken, ReceiptStatus.delivered, _now()))
        assert receipt.status is ReceiptStatus.delivered

    def test_receipts_late(self, provider: Provider, adapter: Adapter) -> None:
        """A receipt of three days ago says when it was, to the minute."""
        text, taken, names = self._taken(provider, adapter)
        at = _now() - timedelta(days=3)
        [receipt] = self._report(provider, adapter, text, names, Report(taken, ReceiptStatus.delivered, at))
        assert receipt.status is ReceiptStatus.delivered
        if receipt.occurred_at is not None:
            assert receipt.occurred_at.tzinfo is not None, "a time without its zone"
            assert abs(receipt.occurred_at - at) <= timedelta(minutes=1)

    def test_receipts_twice(self, provider: Provider, adapter: Adapter) -> None:
        """A receipt that comes again is read again, with the same result: finding repetitions is not the adapter's
        work.
        """
        text, taken, names = self._taken(provider, adapter)
        report = Report(taken, ReceiptStatus.undelivered, _now())
        first, second = self._report(provider, adapter, text, names, report, report)
        assert first.status is second.status is ReceiptStatus.undelivered

    def test_receipts_reversed(self, provider: Provider, adapter: Adapter) -> None:
        """The final receipt comes before an interim one; the adapter returns both, and only one of them is final."""
        text, taken, names = self._taken(provider, adapter)
        reports = [Report(taken, status, _now()) for status in (ReceiptStatus.delivered, ReceiptStatus.interim)]
        found = self._report(provider, adapter, text, names, *reports)
        assert sorted(receipt.status for receipt in found) == [ReceiptStatus.delivered, ReceiptStatus.interim]

    def test_receipts_per_part(self, provider: Provider, adapter: Adapter) -> None:
        """Each part has a receipt of its own, and each says which."""
        text, taken, names = self._taken(provider, adapter, long_text())
        reports = [Report(taken, ReceiptStatus.delivered, _now(), part) for part in (3, 1, 2)]
        found = self._report(provider, adapter, text, names, *reports)
        assert sorted(_part(receipt, names) for receipt in found) == [1, 2, 3]

    def test_receipt_of_one_part_only(self, provider: Provider, adapter: Adapter) -> None:
        """A receipt of one part is not read as one of the whole text; `receipt_parts` says if one part is enough."""
        text, taken, names = self._taken(provider, adapter, long_text())
        report = Report(taken, ReceiptStatus.undelivered, _now(), 1)
        [receipt] = self._report(provider, adapter, text, names, report)
        assert _part(receipt, names) == 1
        assert receipt.status is ReceiptStatus.undelivered

    def test_reply(self, provider: Provider, adapter: Adapter) -> None:
        """A reply has its phone and its words."""
        self._replied(provider, adapter, "收到")

    def test_reply_spellings(self, provider: Provider, adapter: Adapter) -> None:
        """However the provider writes the phone, `numbers.e164` can read it; otherwise people could not opt out."""
        [text] = texts(1)
        self.hand_over(provider, adapter, [text])
        spellings = provider.spellings(text.phone)
        assert spellings, "the provider writes a phone somehow"
        for sender in spellings:
            replies = provider.reply(adapter, sender, "收到")
            assert {e164(reply.phone) for reply in replies} == {text.phone}, f"{sender!r} cannot be read any more"

    def test_reply_without_phone(self, provider: Provider, adapter: Adapter) -> None:
        """A sender that is not a phone is returned as written, so that people see what cannot be suppressed."""
        [reply] = provider.reply(adapter, SHORT_CODE, "退订")
        assert (reply.phone, reply.text) == (SHORT_CODE, "退订")

    def test_reply_long(self, provider: Provider, adapter: Adapter) -> None:
        """A long reply comes whole, or in parts that can be put together."""
        self._replied(provider, adapter, LONG_REPLY)

    def test_reply_emoji(self, provider: Provider, adapter: Adapter) -> None:
        """Characters of more than two octets, and characters joined from several, arrive whole."""
        self._replied(provider, adapter, "👍🏻👨‍👩‍👧 ok 𠮷")

    def test_reply_stop(self, provider: Provider, adapter: Adapter) -> None:
        """The provider took the reply for an opt-out and says so."""
        assert any(reply.stop for reply in self._replied(provider, adapter, "退订", stop=True))

    def _taken(
        self, provider: Provider, adapter: Adapter, text: Text | None = None
    ) -> tuple[Text, Taken, tuple[str, ...]]:
        """A text that the provider took, its entry there, and the names that receipts may have: the text's first."""
        [text] = texts(1) if text is None else [text]
        [outcome] = self.hand_over(provider, adapter, [text])
        assert outcome.kind is OutcomeKind.accepted
        assert outcome.provider_id is not None
        [taken] = [one for one in provider.taken() if one.phone == text.phone]
        return text, taken, outcome.part_ids or (outcome.provider_id,)

    @staticmethod
    def _report(
        provider: Provider, adapter: Adapter, text: Text, names: tuple[str, ...], *reports: Report
    ) -> Sequence[Receipt]:
        """The receipts that the adapter read from the reports; each names its text so that the ledger finds the
        attempt.
        """
        can, found = adapter.capabilities, provider.receipts(adapter, reports)
        assert len(found) == len(reports), "one receipt for each report"
        for receipt in found:
            if can.echoes_reference:
                assert receipt.reference == text.reference, "the provider echoes our reference, so a receipt has it"
            else:
                assert receipt.provider_id in names, "a receipt has the name that the outcome gave the text"
            if receipt.phone is not None or can.names_groups:
                assert receipt.phone == text.phone, "a receipt's phone is in E.164, as the text's"
            assert receipt.raw, "the provider's own record is kept"
        return found

    def _replied(self, provider: Provider, adapter: Adapter, words: str, *, stop: bool = False) -> Sequence[Reply]:
        """The reply with these words, as one or more parts, after it was checked."""
        [text] = texts(1)
        self.hand_over(provider, adapter, [text])  # some providers let only those answer who were texted
        replies = provider.reply(adapter, provider.spellings(text.phone)[0], words, stop=stop)
        assert {e164(reply.phone) for reply in replies} == {text.phone}, "a reply's phone can be read"
        assert all(reply.raw for reply in replies), "the provider's own record is kept"
        for reply in replies:
            assert 1 <= reply.part <= reply.parts
            assert reply.parts == 1 or reply.series, "the parts of a long reply have a series in common"
        assert joined(replies) == [words]
        return replies


def joined(replies: Sequence[Reply]) -> list[str]:
    """The whole texts of these parts, joined as they are when replies are stored, also if a character was cut in
    two.
    """
    ordered = sorted(replies, key=lambda reply: (reply.series or "", reply.part))
    return [
        join_halves("".join(keep_halves(reply.text) if reply.parts > 1 else reply.text for reply in series))
        for _, series in groupby(ordered, lambda reply: reply.series)
    ]


def _now() -> datetime:
    return datetime.now(UTC)


def _part(receipt: Receipt, names: tuple[str, ...]) -> int:
    """Which part a receipt is of, by its number or by its name."""
    if len(names) > 1 and receipt.provider_id is not None:
        return names.index(receipt.provider_id) + 1
    return receipt.part
