"""Gateway accounts and routes: gateways.toml says what they are, and the database says which state they are in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, and_, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from sms_service.controls.models import AccountState, BindingState, GatewayAccount, Route, RouteMember, TemplateBinding
from sms_service.db.locks import LockKey, take_lock
from sms_service.errors import NotFound
from sms_service.gateways.registry import Gateways


def synchronise_gateways(session: Session, gateways: Gateways) -> None:
    """Copy the accounts and routes of the file to the database. An account keeps its state; an account that is not in
    the file any more becomes `removed`.
    """
    take_lock(session, LockKey.synchronise_gateways)
    configured = gateways.config.accounts
    # Read first and change only what differs: every worker does this when it starts, and gates lock these rows.
    now = session.scalars(select(func.sms_now())).one()
    columns = {name: _columns(gateways, name) for name in sorted(configured)}
    for name, values in columns.items():
        session.execute(insert(GatewayAccount).values(name=name, state_since=now, **values).on_conflict_do_nothing())
    accounts = {account.name: account for account in session.scalars(select(GatewayAccount))}
    for name, account in accounts.items():
        if name not in configured:
            if account.state == AccountState.open:
                account.state, account.state_since = AccountState.removed.value, now
            continue
        if account.state == AccountState.removed:
            account.state, account.state_since = AccountState.open.value, now
        for column, value in columns[name].items():
            setattr(account, column, value)
    session.flush()
    for name, members in sorted(gateways.config.routes.items()):
        session.execute(insert(Route).values(name=name).on_conflict_do_nothing())
        route_id = session.scalars(select(Route.id).where(Route.name == name)).one()
        session.execute(delete(RouteMember).where(RouteMember.route_id == route_id))
        session.execute(
            insert(RouteMember),
            [
                {
                    "route_id": route_id,
                    "gateway_account_id": accounts[member.account].id,
                    "priority": member.priority,
                    "weight": member.weight,
                }
                for member in members
            ],
        )


def _columns(gateways: Gateways, name: str) -> dict[str, Any]:
    account, capabilities = gateways.account(name), gateways.adapter(name).capabilities
    return {
        "adapter": account.adapter,
        "simulated": capabilities.simulated,
        "receipt_parts": account.receipt_parts,
        "longest_signature": account.longest_signature,
        "shared": account.shared,
        "needs_binding": gateways.needs_templates(name),
        "policy": account.policy.as_json(),
        "price_fen": gateways.prices().get(name),
        "names_groups": capabilities.names_groups,
        "names_parts": capabilities.names_parts,
        "one_text": capabilities.one_text,
    }


def id_of(session: Session, name: str) -> int:
    """The id of a gateway account. Raises NotFound if the database does not know it."""
    gateway_account_id = session.scalar(select(GatewayAccount.id).where(GatewayAccount.name == name))
    if gateway_account_id is None:
        raise NotFound("gateway account", name)
    return gateway_account_id


def find_accounts() -> Select[GatewayAccount]:
    """All gateway accounts, to be ordered and paged."""
    return select(GatewayAccount)


def lacks_binding(version_id: int | ColumnElement[int] | None) -> ColumnElement[bool]:
    """SQL over gateway accounts: whether the account takes registered templates alone and has no usable binding of this
    template version; of a text that was rendered from none that is kept: whether it takes registered templates alone.
    """
    usable = select(TemplateBinding.state).where(
        TemplateBinding.gateway_account_id == GatewayAccount.id,
        TemplateBinding.template_version_id == version_id,
        TemplateBinding.state == BindingState.usable,
    )
    # The account is of the query around this one, and so may be the row that has the version, such as a campaign.
    return and_(GatewayAccount.needs_binding, ~usable.correlate_except(TemplateBinding).exists())


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
        .join(GatewayAccount, GatewayAccount.id == RouteMember.gateway_account_id)
        .where(RouteMember.route_id == Route.id)
        .correlate(Route)
        .scalar_subquery()
    )
    return select(Route, members.label("members"))
