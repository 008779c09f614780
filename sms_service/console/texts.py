"""A campaign's text as pages show it where no particular person is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import g, request

from sms_service.accounts.permissions import Permission
from sms_service.audience.reach import is_dotted
from sms_service.console.forms import read_named
from sms_service.console.languages import page_catalogue, translate_here
from sms_service.console.pages import page_view
from sms_service.console.picking import read_picked_values
from sms_service.console.rendering import render_page
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed, compose_text
from sms_service.content.general import fill_places, find_naming_path, name_place
from sms_service.content.language import CompiledTemplate, get_compiled
from sms_service.content.library import get_version
from sms_service.directory.models import Unit
from sms_service.directory.people import get_person
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.said import Said
from sms_service.web.rates import read_route_price

VALUE = "values."  # before the names of the fields that hold a text's values
PEOPLE = "people"  # the fields that name whom it goes to


@page_view("/texts/<int:template_version_id>", Permission.edit_campaigns, fragment=True, methods=("POST",))
def show_text(template_version_id: int) -> str:
    """The text as it is being written: a part of the pages that write one."""
    template, version = get_version(g.session, g.actor, template_version_id)
    text = compose_in_general(
        version.id,
        version.body,
        template.class_,
        request.form.get("signature", "").strip(),
        {**read_named(VALUE), **read_picked_values(version)},
        find_own(request.form.getlist(PEOPLE)[:1]),
    )
    price = read_route_price(request.form.get("route", DEFAULT_ROUTE))
    return render_page("text_bubble.html", text=text, price=price)


def find_own(person_ids: list[str]) -> dict[str, Any] | None:
    """What the first of these people has of their own for a text; None: nobody is named."""
    if not person_ids or not person_ids[0].isdecimal() or len(person_ids[0]) > 18:
        return None
    person = get_person(g.session, g.actor, int(person_ids[0]))
    unit = g.session.get_one(Unit, person.unit_id)
    attributes = {name: value for name, value in person.attributes.items() if not is_dotted(name)}
    return {**attributes, "name": person.name, "unit": unit.name, "number": person.number}


def compose_in_general(
    version_id: int,
    body: str,
    class_: str,
    signature: str,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
) -> Composed | Said:
    """The text with these values and what is a person's `own`; a place that neither fills is named, 〔时间〕.

    Where no text can be made, why.
    """
    try:
        compiled = get_compiled(version_id, body)
    except CannotRender as error:
        return error.said
    path = find_naming_path(g.session, version_id, compiled, values)
    return fill_in_general(compiled, class_, signature, values, own, path)


def fill_in_general(
    template: CompiledTemplate,
    class_: str,
    signature: str,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    path: str = "",
) -> Composed | Said:
    """The same for a text that is not saved yet; `path` is that of a unit whose reference lists name their columns."""
    try:
        filled = fill_places(g.session, template, page_catalogue(), values, own, path)
        return compose_text(template, filled, signature, class_)
    except CannotRender as error:
        return error.said


def describe_body(version_id: int, body: str, labels: Mapping[str, str], most: int = 80) -> list[tuple[bool, str]]:
    """The beginning of a template's text for a list: pieces, each with whether it names what is filled in there, by its
    label where it has one.
    """
    try:
        compiled = get_compiled(version_id, body)
        places = {name: name_place(name, labels, page_catalogue()) for name in compiled.required}
        text = compiled.render(places)
    except CannotRender as error:
        return [(False, translate_here(error.said))]
    if len(text) > most:
        text = f"{text[:most].rpartition('〔')[0] if _is_cut(text[:most]) else text[:most]}…"
    pieces = re.split("〔([^〕]+)〕", text)
    return [(number % 2 == 1, piece) for number, piece in enumerate(pieces) if piece]


def _is_cut(text: str) -> bool:
    return text.rfind("〔") > text.rfind("〕")
