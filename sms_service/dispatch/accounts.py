"""Gateway accounts and routes: gateways.toml says what they are, the database what state they are in."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.dispatch.models import GatewayAccount, Route, RouteMember
from sms_service.gateways.registry import Gateways


def synchronise(session: Session, gateways: Gateways) -> None:
    """Make the database's accounts and routes those of the file. An account keeps its state; one that left the file
    is `removed`.
    """
    configured = gateways.config.accounts
    for name, account in sorted(configured.items()):
        simulated = gateways.adapter(name).capabilities.simulated
        session.execute(
            insert(GatewayAccount)
            .values(name=name, adapter=account.adapter, simulated=simulated)
            .on_conflict_do_update(index_elements=["name"], set_={"adapter": account.adapter, "simulated": simulated})
        )
    known = dict(session.execute(select(GatewayAccount.name, GatewayAccount.id)).all())
    for name in known:
        gone = name not in configured
        before, after = ("open", "removed") if gone else ("removed", "open")
        session.execute(
            update(GatewayAccount)
            .where(GatewayAccount.name == name, GatewayAccount.state == before)
            .values(state=after)
        )
    for name, members in sorted(gateways.config.routes.items()):
        session.execute(insert(Route).values(name=name).on_conflict_do_nothing())
        route_id = session.scalars(select(Route.id).where(Route.name == name)).one()
        session.execute(delete(RouteMember).where(RouteMember.route_id == route_id))
        session.execute(
            insert(RouteMember),
            [
                {"route_id": route_id, "account_id": known[member], "priority": place}
                for place, member in enumerate(members, 1)
            ],
        )
