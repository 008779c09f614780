"""报备: what the providers of gateway accounts call a template's version, and how far they are with it."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.content import bindings, library
from sms_service.content.bindings import BindingChange
from sms_service.controls.models import BindingState
from sms_service.directory.text import LONGEST_WHY
from sms_service.said import as_said
from sms_service.web.schemas import In, OneLine, VersionNumber
from sms_service.web.validators import OneOfWords


class WhichVersion(In):
    """Which version; none: the newest."""

    version = VersionNumber(load_default=None)


class BindingForm(In):
    """How far which account's provider is with which version."""

    version = VersionNumber(required=True)
    account = fields.String(required=True)
    state = fields.String(required=True, validate=OneOfWords(list(BindingState)))
    provider_template_id = fields.String(load_default="")
    parameters = fields.String(load_default="")
    note = OneLine(LONGEST_WHY, load_default="")


@page_view("/templates/<int:template_id>/bindings", Permission.read)
def show_bindings(template_id: int) -> str:
    """How far each provider is with a version of it, and the form to write that down."""
    return _show(template_id, read_query(WhichVersion)["version"])


@act_view("/templates/<int:template_id>/bindings", Permission.manage_directory, again=show_bindings)
def bind_one_template(template_id: int) -> Response:
    """Write down how far an account's provider is with a version."""
    form = read_form(BindingForm)
    number, account = form.pop("version"), form.pop("account")
    written = form.pop("parameters")
    parameters = [name for name in re.split(r"[\s,，、;；]+", written) if name] or None
    change = BindingChange(**{**form, "state": BindingState(form["state"]), "parameters": parameters})
    bindings.set_binding(g.session, g.actor, template_id, number, account, change)
    said = as_said("The change is kept.")
    return go_to("console.show_bindings", said=said, template_id=template_id, version=number)


def _show(template_id: int, number: int | None) -> str:
    template, version = library.get_numbered_version(g.session, g.actor, template_id, number)
    found: list[dict[str, Any]] = bindings.list_bindings(g.session, version.id)
    return render_page(
        "bindings.html",
        kept=template,
        version=version,
        places=bindings.list_places(version.body),
        bindings=found,
        accounts=[(one["account"], one["account"]) for one in found],
        states=[(str(state), name_here(state)) for state in BindingState],
        may_change=g.actor.can(Permission.manage_directory, unit_path(g.session, template.unit_id)),
    )
