"""What `gateways.toml` says of one account of the adapter `http`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from sms_service.gateways.extensions import MOST_DIGITS
from sms_service.gateways.http.options import AnswerForm, Callbacks, Codes, Receipts, Replies, Submission
from sms_service.gateways.http.phones import Form
from sms_service.gateways.options import BadOption, between, option

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HttpAccount:
    """An account at a provider with an HTTP interface; docs/gateways-http.md explains each option.

    `request`, `answer`, `codes`: how texts are handed over. `receipts`, `replies`, `callbacks`, `pull_every_s`: how
    receipts and replies come back. `variables` and `secrets` are names that templates can use. `phone`: how numbers are
    written; `country` is the country code of numbers without one. `zone`: the time zone of times without one.
    `extension_digits`: how many digits `{{ extension }}` has in texts that ask something; 0: it is empty. Replies name
    them behind the account's own `number`.
    `connections`: requests under way at once. `total_timeout_s`: seconds that a hand-over of a group may take.
    """

    request: Submission
    answer: AnswerForm
    codes: Codes
    receipts: Receipts | None = None
    replies: Replies | None = None
    callbacks: Callbacks | None = None
    variables: Mapping[str, str] = option(default=_EMPTY)
    secrets: Mapping[str, str] = option(default=_EMPTY, secret=True)
    phone: Form = "e164"
    country: int = option(default=86, check=between(1, 999))
    zone: str = option(default="Asia/Shanghai")
    charset: Literal["utf-8", "gb18030"] = "utf-8"
    extension_digits: int = option(default=0, check=between(0, MOST_DIGITS))
    number: str = option(default="")
    connections: int = option(default=20, check=between(1, 1000))
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))
    pull_every_s: float | None = option(default=None, check=between(1, 86_400))

    def time_zone(self) -> ZoneInfo:
        """The zone of times without one. Raises BadOption."""
        try:
            return ZoneInfo(self.zone)
        except (ValueError, OSError, LookupError):
            raise BadOption("zone", "must be a zone of the IANA database, like Asia/Shanghai") from None
