"""What the gateway accounts of this installation can do and cost."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.web.context import gateways_or_none


def read_rates_and_prices() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Parts per second, and fen for a part, by gateway account; nothing where gateways.toml cannot be used."""
    gateways = gateways_or_none()
    return gateways.rates(), gateways.prices()
