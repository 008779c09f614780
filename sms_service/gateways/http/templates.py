"""Templates of requests and of what is signed: Jinja2 in its sandbox, over a fixed set of names, compiled once."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sms_service.gateways.http import signing

_SIGNATURE = re.compile(r"\A【[^】]{1,20}】")
LARGEST = 8 * 1024 * 1024  # characters of a template's result: room for the largest group's texts several times over


class BadTemplate(Exception):
    """A template cannot be used; the message says why, and which names it may use."""


class CannotRenderRequest(Exception):
    """A template cannot be filled in with these values; the message contains none of them."""


class RequestTemplate:
    """A compiled template. `names` are those that it uses."""

    def __init__(self, environment: ImmutableSandboxedEnvironment, source: str, known: Iterable[str]) -> None:
        try:
            tree = environment.parse(source)
            self.names = frozenset(meta.find_undeclared_variables(tree))
            self._template = environment.from_string(tree)
        except TemplateSyntaxError as error:
            raise BadTemplate(f"line {error.lineno}: {error.message}") from None
        except (TemplateError, RecursionError) as error:
            raise BadTemplate(f"is no template ({type(error).__name__})") from None
        if unknown := sorted(self.names - set(known)):
            raise BadTemplate(f"{unknown[0]} is not known here; known are {', '.join(sorted(known))}")

    def render(self, values: Mapping[str, Any]) -> str:
        """The text. Raises CannotRender."""
        try:
            text = self._template.render(values)
        except Exception as error:  # noqa: BLE001  # filters raise anything, and their messages quote values
            raise CannotRenderRequest(f"a template cannot be filled in ({type(error).__name__})") from None
        if len(text) > LARGEST:
            raise CannotRenderRequest("a template makes too large a text")
        return text


class RequestTemplates:
    """Compiles the templates of one account. Digests, base64 and percent signs encode texts in its `charset`."""

    def __init__(self, charset: str) -> None:
        # No autoescape: a request is not HTML, and each template says by a filter how a value is written.
        self._environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=0)
        self._environment.globals.clear()

        def octets(value: object) -> bytes:
            return str(value).encode(charset)

        def digest(kind: signing.Kind) -> Any:
            return lambda value: signing.compute_digest(kind, b"", octets(value)).hex()

        def keyed(value: object, key: str, kind: str = "sha256", encoding: signing.Encoding = "hex") -> str:
            known: dict[str, signing.Kind] = {"sha1": "hmac-sha1", "sha256": "hmac-sha256"}
            return signing.write_digest(signing.compute_digest(known[kind], octets(key), octets(value)), encoding)

        self._environment.filters |= {
            "json": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
            "b64": lambda value: base64.b64encode(octets(value)).decode(),
            "md5": digest("md5"),
            "sha1": digest("sha1"),
            "sha256": digest("sha256"),
            "hmac": keyed,
            "urlencode": lambda value: quote(octets(value), safe=""),
            "time": _time,
            "epoch": lambda value: int(value.timestamp()),
            "unsigned": lambda value: _SIGNATURE.sub("", value, count=1),
        }

    def compile(self, source: str, known: Iterable[str]) -> RequestTemplate:
        """The compiled template, which may use the names `known`. Raises BadTemplate."""
        return RequestTemplate(self._environment, source, known)


def _time(value: datetime, pattern: str) -> str:
    return value.strftime(pattern)
