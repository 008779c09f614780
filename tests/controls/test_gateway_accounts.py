"""The routes of gateways.toml in the database: who is tried first, and who shares with whom."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sms_service.controls.accounts import find_routes, synchronise_gateways
from sms_service.gateways.config import ConfiguredMember
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways


def routes(session: Session) -> dict[str, list[tuple[str, int, int]]]:
    """Each route's members: name, priority, weight."""
    return {
        row.Route.name: [(member["name"], member["priority"], member["weight"]) for member in row.members]
        for row in session.execute(find_routes())
    }


def test_a_routes_members_keep_priority_and_weight_and_are_listed_in_order(session: Session) -> None:
    adapters = {name: ScriptedAdapter() for name in ("a", "b", "c")}
    route = (ConfiguredMember("c", 1, 3), ConfiguredMember("b", 1, 1), ConfiguredMember("a", 2, 7))
    synchronise_gateways(session, ScriptedGateways(adapters, route=route))
    assert routes(session) == {"default": [("b", 1, 1), ("c", 1, 3), ("a", 2, 7)]}
    synchronise_gateways(session, ScriptedGateways(adapters))
    assert routes(session) == {"default": [("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]}, "the file is what counts"
