"""The process's adapters: one for each account, built when first used."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

from sms_service import settings
from sms_service.errors import NotFound
from sms_service.gateways import config, discovery
from sms_service.gateways.base import Adapter, CodeMeaning
from sms_service.gateways.config import DEFAULT_ROUTE, AccountConfig, ConfiguredMember, GatewayConfig


def build_adapter(account: AccountConfig, callback_base_url: str) -> Adapter:
    """A new adapter of `account`. Providers reach us at `<callback_base_url>/callbacks/<account>`."""
    module = discovery.find_adapter(account.adapter)
    if module is None:
        raise NotFound("gateway adapter", account.adapter)
    return module.create(account.name, account.options, f"{callback_base_url}/callbacks/{account.name}")


class Gateways:
    """Accounts, routes and adapters. Thread-safe; after a fork the child builds adapters and connections of its own.

    `callback_base_url` is the public URL of this service without a trailing slash.
    """

    def __init__(self, configuration: GatewayConfig, callback_base_url: str) -> None:
        self.config = configuration
        self._callback_base_url = callback_base_url
        self._lock = threading.Lock()
        self._adapters: dict[str, Adapter] = {}
        # A weak reference, so that the hook does not keep a registry that nobody uses any more.
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    @classmethod
    def from_file(cls, path: Path, callback_base_url: str, environ: Mapping[str, str] | None = None) -> Gateways:
        """The accounts of `gateways.toml`, its variables from `environ` (by default the process's own, over `.env`).

        Raises config.BadGatewayConfig.
        """
        return cls(
            config.load_gateway_config(path, settings.read_environment() if environ is None else environ),
            callback_base_url,
        )

    def account(self, name: str) -> AccountConfig:
        """The account's configuration. Raises NotFound."""
        try:
            return self.config.accounts[name]
        except KeyError:
            raise NotFound("gateway account", name) from None

    def route(self, name: str = DEFAULT_ROUTE) -> tuple[ConfiguredMember, ...]:
        """The route's accounts, by priority. Raises NotFound."""
        try:
            return self.config.routes[name]
        except KeyError:
            raise NotFound("route", name) from None

    def adapter(self, name: str) -> Adapter:
        """The account's adapter. Raises NotFound."""
        account = self.account(name)
        with self._lock:
            if name not in self._adapters:
                self._adapters[name] = build_adapter(account, self._callback_base_url)
            return self._adapters[name]

    def group_size(self, name: str) -> int:
        """How many texts one `submit` gets: as the file says, but no more than the adapter can take. Raises
        NotFound.
        """
        return min(self.account(name).max_group, self.adapter(name).capabilities.largest_group)

    def rates(self) -> dict[str, float]:
        """Parts per second of each account: as the file says, or else as its adapter declares."""
        return {
            name: self.adapter(name).capabilities.rate if account.rate is None else account.rate
            for name, account in self.config.accounts.items()
        }

    def prices(self) -> dict[str, float]:
        """Fen for each part, of the accounts whose price the file says."""
        accounts = self.config.accounts.items()
        return {name: account.price_per_part for name, account in accounts if account.price_per_part is not None}

    def needs_templates(self, name: str) -> bool:
        """Whether the account takes only texts whose template its provider has registered: its policy says so, or its
        adapter can hand over no others. Raises NotFound.
        """
        wanted = self.account(name).policy.templates == "required"
        return wanted or self.adapter(name).capabilities.needs_templates

    def in_flight(self, name: str) -> int:
        """How many groups one worker has under way on the account at once. Raises NotFound."""
        return self.account(name).in_flight

    def known_codes(self, name: str) -> frozenset[str]:
        """The provider's codes that the account's adapter knows; none if the file does not have the account."""
        return self.adapter(name).capabilities.known_codes if name in self.config.accounts else frozenset()

    def find_meaning(self, name: str, use: str, code: str) -> CodeMeaning | None:
        """What a code of the account's provider means in an `answer` or a `receipt`; None if no table says."""
        if name not in self.config.accounts:
            return None
        return self.adapter(name).capabilities.meanings.get((use, code))

    def looks_up(self, name: str) -> bool:
        """Whether the account's provider can be asked what became of a text; False if the file does not have it."""
        return name in self.config.accounts and self.adapter(name).capabilities.look_up_after_s is not None

    def links(self) -> set[str]:
        """The accounts whose adapters are links: each has its own process, which hands it texts."""
        return {name for name in self.config.accounts if self.adapter(name).capabilities.link}

    def close(self) -> None:
        """Release every adapter's connections; no `submit` follows."""
        with self._lock:
            adapters, self._adapters = self._adapters, {}
        for adapter in adapters.values():
            adapter.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._adapters = {}
