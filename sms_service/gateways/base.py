"""The contract between the dispatcher and a gateway adapter.

An adapter knows no database and no Flask. It gets a group of texts and returns one outcome for each; it gets what a
provider pushed and returns receipts and replies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class NotTaken(Exception):
    """The gateway took nothing of the group, for certain; raised only if no byte of a request was written."""


class BadCallback(Exception):
    """A push cannot be read; the message says which field and why, without personal content."""


class Replayed(Exception):
    """A callback is genuine but too old, so somebody may have recorded it and sent it again; raised by `verify`."""


class OutcomeKind(StrEnum):
    """How one hand-over ended: accepted, refused or unknown. *Throttled* is a refusal after which the text goes again.

    *Partial*: some parts of a long text were taken and the others cannot be; the text never goes again, and becomes
    `undelivered`.
    """

    accepted = "accepted"
    refused = "refused"
    throttled = "throttled"
    unknown = "unknown"
    partial = "partial"


class ErrorClass(StrEnum):
    """Why a text was refused or undelivered. Each class has one meaning, whatever the provider calls it."""

    bad_number = "bad_number"  # the number is malformed or not in use
    blocked = "blocked"  # the network, the handset or the account blocks this text to this number
    blacklisted = "blacklisted"  # the recipient is on the provider's stop list; the phone is then suppressed here too
    content = "content"  # the text was refused by a content rule
    signature = "signature"  # the signature is not registered
    credentials = "credentials"  # the account's key or secret is wrong
    balance = "balance"  # the account has no money left
    rate = "rate"  # too fast; the text goes again
    unreachable = "unreachable"  # the handset was off or out of coverage until the validity ended
    carrier = "carrier"  # the network failed for another reason
    partial = "partial"  # some parts were taken and the others cannot be
    later = "later"  # the provider has a temporary fault and took nothing, for certain
    render = "render"  # our own template could not be rendered
    request = "request"  # the provider calls our request malformed
    not_taken = "not_taken"  # the provider never had it, for certain: a look-up or the worker itself has shown that
    unclassified = "unclassified"  # a code that is in no table; kept as it came


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a group.

    `reference` is our attempt's name (at most 40 ASCII characters); some providers send it back in receipts. `phone` is
    E.164; `body` is the final text with its signature; `parts` is how many SMS it takes.

    At an account that takes only registered templates, `template_id` is the provider's name of the template, the same
    for all texts of a group, and `parameters` what stands in its places: the value by the variable's name, in the order
    that the provider has registered.
    """

    reference: str
    phone: str = field(repr=False)
    body: str = field(repr=False)
    parts: int
    template_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """The texts of one call to `submit`: all of one run and one account, no phone twice. `question_id`: the question
    that they ask; an account with extension numbers lets answers come back to that of the question (`extensions.py`).
    """

    reference: str
    texts: Sequence[Text]
    validity_s: int | None = None
    question_id: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the hand-over of one text ended.

    `provider_id` names the text at the provider (an accepted outcome always has one); `raw_code` is the provider's own
    code; `detail` is a short explanation without phone numbers and secrets. `whole_group`: the provider refused the
    group as a whole, so another text of the group may be the reason. `part_ids` are the provider's ids of parts 1,
    2, …, if it names parts; if it has no id for the whole text, `provider_id` is the first of them. `unwritten`: the
    refusal is not the provider's: no byte of the text was written, so it does not count as one of the text's tries.
    """

    reference: str
    kind: OutcomeKind
    provider_id: str | None = None
    error: ErrorClass | None = None
    raw_code: str | None = None
    detail: str | None = None
    retry_after_s: float | None = None
    whole_group: bool = False
    part_ids: tuple[str, ...] = ()
    unwritten: bool = False


def unwritten(reference: str, why: str | None) -> Outcome:
    """The outcome of a text of which nothing was written, for certain."""
    return Outcome(reference, OutcomeKind.refused, error=ErrorClass.later, detail=why, unwritten=True)


def without_template(reference: str) -> Outcome:
    """The outcome of a text without a registered template, at an adapter that takes no others; nothing was written."""
    why = "the account takes registered templates alone, and the text has none"
    return Outcome(reference, OutcomeKind.refused, error=ErrorClass.request, detail=why)


class ReceiptStatus(StrEnum):
    """What a delivery report says; `interim` (sent, queued, buffered, …) and `unclassified` are never final."""

    delivered = "delivered"
    undelivered = "undelivered"
    interim = "interim"
    unclassified = "unclassified"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery report of one text, or of one of its parts (`part` from 1; 0 is the whole text).

    `reference` is our attempt's name, if the provider sends it back. `raw` is the provider's own record, stored as it
    came.
    """

    status: ReceiptStatus
    provider_id: str | None
    raw: str = field(repr=False)
    reference: str | None = None
    phone: str | None = field(default=None, repr=False)
    part: int = 0
    error: ErrorClass | None = None
    raw_code: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One inbound text, or one part of it.

    `phone` is the sender, `to` the number it was sent to, both in E.164 if they can be read as such. `provider_id`
    names it at the provider; without one, the same words from the same phone within ten minutes are kept and marked as
    repeated. `raw` is the provider's own record, stored as it came. A long inbound text comes as `parts` replies,
    numbered by `part` from 1, with the same `series`. Where a character was cut in two, a part may end or begin with
    half a surrogate pair, or end with the GSM 7-bit escape (U+001B). `stop`: the provider took it for an opt-out.
    `receipt`: it may be this receipt instead of a reply; it is if it names one of our texts. `extension`: the digits
    behind the account's own number to which it was sent, where the account has extension numbers.
    """

    phone: str = field(repr=False)
    text: str = field(repr=False)
    raw: str = field(repr=False)
    provider_id: str | None = None
    to: str | None = field(default=None, repr=False)
    occurred_at: datetime | None = None
    part: int = 1
    parts: int = 1
    series: str | None = None
    stop: bool = False
    receipt: Receipt | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one text. If its hand-over ended unknown (`provider_id` is None): did the provider take it? If
    it was accepted and no receipt came: did it arrive?

    `reference`, `phone` and `body` are what `submit` got; `began_at` is when the hand-over was allowed, by the
    service's clock. The text left at that moment, or seconds later, or never.
    """

    reference: str
    phone: str = field(repr=False)
    body: str = field(repr=False)
    began_at: datetime
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider's records answer to a Question: it took the text as `provider_id`; None: the records do not have
    the text. `receipt`: how it arrived, if the records say so; it is stored as if it had been pushed.
    """

    provider_id: str | None
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """What a provider pushed, as it came over the wire.

    `public_url` is the URL the provider called, made from the configured public base and the raw request target;
    signatures are computed over it. `path` is the rest of its path after `/callbacks/<account>`, without slashes at its
    ends: "" or "receipts" for receipts, "replies" for replies, perhaps followed by a secret.
    """

    method: str
    public_url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    remote_address: str
    path: str = ""

    @property
    def is_of_replies(self) -> bool:
        """Whether it was sent to the account's address for replies."""
        return self.path.partition("/")[0] == "replies"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer that a provider expects when everything it pushed is stored."""

    status: int = 204
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Pulled:
    """The new receipts and replies that a provider gave when asked. `more`: it may have more right now."""

    receipts: Sequence[Receipt] = ()
    replies: Sequence[Reply] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What a provider's code means, in plain words; `zh` is empty where nobody has said it in Chinese."""

    en: str
    zh: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter can do.

    `largest_group`: texts in one `submit`; `total_timeout_s`: no `submit` takes longer, whatever the network does;
    `echoes_reference`: receipts have our attempt's name; `sends_receipts`: without receipts, texts stay `accepted`.
    `rate`: the parts per second that an account is handed if gateways.toml does not say.
    `look_up_after_s`: seconds from the beginning of a hand-over until its text may be looked up (the account's option
    `look_up_after`); None: the adapter has no `look_up`. `look_up_complete`: the provider states that by then its
    records have all texts that it took, so a text that is not there was never taken; otherwise not finding a text
    proves nothing. `look_up_receipts`: a look-up also says how an accepted text arrived. `look_up_per_s`: questions a
    second that the provider allows; `look_up_within_s`: seconds for which its records are kept.
    `names_groups`: a `provider_id` names a whole group, and one text of it only together with the phone; receipts have
    both. `names_parts`: `part_ids` names every part of a long text, and each receipt is about one part.
    `one_text`: the provider takes one text for several recipients, so all texts with one id have the same words.
    `needs_templates`: the provider takes only registered templates, so every text has a `template_id`; one without is
    refused and nothing of it is written.
    `link`: the adapter is a `Link`. `pull_every_s`: the adapter is a `Pulls`, to be asked every so many seconds.
    `acknowledgement`: how a stored callback is answered. `known_codes`: the provider's codes that the adapter knows,
    also those that mean no error class; other codes without a class are listed as unknown. `meanings`: what its codes
    mean, by use (`answer` or `receipt`) and code; they are only shown to people, and decide nothing.
    """

    largest_group: int
    total_timeout_s: float
    echoes_reference: bool
    sends_receipts: bool
    rate: float
    simulated: bool = False  # may take the demonstration city's texts; true only if it reaches no real phone
    look_up_after_s: float | None = None
    look_up_complete: bool = False
    look_up_receipts: bool = False
    look_up_per_s: float = 10.0
    look_up_within_s: float = 259_200.0
    names_groups: bool = False
    names_parts: bool = False
    one_text: bool = False
    needs_templates: bool = False
    link: bool = False
    pull_every_s: float | None = None
    acknowledgement: Acknowledgement = Acknowledgement()
    known_codes: frozenset[str] = frozenset()
    meanings: Mapping[tuple[str, str], CodeMeaning] = field(default_factory=dict)


class Adapter(Protocol):
    """One gateway account. Built by `create(name, options, callback_url)` of its module, once per process; thread-safe.

    The module is described in `discovery.AdapterModule`.
    """

    capabilities: Capabilities

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over a group and return one outcome per text, in the group's order.

        Raises NotTaken only if no byte of a request was written. After any other exception, and for texts without an
        outcome, the dispatcher records `unknown`.
        """

    def verify(self, request: CallbackRequest) -> bool:
        """Whether the provider sent this request (signature, secret path, …). Raises Replayed if it is genuine but
        too old.
        """

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The delivery reports in a verified request; none if it is a request with replies. Raises BadCallback if it
        cannot be read.
        """

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """The inbound texts in a verified request; none if it is a request with receipts. Raises BadCallback if it
        cannot be read.
        """

    def close(self) -> None:
        """Release connections; no `submit` follows."""


class LooksUp(Adapter, Protocol):
    """An adapter of a provider that can be asked which texts it took; its capabilities have a `look_up_after_s`."""

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Ask the provider; one answer per question, in order. None: the provider cannot tell, or not now.

        Takes no longer than `total_timeout_s`. The answer is also None if the record may belong to another text with
        the same phone and body.
        """


class Pulls(Adapter, Protocol):
    """An adapter of a provider that does not push; its capabilities have a `pull_every_s`."""

    def pull(self) -> Pulled:
        """Ask the provider for new receipts and replies; the caller stores them at once.

        Takes no longer than `total_timeout_s`. Raises any exception if the provider cannot be asked.
        """


Keep = Callable[[Sequence[Receipt], Sequence[Reply]], "Future[None]"]
Leads = Callable[[], bool]
# A link that does not lead any more closes its session within so many seconds of the moment when it can know that.
LEAVES_S = 4.0


def always() -> bool:
    """The `leads` of a link without competitors: it always leads."""
    return True


@dataclass(frozen=True, slots=True)
class LinkState:
    """The state of a link's session: `up` if texts can be handed over. `refused`: why the provider refused the log-in,
    if it did; `detail` explains it without secrets.
    """

    up: bool
    refused: ErrorClass | None = None
    detail: str | None = None


class Link(Adapter, Protocol):
    """An adapter that keeps a session open to its carrier; its capabilities have `link`. It lives in a process of its
    own (`worker.py --link NAME`); in any other, `submit` raises NotTaken.
    """

    def open(self, keep: Keep, leads: Leads = always) -> None:
        """Open the session in the background, and open it again whenever it ends, until `close`.

        `keep` stores what the provider pushes over the session; the provider gets its acknowledgement only when the
        future has a result. `leads` says whether this process is the one that may have a session; the link calls it
        right before it writes texts and at least every half second. As soon as it says no, the link writes nothing
        more: texts that were not written get an outcome at once (refused, class `later`), `submit` raises NotTaken, and
        the link waits for answers to what was written, logs out and closes the session, all within LEAVES_S. It opens
        no session before `leads` says yes again.
        """

    def state(self, wait_s: float = 0.0) -> LinkState:
        """The state of the session; waits up to `wait_s` seconds for it to be up."""
