"""Gateway accounts: how each is, what nobody could make sense of, pausing and opening one, and the caps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.stopping import foresee_account_stop
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.content.bindings import find_bindings_of_account
from sms_service.content.policies import describe_policy
from sms_service.controls import account_state, caps
from sms_service.controls.accounts import id_of
from sms_service.controls.models import AccountState, BindingState, Cap, GatewayAccount, PausedBy, TemplateBinding
from sms_service.delivery.models import RefusedCallbacks
from sms_service.delivery.refusals import REASON_PLACE, find_refused
from sms_service.errors import NotFound
from sms_service.reports.account_health import AccountHealth, list_account_health
from sms_service.reports.tasks import TaskKind
from sms_service.reports.unknowns import group_unknown
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.context import current_pace, gateways_or_none
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.rates import read_prices
from sms_service.web.schemas import In, Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange
from sms_service.web.words import name_of

MOST_BOUND = 20  # template versions named on an account's own page
MOST_REFUSED = 5  # lines of refused callbacks, a day and a reason each, on an account's own page

# How many texts of each class a phone may get on a day, left empty: no cap; and why. The caps of a unit are set so too.
CapsForm = WhyIn.from_dict(
    {class_.value: Whole(load_default=None, validate=WithinRange(1, caps.LARGEST)) for class_ in TextClass},
    name="CapsForm",
)


class GatewaysQuery(In):
    """Only the paused accounts of one kind of task."""

    paused = fields.String(load_default=None, validate=OneOfWords([TaskKind.breaker_open, TaskKind.gateway_paused]))


@page_view("/gateways", Permission.operate_service)
def list_gateways() -> str:
    """All accounts with what they did in the last minute."""
    paused = read_query(GatewaysQuery)["paused"]
    return render_page(
        "gateways.html",
        accounts=[one for one in _health() if paused is None or _is_paused(one.account, paused)],
        paused=paused,
        caps={cap.class_: cap.per_day for cap in g.session.scalars(select(Cap))},
        classes=list(TextClass),
        largest=caps.LARGEST,
    )


@page_view("/gateways/<name>", Permission.operate_service)
def show_gateway(name: str) -> str:
    """One account: what waits on it, what was refused at its door, and the button to pause or open it."""
    return render_page("gateway.html", **_describe(name))


@act_view("/gateways/<name>/pause", Permission.operate_service, again=show_gateway)
def pause_one_gateway(name: str) -> Response:
    """Hand it nothing more."""
    account_state.pause_gateway_account(g.session, g.actor, name, **read_form(WhyIn))
    said = say("The account {name} is paused: it is handed nothing more.", name=name)
    return go_to("console.show_gateway", said=said, name=name)


@act_view("/gateways/<name>/open", Permission.operate_service, again=show_gateway)
def open_one_gateway(name: str) -> Response:
    """Hand it texts again."""
    account_state.reopen_gateway_account(g.session, g.actor, name, **read_form(WhyIn))
    said = say("The account {name} is open: it is handed texts again.", name=name)
    return go_to("console.show_gateway", said=said, name=name)


@page_view("/gateways/<name>/callbacks", Permission.operate_service)
def list_refused_callbacks(name: str) -> str:
    """The callbacks that were refused at an account, by day and reason."""
    query = read_query(PageQuery)
    lines, following = _refused(id_of(g.session, name), query)
    return render_page("callbacks.html", name=name, rows=lines, following=following, query=query)


@act_view("/caps", Permission.operate_service, again=list_gateways)
def set_all_caps() -> Response:
    """How many texts of each class one phone may get on a day."""
    form = read_form(CapsForm)
    changed = caps.set_caps(g.session, g.actor, {class_: form[class_] for class_ in TextClass}, form["why"])
    if not changed:
        return go_to("console.list_gateways", said=as_said("The caps are what they were."))
    said = say("The new caps hold: {classes}.", classes=[name_of(class_) for class_ in changed])
    return go_to("console.list_gateways", said=said)


@page_view("/unknowns", Permission.operate_campaigns)
def list_unknowns() -> str:
    """Texts of which nobody can tell whether they were taken, by account and age."""
    paths = g.actor.scope(Permission.operate_campaigns)
    return render_page("unknowns.html", groups=group_unknown(g.session, paths, gateways_or_none()))


def _is_paused(account: GatewayAccount, kind: str) -> bool:
    by_breaker = account.paused_by == PausedBy.breaker
    return account.state == AccountState.paused and by_breaker == (kind == TaskKind.breaker_open)


def _health() -> list[AccountHealth]:
    gateways = gateways_or_none()
    return list_account_health(g.session, g.actor, gateways, current_pace(gateways))


def _describe(name: str) -> dict[str, Any]:
    health = next((one for one in _health() if one.account.name == name), None)
    if health is None:
        raise NotFound("gateway account", name)
    account_id = id_of(g.session, name)
    bound = find_bindings_of_account(account_id, g.actor.scope(Permission.read))
    bound = bound.order_by(TemplateBinding.changed_at.desc(), TemplateBinding.template_version_id.desc())
    refused, more = _refused(account_id, {"limit": MOST_REFUSED, "cursor": None})
    return {
        "health": health,
        "account": health.account,
        "paused_by": health.account.paused_by and PausedBy(health.account.paused_by),
        "policy": describe_policy(health.account.needs_binding, health.account.policy),
        "price": read_prices().get(name),
        "bound": [
            (row, BindingState(row.TemplateBinding.state)) for row in g.session.execute(bound.limit(MOST_BOUND + 1))
        ],
        "most_bound": MOST_BOUND,
        "refused": refused,
        "more_refused": more is not None,
        "foreseen": foresee_account_stop(g.session, g.actor, account_id),
        "can_pause": health.account.state == AccountState.open,
        "can_open": health.account.state == AccountState.paused,
    }


def _refused(account_id: int, query: Mapping[str, Any]) -> tuple[list[RefusedCallbacks], str | None]:
    lines = find_refused(account_id)
    day, place = RefusedCallbacks.day, REASON_PLACE
    return fetch_page(g.session, lines, query, sort="day", key=day, id_=place, descending=True)
