"""The options in the tables of an HTTP account; docs/gateways-http.md explains each for the operator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sms_service.gateways.http import paths
from sms_service.gateways.http.signing import Encoding
from sms_service.gateways.options import BadOption, between, http_url, option

MOST = 1000  # texts of one request or group
SECRET_CHARACTERS = re.compile(r"[A-Za-z0-9_~.-]{16,200}")
_NONE: Mapping[str, str] = MappingProxyType({})


def place(default: Any = None) -> Any:
    """An option that says where in a document a field is; None: the document does not have the field."""
    return option(default=default, check=paths.check_path)


def networks(value: tuple[str, ...]) -> str | None:
    """A check: IP addresses or networks."""
    try:
        for one in value:
            ip_network(one)
    except ValueError:
        return "must be addresses or networks like 198.51.100.7 and 198.51.100.0/24"
    return None


def path_secret(value: str) -> str | None:
    """A check: nothing, or a secret that can be part of a URL."""
    if value and not SECRET_CHARACTERS.fullmatch(value):
        return "must be 16 to 200 letters, digits, -, _, . or ~, since it is part of a URL"
    return None


def _pattern(value: str) -> str | None:
    try:
        re.compile(value)
    except re.error as error:
        return f"must be a regular expression: {error}"
    return None


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a request proves who sends it.

    `basic` needs `user` and `password`, `bearer` a `token`; each becomes the header Authorization. A digest over the
    template `over` (with `key`, if it is an HMAC) becomes `{{ signature }}` in the request's other templates.
    """

    kind: Literal["none", "basic", "bearer", "md5", "sha1", "sha256", "hmac-sha1", "hmac-sha256"]
    user: str = option(default="")
    password: str = option(default="", secret=True)
    token: str = option(default="", secret=True)
    key: str = option(default="", secret=True)
    over: str = option(default="", template=True)
    encoding: Encoding = "hex"

    def __post_init__(self) -> None:
        if self.kind == "none":
            needed: tuple[str, ...] = ()
        elif self.kind in ("basic", "bearer"):
            needed = ("user", "password") if self.kind == "basic" else ("token",)
        else:
            needed = ("key", "over") if self.kind.startswith("hmac-") else ("over",)
        for name in needed:
            if not getattr(self, name):
                raise BadOption(name, f"is missing; {self.kind} needs it")
        for name in {"user", "password", "token", "key", "over"} - set(needed):
            if getattr(self, name):
                raise BadOption(name, f"plays no part in {self.kind}")

    @property
    def signs(self) -> bool:
        """Whether it makes a `signature`."""
        return bool(self.over)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `query`, `headers`, and `form` or `body` are templates."""

    url: str = option(check=http_url)
    method: Literal["GET", "POST", "PUT"] = "POST"
    query: Mapping[str, str] = option(default=_NONE, template=True)
    headers: Mapping[str, str] = option(default=_NONE, template=True)
    form: Mapping[str, str] | None = option(default=None, template=True)
    body: str | None = option(default=None, template=True)
    authentication: Authentication = Authentication("none")

    def __post_init__(self) -> None:
        if self.form is not None and self.body is not None:
            raise BadOption("body", "or form must be given, and not both")
        if self.method == "GET" and (self.form is not None or self.body is not None):
            raise BadOption("method", "must be POST or PUT, since there is a body")


@dataclass(frozen=True, slots=True)
class Submission(Call):
    """The request that hands over at most `recipients` texts; `one_text`: all of them have the same words."""

    recipients: int = option(default=1, check=between(1, MOST))
    one_text: bool = False


@dataclass(frozen=True, slots=True)
class Each:
    """Where an answer says how each text ended: in a `list` whose items name their text by `phone` or `reference`."""

    list: str = place()
    code: str = place()
    id: str | None = place()
    phone: str | None = place()
    reference: str | None = place()

    def __post_init__(self) -> None:
        for name in ("list", "code"):
            if getattr(self, name) is None:
                raise BadOption(name, "is missing")
        if self.phone is None and self.reference is None:
            raise BadOption("phone", "or reference must be given, to tell the texts apart")


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How an answer to a hand-over is read: its `code` and the `id` of what was taken, or `each` for those of each
    text.

    In a plain text, `pattern` finds both by groups of these names.
    """

    format: Literal["json", "xml", "text"] = "json"
    pattern: str = option(default="", check=_pattern)
    code: str | None = place()
    id: str | None = place()
    each: Each | None = None

    def __post_init__(self) -> None:
        if (self.format == "text") != bool(self.pattern):
            raise BadOption("pattern", 'must be given if, and only if, the format is "text"')
        if self.code is None and self.each is None:
            raise BadOption("code", "is missing; it says whether the texts were taken")
        if self.each is not None and self.id is not None:
            raise BadOption("id", "must be given in each, where each text has its own")


@dataclass(frozen=True, slots=True)
class Codes:
    """What codes mean: a `file` as `gateways.codes` describes it, and `answers` and `receipts` ("refused bad_number" by
    code), which override the file.
    """

    file: Path | None = None
    answers: Mapping[str, str] = option(default=_NONE)
    receipts: Mapping[str, str] = option(default=_NONE)


NO_CODES = Codes()


@dataclass(frozen=True, slots=True)
class Pull(Call):
    """The request that fetches new records. `code`: where its answer has a code, which means success if `codes` calls
    it accepted; `page`: the records in a full answer, after which there may be more.
    """

    code: str | None = place()
    page: int | None = option(default=None, check=between(1, 10_000))


@dataclass(frozen=True, slots=True)
class Records:
    """How receipts or replies come: as a `list` of records, or as one; pushed or pulled, or both if `push` is true.

    A `time` is read by `time_format` (one of `strptime`, or "iso", "epoch", "epoch_ms"), or else as ISO 8601.
    """

    format: Literal["json", "xml", "form", "query"] = "json"
    list: str | None = place()
    push: bool | None = None
    pull: Pull | None = None
    time: str | None = place()
    time_format: str = option(default="iso")

    def __post_init__(self) -> None:
        if not self.pushed and self.pull is None:
            raise BadOption("push", "is false and there is no pull, so nothing would ever come")
        if self.pull is not None and self.format not in ("json", "xml"):
            raise BadOption("format", "must be json or xml, since there is a pull")

    @property
    def pushed(self) -> bool:
        """Whether the provider pushes them."""
        return self.pull is None if self.push is None else self.push


@dataclass(frozen=True, slots=True)
class Receipts(Records):
    """Where the fields of a receipt are. `error`: a second code, which says why."""

    status: str = place()
    id: str | None = place()
    reference: str | None = place()
    phone: str | None = place()
    part: str | None = place()
    error: str | None = place()

    def __post_init__(self) -> None:
        Records.__post_init__(self)
        if self.status is None:
            raise BadOption("status", "is missing; it says whether the text arrived")
        if self.id is None and self.reference is None:
            raise BadOption("id", "or reference must be given, to find the text that arrived")


@dataclass(frozen=True, slots=True)
class Replies(Records):
    """Where the fields of a reply are. A long reply comes as `parts` records with the same `series`. `stop`: a field
    that is true, or 1, if the provider took the reply for an opt-out.
    """

    phone: str = place()
    text: str = place()
    id: str | None = place()
    to: str | None = place()
    part: str | None = place()
    parts: str | None = place()
    series: str | None = place()
    stop: str | None = place()

    def __post_init__(self) -> None:
        Records.__post_init__(self)
        for name in ("phone", "text"):
            if getattr(self, name) is None:
                raise BadOption(name, "is missing")
        if len({self.part is None, self.parts is None, self.series is None}) > 1:
            raise BadOption("series", "part and parts must be given together")


@dataclass(frozen=True, slots=True)
class Signature:
    """A digest that proves a callback, over the template `over`, in a `header` or `query` parameter.

    `timestamp_header` or `timestamp_query`: where the provider says when it signed, in seconds or milliseconds since
    1970. If that is more than `tolerance_s` seconds from now, the callback is refused as a replay.
    """

    kind: Literal["md5", "sha1", "sha256", "hmac-sha1", "hmac-sha256"]
    over: str = option(template=True)
    key: str = option(default="", secret=True)
    header: str = option(default="")
    query: str = option(default="")
    encoding: Encoding = "hex"
    timestamp_header: str = option(default="")
    timestamp_query: str = option(default="")
    tolerance_s: float = option(default=300.0, check=between(1, 86_400))

    def __post_init__(self) -> None:
        if bool(self.header) == bool(self.query):
            raise BadOption("header", "or query must be given, and not both")
        if self.timestamp_header and self.timestamp_query:
            raise BadOption("timestamp_query", "or timestamp_header must be given, and not both")
        if self.kind.startswith("hmac-") != bool(self.key):
            raise BadOption("key", "must be given for an HMAC, and for nothing else")


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The answer to a callback that was stored."""

    status: int = option(default=200, check=between(200, 299))
    body: str = option(default="")
    content_type: str = option(default="text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a callback must pass, all that is given: a `secret` at the end of the path, the `addresses` it may come
    from, a `signature`. Also how callbacks are acknowledged.
    """

    secret: str = option(default="", secret=True, check=path_secret)
    addresses: tuple[str, ...] = option(default=(), check=networks)
    signature: Signature | None = None
    acknowledge: Acknowledge = Acknowledge()

    def __post_init__(self) -> None:
        if not (self.secret or self.addresses or self.signature):
            raise BadOption("secret", "addresses or signature must be given: anybody could send callbacks")
