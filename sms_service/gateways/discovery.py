"""Which adapters there are: our own by name, third parties' by the entry-point group `sms_service.gateways`."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from sms_service.gateways.base import Adapter

ENTRY_POINT_GROUP = "sms_service.gateways"

BUILT_IN = {
    "simulator": "sms_service.gateways.simulator.adapter",
    "twilio": "sms_service.gateways.twilio",
    "null": "sms_service.gateways.null",
}


class AdapterModule(Protocol):
    """What a module (or whatever an entry point names) must have to be an adapter."""

    @property
    def Options(self) -> type[Any]:
        """The frozen dataclass of its options, made with `gateways.options.option`."""

    def create(self, name: str, options: Any, callback_url: str) -> Adapter:
        """The adapter of the account `name`; providers push to `callback_url`. Opens no connection yet."""


def names() -> list[str]:
    """Every adapter that `adapter = "…"` can name here, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def find(adapter: str) -> AdapterModule | None:
    """The adapter's module, or None if there is none of that name. Our own cannot be replaced by an entry point."""
    if adapter in BUILT_IN:
        return cast(AdapterModule, import_module(BUILT_IN[adapter]))
    for point in entry_points(group=ENTRY_POINT_GROUP, name=adapter):
        return cast(AdapterModule, point.load())
    return None
