"""封账: the sealed days, and one of them: what was sealed beside what is now, and every amendment since."""

from __future__ import annotations

from flask import g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.blueprint import blueprint
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.reports.sealed_days import MOST_AMENDMENTS, list_seals, read_sealed_day
from sms_service.web.days import read_day_in_address
from sms_service.web.paging import scope_filter
from sms_service.web.schemas import MAX_ID, Id, In, Whole
from sms_service.web.validators import WithinRange
from sms_service.web.words import name_word

MOST_SEALS = 31

blueprint.add_app_template_filter(lambda cause: translate_here(name_word("amendment", cause)), "amendment_cause")


class SealsQuery(In):
    """Whose amendments are counted, and days before which."""

    unit = Id(load_default=None)
    before = fields.Date(load_default=None)


class SealQuery(In):
    """Of which unit, and the amendments after which."""

    unit = Id(load_default=None)
    after = Whole(load_default=0, validate=WithinRange(0, MAX_ID))


@page_view("/seals", Permission.read)
def show_seals() -> str:
    """The sealed days with their digests and how often their rows changed since."""
    query = read_query(SealsQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    seals = list_seals(g.session, scope.paths, query["before"], MOST_SEALS)
    following = seals[-1].day if len(seals) == MOST_SEALS else None
    choice = choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True)
    return render_page("seals.html", seals=seals, scope=scope.units, query=query, following=following, choice=choice)


@page_view("/seals/<day>", Permission.read)
def show_sealed_day(day: str) -> str:
    """One sealed day: what was sealed of a unit, what was amended since, and what the ledger says now."""
    query = read_query(SealQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    found = read_sealed_day(g.session, scope.paths, read_day_in_address(day), query["after"])
    more = found.amendments[-1].id if len(found.amendments) == MOST_AMENDMENTS else None
    here = {"since": day, "until": day} | ({"unit": query["unit"]} if query["unit"] else {})
    return render_page(
        "sealed_day.html",
        found=found,
        scope=scope.units,
        query=query,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        next=url_for("console.show_sealed_day", day=day, unit=query["unit"], after=more) if more else None,
        rows=here,
    )
