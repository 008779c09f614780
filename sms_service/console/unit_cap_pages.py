"""A unit's caps: how many texts of a class a phone of it may get on a day."""

from __future__ import annotations

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form
from sms_service.console.gateways import CapsForm
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.controls import unit_caps
from sms_service.controls.caps import LARGEST
from sms_service.directory.units import get_unit
from sms_service.said import as_said
from sms_service.vocabulary import TextClass


@page_view("/units/<int:unit_id>/caps", Permission.read)
def show_unit_caps(unit_id: int) -> str:
    """How many texts of each class a phone of the unit may get on a day."""
    unit = get_unit(g.session, g.actor, unit_id)
    return render_page(
        "unit_caps.html",
        unit=unit,
        caps=unit_caps.list_unit_caps(g.session, g.actor, unit_id),
        largest=LARGEST,
        may_change=g.actor.can(Permission.manage_directory, unit.path),
    )


@act_view("/units/<int:unit_id>/caps", Permission.manage_directory, again=show_unit_caps)
def set_caps_of_unit(unit_id: int) -> Response:
    """Set the unit's own caps."""
    form = read_form(CapsForm)
    caps = {class_.value: form[class_.value] for class_ in TextClass}
    changed = unit_caps.set_unit_caps(g.session, g.actor, unit_id, caps, form["why"])
    said = as_said("The new caps hold for the unit and all below it." if changed else "The caps are what they were.")
    return go_to("console.show_unit_caps", said=said, unit_id=unit_id)
