"""Gateway accounts and routes: gateways.toml says what they are, the database what state they are in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Select, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from sms_service.dispatch.models import GatewayAccount, Route, RouteMember
from sms_service.gateways.registry import Gateways


def synchronise(session: Session, gateways: Gateways) -> None:
    """Make the database's accounts and routes those of the file. An account keeps its state; one that left the file
    is `removed`.
    """
    configured = gateways.config.accounts
    for name, account in sorted(configured.items()):
        capabilities = gateways.adapter(name).capabilities
        columns = {
            "adapter": account.adapter,
            "simulated": capabilities.simulated,
            "receipt_parts": account.receipt_parts,
            "names_groups": capabilities.names_groups,
        }
        session.execute(
            insert(GatewayAccount)
            .values(name=name, **columns)
            .on_conflict_do_update(index_elements=["name"], set_=columns)
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
                {
                    "route_id": route_id,
                    "account_id": known[member.account],
                    "priority": member.priority,
                    "weight": member.weight,
                }
                for member in members
            ],
        )


def find_accounts() -> Select[GatewayAccount]:
    """All gateway accounts, to be ordered and paged."""
    return select(GatewayAccount)


def find_routes() -> Select[Route, list[dict[str, Any]]]:
    """All routes, to be ordered and paged, each with its `members` in the order in which they are tried: an account's
    name, its priority and its weight.
    """
    member = func.json_build_object(
        "name", GatewayAccount.name, "priority", RouteMember.priority, "weight", RouteMember.weight
    )
    in_order = aggregate_order_by(member, RouteMember.priority, GatewayAccount.name)
    members = (
        select(func.coalesce(func.json_agg(in_order, type_=JSON), literal_column("'[]'::json", JSON)))
        .select_from(RouteMember)
        .join(GatewayAccount, GatewayAccount.id == RouteMember.account_id)
        .where(RouteMember.route_id == Route.id)
        .correlate(Route)
        .scalar_subquery()
    )
    return select(Route, members.label("members"))
