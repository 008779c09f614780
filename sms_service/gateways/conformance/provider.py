"""What the kit needs of a provider's stand-in: a driver that the adapter's author writes, some hundred lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sms_service.gateways.base import Adapter, CallbackRequest, ErrorClass, Receipt, ReceiptStatus, Reply


class Answer(StrEnum):
    """What the stand-in does with a text to a phone, and how it answers."""

    accept = "accept"  # taken, and named
    refuse = "refuse"  # not taken, for the reason of the error class that goes with it
    unknown_code = "unknown_code"  # not taken, with the code `Provider.unknown_code`
    throttle = "throttle"  # not taken: too fast
    whole_group = "whole_group"  # not taken, and with it no other text of its request: one answer for all of them
    not_listed = "not_listed"  # taken, but the answer to its group leaves it out
    part_refused = "part_refused"  # of a long text the first part is taken, and the last one is not
    hang = "hang"  # taken, and never answered
    reset = "reset"  # taken, and then the connection is reset
    server_error = "server_error"  # taken, and answered like a fault of the provider: over HTTP a 5xx without a code
    garbage = "garbage"  # taken, and answered with what no client can read


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that the stand-in took: `phone` in E.164, `text` joined from its parts.

    `provider_id` is what an accepted outcome would have: with `names_groups` the group's, with `names_parts` the first
    part's.
    """

    phone: str = field(repr=False)
    text: str = field(repr=False)
    provider_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report that the stand-in is to make on a text that it took.

    `status` is what it says; `unclassified` stands for the code `Provider.unknown_receipt_code`. `part`: of which part,
    from 1; 0 is the whole text, or, of a provider that reports parts alone, each part in turn. `at`: when that
    happened, in UTC.
    """

    taken: Taken
    status: ReceiptStatus
    at: datetime
    part: int = 0


class Provider(ABC):
    """A provider's stand-in, in a process of its own, as the kit sees it. One may serve all scenarios of a class: each
    scenario uses phones that no other uses.

    `secrets`: values of the account that must never be seen, as the adapter has them. `unknown_code` and
    `unknown_receipt_code`: codes that the adapter's table does not know, as `raw_code` has them. `cannot`: scenarios
    that make no sense for the provider, each with the reason why not; the kit shows them as skipped. A name is that of
    the test without `test_`, perhaps with its parameter: "refused[signature]".
    """

    secrets: Collection[str] = ()
    unknown_code: str = "K4711"
    unknown_receipt_code: str = "K4712"
    cannot: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def adapter(self, total_timeout_s: float | None = None) -> Adapter:
        """A new adapter of the account; the kit closes it. Without `total_timeout_s` it has the adapter's default.

        A link is opened and up, with a `keep` that collects what it is given. Where the stand-in is stopped, it is
        returned as it is.
        """

    @abstractmethod
    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        """From now on answer so to texts to this phone (E.164), which was accepted until now. `error`: the class of the
        refusal, with `refuse` and `whole_group`.
        """

    @abstractmethod
    def taken(self) -> Sequence[Taken]:
        """Everything taken so far, in order, with one entry for every time: what the stand-in itself wrote down. A text
        of which a part is missing is left out.
        """

    @abstractmethod
    def stop(self) -> None:
        """Nobody listens at its address until `start`; what it took and how it answers stay."""

    @abstractmethod
    def start(self) -> None:
        """Listen again, at the same address; harmless when it does."""

    @abstractmethod
    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        """Make these reports to this adapter, in this order, and return what it made of them, in the order in which it
        came: see `pushed` and `pulled`; of a link what its `keep` got.
        """

    @abstractmethod
    def spellings(self, phone: str) -> Sequence[str]:
        """The ways in which the provider is known to write this phone (E.164) as the sender of a reply, its own way
        first: with or without +, with 0086, with dashes or blanks, as `tel:`, whatever its manual has or people have
        seen.
        """

    @abstractmethod
    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        """Let this sender answer, and return what the adapter made of it. `sender` stands in what the provider sends as
        it is: one of the `spellings`, or a number that is no phone's. `stop`: the stand-in itself takes it for an
        opt-out and says so.
        """

    def forged(self) -> Sequence[CallbackRequest]:
        """Callbacks that would be good had the provider sent them: unsigned, signed with another secret, changed after
        the signing, from a foreign address, …
        """
        return ()

    def replayed(self) -> Sequence[CallbackRequest]:
        """Callbacks that the provider did send, a week ago, sent once more by somebody else."""
        return ()

    def malformed(self) -> Sequence[CallbackRequest]:
        """Callbacks that prove to be the provider's and cannot be read: no JSON, a field too few, a wrong type, …"""
        return ()
