"""Verifies that a callback comes from the provider: it must pass every check that the account has."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from sms_service.gateways.base import CallbackRequest, Replayed
from sms_service.gateways.http import signing
from sms_service.gateways.http.calls import compile_source
from sms_service.gateways.http.documents import headers_of
from sms_service.gateways.http.options import Callbacks, Signature
from sms_service.gateways.http.templates import CannotRenderRequest, RequestTemplate, RequestTemplates

# The names that a signature's template can use; `headers` has its names in lower case.
NAMES = frozenset({"body", "url", "method", "query", "headers", "timestamp"})
_TIMESTAMP = re.compile(r"[0-9]{9,14}")
_MILLISECONDS_FROM = 10**11  # from here a time is in milliseconds: seconds reach this value only in the year 5138


class Proof:
    """Tells genuine callbacks from others. `constants` are the account's own names. Raises BadOption."""

    def __init__(
        self, callbacks: Callbacks, templates: RequestTemplates, constants: Mapping[str, str], charset: str
    ) -> None:
        self._secret, self._charset, self._constants = callbacks.secret, charset, constants
        self._networks = [ip_network(written) for written in callbacks.addresses]
        self._signature = callbacks.signature
        self._over: RequestTemplate | None = None
        if self._signature is not None:
            names = {*NAMES, *constants}
            self._over = compile_source(templates, ("signature", "over"), self._signature.over, names)

    def holds(self, request: CallbackRequest, now: float) -> bool:
        """Whether the provider sent it. `now` in seconds since 1970. Raises Replayed if it was sent too long ago."""
        address = self._knows(request.remote_address)
        path = self._is_at(request.path)
        return address and path and (self._signature is None or self._is_signed(request, self._signature, now))

    def path(self, kind: str) -> str:
        """The path below the account's address to which the provider pushes receipts or replies."""
        return f"{kind}/{self._secret}" if self._secret else kind

    def _knows(self, written: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address(written)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def _is_at(self, path: str) -> bool:
        kind, _, secret = path.partition("/")
        # Without a secret the bare address takes receipts; with one it takes nothing.
        known = ("receipts", "replies") if self._secret else ("", "receipts", "replies")
        return hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode()) and kind in known

    def _is_signed(self, request: CallbackRequest, signature: Signature, now: float) -> bool:
        assert self._over is not None
        headers = headers_of(request.headers)

        def given(header: str, query: str) -> str:
            return (headers.get(header.lower(), "") if header else request.query.get(query, "")).strip()

        timestamp = given(signature.timestamp_header, signature.timestamp_query)
        dated = bool(signature.timestamp_header or signature.timestamp_query)
        if dated and not _TIMESTAMP.fullmatch(timestamp):
            return False
        try:
            values: dict[str, Any] = {
                **self._constants,
                "body": request.body.decode(self._charset),
                "url": request.public_url,
                "method": request.method,
                "query": dict(request.query),
                "headers": headers,
                "timestamp": timestamp,
            }
            message = self._over.render(values).encode(self._charset)
        except (UnicodeError, CannotRenderRequest):
            return False
        wanted = signing.write_digest(
            signing.compute_digest(signature.kind, signature.key.encode(), message), signature.encoding
        )
        signed = given(signature.header, signature.query)
        if not hmac.compare_digest(wanted.encode(), signed.encode("utf-8", "replace")):
            return False
        if dated:
            at = int(timestamp) / (1000 if int(timestamp) >= _MILLISECONDS_FROM else 1)
            if abs(now - at) > signature.tolerance_s:
                raise Replayed(f"the callback was signed more than {signature.tolerance_s:g} s away from now")
        return True
