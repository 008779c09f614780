"""What the gateway accounts of this installation can do and cost."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.gateways.config import BadGatewayConfig
from sms_service.web.context import current_context


def read_rates_and_prices() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Parts per second, and fen for a part, by gateway account; nothing where gateways.toml cannot be used."""
    try:
        gateways = current_context().gateways
        return gateways.rates(), gateways.prices()
    except BadGatewayConfig:  # as where accounts are listed: `doctor` says what is wrong, the rest can be foreseen
        return {}, {}
