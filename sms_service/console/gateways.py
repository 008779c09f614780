"""Gateway accounts: how each is, what nobody could make sense of, pausing and opening one, and the caps."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.stopping import foresee_account_stop
from sms_service.console.forms import WhyForm, read_form
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.controls import account_state, caps
from sms_service.controls.accounts import id_of
from sms_service.controls.models import AccountState, Cap
from sms_service.delivery.models import RefusedCallbacks
from sms_service.delivery.refusals import find_refused
from sms_service.errors import NotFound
from sms_service.reports.account_health import AccountHealth, list_account_health
from sms_service.reports.unknowns import group_unknown
from sms_service.said import say
from sms_service.vocabulary import TextClass
from sms_service.web.context import current_pace, gateways_or_none
from sms_service.web.schemas import In, Whole
from sms_service.web.validators import OneOfWords, WithinRange

MOST_REFUSED = 60  # lines of refused callbacks: a day and a reason each


class CapForm(In):
    """How many texts of a class a phone may get on a day; left empty: any number."""

    class_ = fields.String(data_key="class", required=True, validate=OneOfWords([*TextClass]))
    per_day = Whole(load_default=None, validate=WithinRange(1, caps.LARGEST))


@page_view("/gateways", Permission.operate_service)
def list_gateways() -> str:
    """All accounts with what they did in the last minute."""
    return render_page(
        "gateways.html",
        accounts=_health(),
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
    account_state.pause_gateway_account(g.session, g.actor, name, **read_form(WhyForm))
    said = say("The account {name} is paused: it is handed nothing more.", name=name)
    return go_to("console.show_gateway", said=said, name=name)


@act_view("/gateways/<name>/open", Permission.operate_service, again=show_gateway)
def open_one_gateway(name: str) -> Response:
    """Hand it texts again."""
    account_state.reopen_gateway_account(g.session, g.actor, name, **read_form(WhyForm))
    said = say("The account {name} is open: it is handed texts again.", name=name)
    return go_to("console.show_gateway", said=said, name=name)


@act_view("/caps", Permission.operate_service, again=list_gateways)
def set_one_cap() -> Response:
    """How many texts of a class one phone may get on a day."""
    form = read_form(CapForm)
    if form["per_day"] is not None:
        caps.set_cap(g.session, g.actor, form["class_"], form["per_day"])
    elif g.session.get(Cap, form["class_"]) is not None:  # left empty where there was none: nothing changes
        caps.remove_cap(g.session, g.actor, form["class_"])
    return go_to("console.list_gateways", said=say("The cap is kept."))


@page_view("/unknowns", Permission.operate_campaigns)
def list_unknowns() -> str:
    """Texts of which nobody can tell whether they were taken, by account and age."""
    paths = g.actor.scope(Permission.operate_campaigns)
    return render_page("unknowns.html", groups=group_unknown(g.session, paths, gateways_or_none()))


def _health() -> list[AccountHealth]:
    gateways = gateways_or_none()
    return list_account_health(g.session, g.actor, gateways, current_pace(gateways))


def _describe(name: str) -> dict[str, Any]:
    health = next((one for one in _health() if one.account.name == name), None)
    if health is None:
        raise NotFound("gateway account", name)
    account_id = id_of(g.session, name)
    newest = find_refused(account_id).order_by(RefusedCallbacks.day.desc(), RefusedCallbacks.reason)
    return {
        "health": health,
        "account": health.account,
        "refused": g.session.scalars(newest.limit(MOST_REFUSED)).all(),
        "foreseen": foresee_account_stop(g.session, g.actor, account_id),
        "can_pause": health.account.state == AccountState.open,
        "can_open": health.account.state == AccountState.paused,
    }
