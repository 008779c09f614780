"""停发: what stands, what a stop would hold, the stop itself and its release."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.stopping import Foreseen, foresee_account_stop, foresee_unit_stop
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.controls import stops
from sms_service.controls.accounts import id_of
from sms_service.controls.models import AccountState, GatewayAccount, Stop
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden, Invalid
from sms_service.said import as_said
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import Id, WhyIn


class StopFilter(PageQuery):
    """What is to be stopped, and whether to list stops that are released too."""

    unit = Id(load_default=None)
    account = fields.String(load_default=None)
    released = fields.Boolean(load_default=False)


class StopForm(WhyIn):
    """What to stop, one of the two, and why."""

    unit_id = Id(load_default=None)
    gateway_account = fields.String(load_default=None)


@page_view("/stops", Permission.operate_campaigns)
def list_stops() -> str:
    """What a stop would hold, with the button; and the stops that stand."""
    query = read_query(StopFilter)
    paths = g.actor.scope(Permission.read)
    statement = stops.find_stops(paths, released=query["released"])
    rows, following = fetch_page(g.session, statement, query, sort="id", key=Stop.id, id_=Stop.id, descending=True)
    may_stop_gateways = stops.may_stop_gateways(g.session, g.actor)
    accounts: list[str] = []
    if may_stop_gateways:
        named = select(GatewayAccount.name).where(GatewayAccount.state != AccountState.removed)
        accounts = list(g.session.scalars(named.order_by(GatewayAccount.name)))
    return render_page(
        "stops.html",
        query=query,
        stops=[{**stops.describe_stop(row), "path": row.path} for row in rows],
        following=following,
        accounts=accounts,
        may_release=lambda path: _may_release(path, may_stop_gateways),
        **_target(query),
    )


@act_view("/stops", Permission.operate_campaigns, again=list_stops)
def stop_sending() -> Response:
    """Let nothing leave any more that it reaches."""
    form = read_form(StopForm)
    if (form["unit_id"] is None) == (form["gateway_account"] is None):
        raise Invalid("unit_id", None, "give either a unit or a gateway account")
    if form["unit_id"] is not None:
        _, made = stops.stop_unit(g.session, g.actor, form["unit_id"], form["why"])
    else:
        _, made = stops.stop_gateway_account(g.session, g.actor, form["gateway_account"], form["why"])
    said = "It is stopped: nothing leaves any more until somebody releases it." if made else "It was stopped already."
    return go_to("console.list_stops", said=as_said(said))


@page_view("/stops/<int:stop_id>", Permission.operate_campaigns)
def show_stop(stop_id: int) -> str:
    """One stop, what it holds, and its release."""
    stop = stops.get_stop(g.session, g.actor, stop_id)
    unit = g.session.get(Unit, stop["unit_id"]) if stop["unit_id"] else None
    if unit is not None:
        allowed = stops.may_stop_unit(g.actor, unit)
        foreseen = foresee_unit_stop(g.session, g.actor, unit)
    else:
        allowed = stops.may_stop_gateways(g.session, g.actor)
        foreseen = foresee_account_stop(g.session, g.actor, stop["gateway_account_id"])
    return render_page("stop.html", stop=stop, foreseen=foreseen, may_release=allowed)


@act_view("/stops/<int:stop_id>/release", Permission.operate_campaigns, again=show_stop)
def release_one_stop(stop_id: int) -> Response:
    """Let texts leave again."""
    stops.release_stop(g.session, g.actor, stop_id, read_form(WhyIn)["why"])
    return go_to("console.list_stops", said=as_said("It is released: texts leave again, unless another stop stands."))


def _target(query: dict[str, Any]) -> dict[str, Any]:
    """What is chosen of what the visitor may stop, and what a stop of it would hold."""
    if query["account"] is not None:
        if not stops.may_stop_gateways(g.session, g.actor):
            raise Forbidden("only who operates the whole service may stop a gateway account")
        account_id = id_of(g.session, query["account"])
        choice = choose_unit(g.session, g.actor, Permission.operate_campaigns, None)
        foreseen: Foreseen | None = foresee_account_stop(g.session, g.actor, account_id)
        standing = stops.find_standing_stop(g.session, gateway_account_id=account_id)
        return {"choice": choice, "foreseen": foreseen, "standing": standing}
    choice = choose_unit(g.session, g.actor, Permission.operate_campaigns, query["unit"], top=True)
    if choice.unit is None:
        return {"choice": choice, "foreseen": None, "standing": None}
    foreseen = foresee_unit_stop(g.session, g.actor, choice.unit)
    standing = stops.find_standing_stop(g.session, unit_id=choice.unit.id)
    return {"choice": choice, "foreseen": foreseen, "standing": standing}


def _may_release(path: str | None, may_stop_gateways: bool) -> bool:
    if path is None:
        return may_stop_gateways
    return bool(g.actor.can(Permission.operate_campaigns, path))
