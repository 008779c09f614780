"""Requests made from their templates."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from sms_service.gateways.http import signing
from sms_service.gateways.http.options import Authentication, Call
from sms_service.gateways.http.templates import BadTemplate, CannotRenderRequest, RequestTemplate, RequestTemplates
from sms_service.gateways.http_client import HttpRequest
from sms_service.gateways.options import BadOption


class Composer:
    """Makes the requests of one Call. `names` are what its templates may use besides `signature`.

    Raises BadOption if a template cannot be used.
    """

    def __init__(self, call: Call, templates: RequestTemplates, names: Iterable[str], charset: str) -> None:
        self._call, self._charset = call, charset
        authentication = call.authentication
        self._over: RequestTemplate | None = None
        if authentication.signs:
            keys = ("authentication", "over")
            self._over = compile_source(templates, keys, authentication.over, {*names, "body"})
        self._signs_body = self._over is not None and "body" in self._over.names
        anywhere = {*names, "signature"} if self._over else set(names)
        in_body = set(names) if self._signs_body else anywhere
        self._query = _all(templates, "query", call.query, anywhere)
        self._headers = _all(templates, "headers", call.headers, anywhere)
        self._form = None if call.form is None else _all(templates, "form", call.form, in_body)
        self._body = None if call.body is None else compile_source(templates, ("body",), call.body, in_body)
        everything = [*self._query.values(), *self._headers.values(), *(self._form or {}).values(), self._body]
        self.names = frozenset().union(*(template.names for template in everything if template))
        if self._over is not None:
            if "signature" not in self.names:
                raise BadOption(("authentication", "kind"), "makes a signature that no template uses")
            self.names |= self._over.names
        self._fixed = _fixed_headers(call, charset)

    def request(self, values: Mapping[str, Any]) -> HttpRequest:
        """The request with these values. Sends nothing. Raises CannotRenderRequest."""
        if self._signs_body:
            body = self._body_of(values)
            values = {**values, "signature": self._signature({**values, "body": (body or b"").decode(self._charset)})}
        else:
            if self._over is not None:
                values = {**values, "signature": self._signature({**values, "body": ""})}
            body = self._body_of(values)
        headers = self._fixed | {name: template.render(values) for name, template in self._headers.items()}
        if any("\n" in value or "\r" in value for value in headers.values()):
            raise CannotRenderRequest("a header would have a line break")
        query = {name: template.render(values) for name, template in self._query.items()}
        url = self._call.url + (f"?{urlencode(query, encoding=self._charset)}" if query else "")
        return HttpRequest(method=self._call.method, url=url, headers=headers, body=body)

    def _body_of(self, values: Mapping[str, Any]) -> bytes | None:
        if self._form is not None:
            fields = {name: template.render(values) for name, template in self._form.items()}
            return urlencode(fields, encoding=self._charset).encode()
        return None if self._body is None else _encoded(self._body.render(values), self._charset)

    def _signature(self, values: Mapping[str, Any]) -> str:
        assert self._over is not None
        authentication = self._call.authentication
        message = _encoded(self._over.render(values), self._charset)
        digest = signing.compute_digest(authentication.kind, authentication.key.encode(), message)  # type: ignore[arg-type]
        return signing.write_digest(digest, authentication.encoding)


def compile_source(
    templates: RequestTemplates, keys: tuple[str, ...], source: str, names: Iterable[str]
) -> RequestTemplate:
    """The template of the option at `keys`. Raises BadOption."""
    try:
        return templates.compile(source, names)
    except BadTemplate as error:
        raise BadOption(keys, f"is no usable template: {error}") from None


def _all(
    templates: RequestTemplates, key: str, sources: Mapping[str, str], names: Iterable[str]
) -> dict[str, RequestTemplate]:
    return {name: compile_source(templates, (key, name), source, names) for name, source in sources.items()}


def _fixed_headers(call: Call, charset: str) -> dict[str, str]:
    """The headers that the templates do not make."""
    headers = {}
    given = {name.lower() for name in call.headers}
    if call.form is not None and "content-type" not in given:
        headers["Content-Type"] = f"application/x-www-form-urlencoded; charset={charset}"
    elif call.body is not None and "content-type" not in given:
        headers["Content-Type"] = f"application/json; charset={charset}"
    if authorization := _authorization(call.authentication):
        headers["Authorization"] = authorization
    return headers


def _authorization(authentication: Authentication) -> str | None:
    if authentication.kind == "basic":
        pair = f"{authentication.user}:{authentication.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return f"Bearer {authentication.token}" if authentication.kind == "bearer" else None


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        raise CannotRenderRequest(f"a character does not exist in {charset}") from None
