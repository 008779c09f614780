"""How long phones and texts of a unit's people are kept."""

from __future__ import annotations

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory.units import get_unit
from sms_service.personal.redaction import FEWEST_DAYS, MOST_DAYS, set_redaction
from sms_service.said import say
from sms_service.web.schemas import Whole, WhyIn
from sms_service.web.validators import WithinRange


class RedactionForm(WhyIn):
    """After how many days, or nothing, and why."""

    redact_after_days = Whole(load_default=None, validate=WithinRange(FEWEST_DAYS, MOST_DAYS))


@page_view("/units/<int:unit_id>/redaction", Permission.manage_directory)
def show_redaction(unit_id: int) -> str:
    """After how many days phone and text of the unit's messages are emptied."""
    unit = get_unit(g.session, g.actor, unit_id)
    g.actor.require(Permission.manage_directory, unit.path)
    return render_page("unit_redaction.html", unit=unit, fewest=FEWEST_DAYS, most=MOST_DAYS)


@act_view("/units/<int:unit_id>/redaction", Permission.manage_directory, again=show_redaction)
def set_redaction_of_unit(unit_id: int) -> Response:
    """Set it for the unit and everything below."""
    form = read_form(RedactionForm)
    unit = set_redaction(g.session, g.actor, unit_id, form["redact_after_days"], form["why"])
    said = say("How long texts are kept is set for {unit} and all below it.", unit=unit.name)
    return go_to("console.show_unit", said=said, unit_id=unit_id)
