"""Adding a person, changing and moving one, and looking at a whole phone."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.intake import change_taken_in_person, take_in_person
from sms_service.console.entering import confirm_password
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.people import describe_person, show_person
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import people
from sms_service.directory.models import Person, Unit
from sms_service.directory.people_rows import LONGEST_NAME, LONGEST_WORD
from sms_service.errors import Invalid
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, OneLine, WhyIn
from sms_service.web.validators import OneOfWords

_SEPARATORS = re.compile(r"[、，,;；|\n]")


class PersonForm(In):
    """What can be changed about a person on one page."""

    name = OneLine(LONGEST_NAME, required=True)
    kind = fields.String(required=True, validate=OneOfWords(people.KINDS))
    phone = fields.String(load_default=None)
    without_phone = fields.Boolean(load_default=False)
    tags = fields.String(load_default="")
    lost_contact = fields.Boolean(load_default=False)
    left = fields.Boolean(load_default=False)


class NewPersonForm(In):
    """A new person of a unit."""

    unit_id = Id(required=True)
    name = OneLine(LONGEST_NAME, required=True)
    number = OneLine(LONGEST_WORD, load_default=None)
    kind = fields.String(required=True, validate=OneOfWords(people.KINDS))
    phone = fields.String(load_default=None)
    tags = fields.String(load_default="")


class MoveForm(In):
    """Where a person moves to."""

    unit_id = Id(required=True)


@page_view("/people/new", Permission.manage_directory)
def show_new_person() -> str:
    """The form for one more person of a unit."""
    choice = choose_unit(g.session, g.actor, Permission.manage_directory, read_query(UnitQuery)["unit"], top=True)
    return render_page("person_new.html", choice=choice)


@act_view("/people/new", Permission.manage_directory, again=show_new_person)
def add_one_person() -> Response:
    """Add them."""
    form = read_form(NewPersonForm)
    person = take_in_person(g.session, g.actor, **{**form, "tags": _split(form["tags"])})
    return go_to("console.show_person", said=as_said("The person has been added."), person_id=person.id)


@page_view("/people/<int:person_id>/change", Permission.manage_directory)
def show_person_form(person_id: int) -> str:
    """The form with what is known now; the phone is not in it, since it is shown to nobody without a reason."""
    return render_page("person_change.html", person=_to_change(person_id))


@act_view("/people/<int:person_id>/change", Permission.manage_directory, again=show_person_form)
def change_one_person(person_id: int) -> Response:
    """Keep what was changed; what stands as it was is not touched."""
    form = read_form(PersonForm)
    person = people.get_person(g.session, g.actor, person_id)
    was = {
        "name": person.name,
        "kind": person.kind,
        "tags": person.tags,
        "lost_contact": person.lost_contact,
        "left": person.left_at is not None,
    }
    wanted: dict[str, Any] = {**{name: form[name] for name in was}, "tags": _split(form["tags"])}
    changes = {name: value for name, value in wanted.items() if value != was[name]}
    if form["without_phone"]:
        if form["phone"]:
            raise Invalid("without_phone", None, "cannot be ticked together with a new number")
        changes |= {"phone": None}
    elif form["phone"]:
        changes |= {"phone": form["phone"]}
    change_taken_in_person(g.session, g.actor, person_id, **changes)
    said = "The changes are kept." if changes else "Nothing was different; everything stays as it was."
    return go_to("console.show_person", said=as_said(said), person_id=person_id)


@page_view("/people/<int:person_id>/move", Permission.manage_directory)
def show_move(person_id: int) -> str:
    """Where to, and what that means."""
    person = _to_change(person_id)
    now = g.session.get_one(Unit, person.unit_id)
    choice = choose_unit(
        g.session, g.actor, Permission.manage_directory, read_query(UnitQuery)["unit"] or person.unit_id
    )
    return render_page("person_move.html", person=person, now=now, choice=choice)


@act_view("/people/<int:person_id>/move", Permission.manage_directory, again=show_move)
def move_one_person(person_id: int) -> Response:
    """Move the person to another unit."""
    change_taken_in_person(g.session, g.actor, person_id, unit_id=read_form(MoveForm)["unit_id"])
    return go_to("console.show_person", said=as_said("The person belongs to the new unit now."), person_id=person_id)


@page_view("/people/<int:person_id>/phone", Permission.see_phones, methods=("POST",), again=show_person)
def show_whole_phone(person_id: int) -> str:
    """The person's page with the whole phone, for a reason that the trail keeps."""
    confirm_password()
    phone = people.reveal_phone(g.session, g.actor, person_id, read_form(WhyIn)["why"])
    shown = {**describe_person(person_id), "phone": phone, "shown_at": current_context().clock()}
    return render_page("person.html", **shown)


def _to_change(person_id: int) -> Person:
    person = people.get_person(g.session, g.actor, person_id)
    g.actor.require(Permission.manage_directory, unit_path(g.session, person.unit_id))
    return person


def _split(tags: str) -> list[str]:
    return [tag.strip() for tag in _SEPARATORS.split(tags) if tag.strip()]
