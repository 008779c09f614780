"""The null gateway: takes every text at once, inside the process, and keeps nothing. For benchmarks of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from sms_service.gateways.base import CallbackRequest, Capabilities, Group, Outcome, OutcomeKind, Receipt, Reply


@dataclass(frozen=True, slots=True)
class Options:
    """It has none."""


class NullAdapter:
    """Accepts everything; sends no receipts."""

    capabilities = Capabilities(
        largest_group=1000,
        total_timeout_s=1.0,
        echoes_reference=False,
        sends_receipts=False,
        rate=100_000,  # it has no limit; this is the highest rate that an adapter may declare
        simulated=True,
    )

    def submit(self, group: Group) -> list[Outcome]:
        """All accepted; the provider's id is our reference."""
        return [Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference) for text in group.texts]

    def verify(self, request: CallbackRequest) -> bool:
        """False: the null gateway sends no callbacks, so no caller is genuine."""
        return False

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """None, ever."""
        return []

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """None, ever."""
        return []

    def close(self) -> None:
        """Nothing to release."""


def create(name: str, options: Options, callback_url: str) -> NullAdapter:
    """The adapter; account name and callback URL play no part."""
    return NullAdapter()
