"""Gateway accounts and routes: gateways.toml says what they are, the database what state they are in."""

from __future__ import annotations

from sqlalchemy import Select, Text, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array, insert
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


def find_accounts() -> Select[GatewayAccount]:
    """All gateway accounts, to be ordered and paged."""
    return select(GatewayAccount)


def find_routes() -> Select[Route, list[str]]:
    """All routes, to be ordered and paged, each with the names of its accounts in the order in which they are tried."""
    empty = cast(array([], type_=Text), ARRAY(Text))
    members = (
        select(func.coalesce(func.array_agg(aggregate_order_by(GatewayAccount.name, RouteMember.priority)), empty))
        .join(RouteMember, RouteMember.account_id == GatewayAccount.id)
        .where(RouteMember.route_id == Route.id)
        .correlate(Route)
        .scalar_subquery()
    )
    return select(Route, members.label("accounts"))
