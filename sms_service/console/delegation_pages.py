"""审批委托: the right to approve that one has lent to others or got from them, until the end of a day."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.models import Delegation
from sms_service.accounts.permissions import Permission
from sms_service.campaigns import delegations
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.languages import write_day
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.text import LONGEST_WHY
from sms_service.said import as_said, say
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, OneLine

_MOST_SHOWN = 100


class DelegationForm(In):
    """What is lent to whom, until when and why."""

    unit_id = Id(required=True)
    login = fields.String(required=True)
    until = fields.Date(required=True)
    why = OneLine(LONGEST_WHY, required=True)


@page_view("/me/delegations", Permission.approve_campaigns)
def list_own_delegations() -> str:
    """What one has lent and got, and the form to lend."""
    query = read_query(UnitQuery)
    statement = delegations.find_delegations((), g.actor.account_id).order_by(Delegation.id.desc()).limit(_MOST_SHOWN)
    found = [delegations.name_delegation(row) for row in g.session.execute(statement)]
    own = delegations.list_own_units(g.session, g.actor)
    unit_id = query["unit"] or (own[0].id if own else None)
    place = choose_unit(g.session, g.actor, Permission.approve_campaigns, unit_id, top=True) if own else None
    zone = ZoneInfo(place.unit.timezone if place and place.unit else "Asia/Shanghai")
    today = current_context().clock().astimezone(zone).date()
    return render_page(
        "delegations.html",
        lent=[one for one in found if one.delegation.lender_id == g.actor.account_id],
        got=[one for one in found if one.delegation.account_id == g.actor.account_id],
        place=place,
        suggested=delegations.suggest_delegates(g.session, g.actor, place.unit) if place and place.unit else [],
        first=today,
        last=today + timedelta(days=delegations.LONGEST_DAYS),
        longest=delegations.LONGEST_DAYS,
        longest_why=LONGEST_WHY,
    )


@act_view("/me/delegations", Permission.approve_campaigns, again=list_own_delegations)
def lend_own_approval() -> Response:
    """Let somebody else approve until the end of a day."""
    made = delegations.lend_approval(g.session, g.actor, **read_form(DelegationForm))
    message = "{name} may approve for you until the end of {day}. It ends by itself."
    said = say(message, name=made.delegate, day=write_day(made.delegation.until))
    return go_to("console.list_own_delegations", said=said)


@act_view("/me/delegations/<int:delegation_id>/end", Permission.approve_campaigns)
def end_own_delegation(delegation_id: int) -> Response:
    """End what one has lent or got, at once."""
    delegations.end_delegation(g.session, g.actor, delegation_id)
    return go_to("console.show_me", said=as_said("The delegation is over."))
