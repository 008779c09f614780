"""What the gateway accounts of this installation can do and cost."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.web.context import gateways_or_none


def read_prices() -> Mapping[str, float]:
    """Fen for a part, by gateway account; nothing where gateways.toml cannot be used."""
    return gateways_or_none().prices()


def read_route_price(route: str) -> float | None:
    """Fen for a part on a route whose accounts all take the same; None where they do not, or one is not known."""
    configuration = gateways_or_none().config
    members = configuration.routes.get(route, ())
    prices = {configuration.accounts[member.account].price_per_part for member in members}
    return prices.pop() if len(prices) == 1 else None


def read_rates_and_prices() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Parts per second, and fen for a part, by gateway account; nothing where gateways.toml cannot be used."""
    gateways = gateways_or_none()
    return gateways.rates(), gateways.prices()
