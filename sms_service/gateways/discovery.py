"""Finds adapters: our own by name, third parties' by the entry-point group `sms_service.gateways`."""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from sms_service.gateways.base import Adapter

ENTRY_POINT_GROUP = "sms_service.gateways"

BUILT_IN = {
    "simulator": "sms_service.gateways.simulator.adapter",
    "twilio": "sms_service.gateways.twilio.adapter",
    "smpp": "sms_service.gateways.smpp.adapter",
    "http": "sms_service.gateways.http.adapter",
    "mas": "sms_service.gateways.mas.adapter",
    "null": "sms_service.gateways.null",
}


class BadAdapter(Exception):
    """An installed package's adapter cannot be used; the message names the package and says what is wrong with it."""


class AdapterModule(Protocol):
    """What a module, or another object that an entry point names, must have to be an adapter."""

    @property
    def Options(self) -> type[Any]:
        """The frozen dataclass of its options, made with `gateways.options.option`."""

    def create(self, name: str, options: Any, callback_url: str) -> Adapter:
        """The adapter of the account `name`; providers push to `callback_url`. Opens no connection yet."""


def adapter_names() -> list[str]:
    """Every adapter that `adapter = "…"` can name here, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def find_adapter(adapter: str) -> AdapterModule | None:
    """The adapter's module, or None if there is none of that name. Our own cannot be replaced by an entry point.

    Raises BadAdapter.
    """
    if adapter in BUILT_IN:
        return cast(AdapterModule, import_module(BUILT_IN[adapter]))
    for point in entry_points(group=ENTRY_POINT_GROUP, name=adapter):
        return _loaded(point)
    return None


def _loaded(point: EntryPoint) -> AdapterModule:
    package = f"package {point.dist.name} {point.dist.version}" if point.dist else "an installed package"
    where = f"comes from {package} as {point.value}, which"
    try:
        module = point.load()
    except Exception as error:  # a foreign module can raise anything while it is imported
        raise BadAdapter(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    options = getattr(module, "Options", None)
    if not isinstance(options, type) or not is_dataclass(options):
        raise BadAdapter(f"{where} has no dataclass Options")
    if not callable(getattr(module, "create", None)):
        raise BadAdapter(f"{where} has no function create(name, options, callback_url)")
    return cast(AdapterModule, module)
