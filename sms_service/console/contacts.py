"""Who a unit is reached through: roles given and taken, and the branches in which nobody is reachable."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.contacts import find_unreached_branches, list_holders
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.people import search_people
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import contacts, people
from sms_service.directory.models import Contact, Unit
from sms_service.directory.people_rows import LONGEST_WORD
from sms_service.directory.units import get_unit
from sms_service.errors import NotFound
from sms_service.said import say
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine

MOST_FOUND = 20


class LackingFilter(ScopedPageQuery):
    """Which branches. `managed`: only those that the visitor manages, as the task on the first page counts them."""

    role = OneLine(LONGEST_WORD, load_default=None)
    managed = fields.Boolean(load_default=False)


class ContactForm(In):
    """A role in a unit."""

    unit_id = Id(required=True)
    role = OneLine(LONGEST_WORD, required=True)


@page_view("/units/without-contact", Permission.read)
def list_lacking_units() -> str:
    """The branches in which nobody who holds a role is reachable, with their members."""
    query = read_query(LackingFilter)
    permission = Permission.manage_directory if query["managed"] else Permission.read
    scope = scope_filter(g.session, g.actor, permission, query["unit"])
    statement = find_unreached_branches(scope.paths, role=query["role"])
    rows, following = fetch_page(g.session, statement, query, sort="code", key=Unit.code, id_=Unit.id)
    names = {unit.id: unit.name for unit in _units_above([row.Unit for row in rows])}
    return render_page(
        "units_lacking.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        above=names,
        held=list_holders(g.session, [row.Unit.id for row in rows], query["role"]),
        roles=contacts.list_role_words(g.session, g.actor.scope(Permission.read)),
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"]),
        may_give=lambda path: g.actor.can(Permission.manage_directory, path),
    )


@page_view("/units/<int:unit_id>/contacts", Permission.manage_directory, methods=("GET", "POST"))
def show_unit_contacts(unit_id: int) -> str:
    """Who holds a role in the unit; or the people that a search finds, to give one of them a role there."""
    unit = get_unit(g.session, g.actor, unit_id)
    g.actor.require(Permission.manage_directory, unit.path)
    wanted = request.form.get("wanted", "")[:100] if request.method == "POST" else None
    found = search_people(wanted, MOST_FOUND + 1) if wanted else []
    may = [row for row in found if row.Person.left_at is None]
    return render_page(
        "unit_contacts.html",
        unit=unit,
        holders=list_holders(g.session, [unit.id], most=200).get(unit.id, []),
        wanted=wanted,
        found=may[:MOST_FOUND],
        more=len(found) > MOST_FOUND,
        most=MOST_FOUND,
    )


@page_view("/people/<int:person_id>/roles", Permission.manage_directory)
def show_roles(person_id: int) -> str:
    """The person's roles, each with a button that ends it, and the form for one more."""
    person = people.get_person(g.session, g.actor, person_id)
    path = unit_path(g.session, person.unit_id)
    g.actor.require(Permission.manage_directory, path)
    held = people.roles_of(g.session, [person_id])[person_id]
    units = {one.id: one for one in g.session.scalars(select(Unit).where(Unit.id.in_({o.unit_id for o in held})))}
    unit_id = read_query(UnitQuery)["unit"] or person.unit_id
    return render_page(
        "roles.html",
        person=person,
        held=[
            {
                "contact": one,
                "unit": units[one.unit_id].name if g.actor.can(Permission.read, units[one.unit_id].path) else None,
                "may_take": g.actor.can(Permission.manage_directory, units[one.unit_id].path),
            }
            for one in held
        ],
        choice=choose_unit(g.session, g.actor, Permission.manage_directory, unit_id),
        roles=contacts.list_role_words(g.session, g.actor.scope(Permission.read)),
    )


@act_view("/people/<int:person_id>/roles", Permission.manage_directory, again=show_roles)
def give_one_role(person_id: int) -> Response:
    """Let the person hold it."""
    form = read_form(ContactForm)
    given, made = contacts.give_contact_role(g.session, g.actor, person_id, form["unit_id"], form["role"])
    unit = g.session.get_one(Unit, given.unit_id).name
    message = "The person holds the role {role} in {unit} now." if made else "The person held the role before."
    said = say(message, role=given.role, unit=unit) if made else say(message)
    return go_to("console.show_person", said=said, person_id=person_id)


@act_view("/people/<int:person_id>/roles/<int:contact_id>/take", Permission.manage_directory)
def take_one_role(person_id: int, contact_id: int) -> Response:
    """Let the person hold it no more."""
    held = g.session.get(Contact, contact_id)
    if held is not None and held.person_id != person_id:
        raise NotFound("contact", contact_id)
    taken = contacts.take_contact_role(g.session, g.actor, contact_id)
    said = say("The person does not hold the role {role} there any more.", role=taken.role)
    return go_to("console.show_roles", said=said, person_id=person_id)


def _units_above(found: list[Unit]) -> list[Any]:
    above = g.session.scalars(select(Unit).where(Unit.id.in_({unit.parent_id for unit in found})))
    return [unit for unit in above if g.actor.can(Permission.read, unit.path)]
