"""What the kit needs of a provider's stand-in: a driver of some hundred lines, written by the adapter's author."""

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

    accept = "accept"  # taken, and answered with an id
    refuse = "refuse"  # not taken, for the reason that the given error class names
    unknown_code = "unknown_code"  # not taken, with the code `Provider.unknown_code`
    throttle = "throttle"  # not taken: too fast
    whole_group = "whole_group"  # neither it nor any other text of its request is taken: one answer for all of them
    not_listed = "not_listed"  # taken, but the answer to its group leaves it out
    part_refused = "part_refused"  # the first part of a long text is taken, and the last one is not
    hang = "hang"  # taken, and never answered
    reset = "reset"  # taken, and then the connection is reset
    server_error = "server_error"  # taken, and answered like a fault of the provider: over HTTP a 5xx without a code
    garbage = "garbage"  # taken, and answered with something that no client can read


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that the stand-in took: `phone` in E.164, `text` joined from its parts.

    `provider_id` is the id that an accepted outcome would have: with `names_groups` the group's id, with `names_parts`
    the first part's id.
    """

    phone: str = field(repr=False)
    text: str = field(repr=False)
    provider_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report that the stand-in should make about a text that it took.

    `status` is what the report says; `unclassified` stands for the code `Provider.unknown_receipt_code`. `part`: the
    part that it is about, from 1; 0 is the whole text or, if the provider reports only parts, each part in turn.
    `at`: when that happened, in UTC.
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
    the test without `test_`, perhaps with its parameter: "refused[signature]". `template_id`: of an adapter with
    `needs_templates`, a template that the stand-in has registered, whose one place holds the whole text.
    """

    secrets: Collection[str] = ()
    unknown_code: str = "K4711"
    unknown_receipt_code: str = "K4712"
    cannot: Mapping[str, str] = MappingProxyType({})
    template_id: str | None = None

    @abstractmethod
    def adapter(self, total_timeout_s: float | None = None) -> Adapter:
        """A new adapter of the account; the kit closes it. Without `total_timeout_s` it has the adapter's default.

        A link is opened and up, with a `keep` that collects what it is given. If the stand-in is stopped, the link is
        returned as it is.
        """

    @abstractmethod
    def answer(self, phone: str, answer: Answer, error: ErrorClass | None = None) -> None:
        """From now on give this answer to texts to this phone (E.164); until now they were accepted. `error`: the class
        of the refusal, with `refuse` and `whole_group`.
        """

    @abstractmethod
    def taken(self) -> Sequence[Taken]:
        """Everything that the stand-in itself recorded as taken, in order. A text that it took twice is there twice. A
        text of which a part is missing is left out.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop listening until `start`. What the stand-in took and how it answers is not lost."""

    @abstractmethod
    def start(self) -> None:
        """Listen again at the same address; does nothing if it listens already."""

    @abstractmethod
    def receipts(self, adapter: Adapter, reports: Sequence[Report]) -> Sequence[Receipt]:
        """Send these reports to this adapter, in this order, and return the receipts that it read, in the order in
        which they came: use `pushed` or `pulled`; for a link, return what its `keep` got.
        """

    @abstractmethod
    def spellings(self, phone: str) -> Sequence[str]:
        """The ways in which the provider is known to write this phone (E.164) as the sender of a reply, the usual way
        first: with or without +, with 0086, with dashes or blanks, as `tel:`, and any other in its manual or seen in
        use.
        """

    @abstractmethod
    def reply(self, adapter: Adapter, sender: str, text: str, *, stop: bool = False) -> Sequence[Reply]:
        """Let this sender answer, and return the replies that the adapter read. The provider sends `sender` unchanged:
        it is one of the `spellings`, or a number that is not a phone's. `stop`: the stand-in says that it took the
        reply for an opt-out.
        """

    def forged(self) -> Sequence[CallbackRequest]:
        """Callbacks that do not come from the provider but look as if they did: unsigned, signed with another secret,
        changed after signing, from a foreign address, …
        """
        return ()

    def replayed(self) -> Sequence[CallbackRequest]:
        """Callbacks that the provider did send, a week ago, sent once more by somebody else."""
        return ()

    def malformed(self) -> Sequence[CallbackRequest]:
        """Genuine callbacks of the provider that cannot be read: not JSON, a missing field, a wrong type, …"""
        return ()
