"""`/units/…/contacts`: who holds a role in a unit, and the branches that nobody can be reached through."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience.contacts import LEFT, RoleHolder, find_unreached_branches, list_holders
from sms_service.audience.reachable import SUSPECT
from sms_service.directory import contacts
from sms_service.directory.models import Contact, Unit
from sms_service.directory.people_rows import LONGEST_WORD
from sms_service.directory.units import get_unit
from sms_service.errors import NotFound
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, list_of

blueprint = Blueprint("contacts", description="Who holds a role in a unit: the people a unit is reached through.")


class ContactIn(In):
    """A person and the role that they begin to hold."""

    person_id = Id(required=True, metadata={"description": "The person, who may belong to another unit"})
    role = OneLine(LONGEST_WORD, required=True, metadata={"description": "The role, such as 书记"})


class ContactOut(Out):
    """Somebody who holds a role in a unit."""

    id = fields.Integer(attribute="contact_id", metadata={"description": "The contact's id"})
    person_id = fields.Integer(metadata={"description": "The person"})
    name = MaskedText(metadata={"description": "The person's name"})
    role = MaskedText(metadata={"description": "The role"})
    phone = MaskedPhone(allow_none=True)
    unreachable = fields.String(
        attribute="why",
        allow_none=True,
        metadata={
            "description": "What keeps texts from them: why a run would skip them, "
            f"`{SUSPECT}` (the number seems dead) or `{LEFT}`; null: nothing does"
        },
    )


class ContactsOut(Out):
    """All who hold a role in a unit."""

    items = fields.List(fields.Nested(ContactOut), metadata={"description": "By role and name"})


class LackingQuery(ScopedPageQuery):
    """Filters."""

    role = OneLine(
        LONGEST_WORD,
        load_default=None,
        metadata={"description": "Branches in which nobody with this role is reachable, whoever else is"},
    )


class LackingOut(Out):
    """A branch in which nobody who holds a role is reachable."""

    id = fields.Integer(metadata={"description": "The branch's id"})
    code = fields.String(metadata={"description": "Its code"})
    name = fields.String(metadata={"description": "Its name"})
    parent_id = fields.Integer(metadata={"description": "The unit above"})
    members = fields.Integer(metadata={"description": "How many members it has who have not left"})
    contacts = fields.List(
        fields.Nested(ContactOut), metadata={"description": "Who holds a role, and why texts do not reach them"}
    )


@blueprint.route("/units/without-contact")
class Lacking(MethodView):
    """Branches that nobody can be reached through."""

    @endpoint(Permission.read)
    @blueprint.arguments(LackingQuery, location="query")
    @blueprint.response(200, list_of(LackingOut, "LackingList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the branches in which nobody who holds a role is reachable, by code, with their numbers of members"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = find_unreached_branches(scope.paths, role=query["role"])
        rows, following = fetch_page(g.session, statement, query, sort="code", key=Unit.code, id_=Unit.id)
        held = list_holders(g.session, [row.Unit.id for row in rows], query["role"])
        names = ("id", "code", "name", "parent_id")
        return scope.answer(
            [
                {
                    **{name: getattr(row.Unit, name) for name in names},
                    "members": row.members,
                    "contacts": held.get(row.Unit.id, []),
                }
                for row in rows
            ],
            following,
        )


@blueprint.route("/units/<int:unit_id>/contacts")
class UnitContacts(MethodView):
    """Who holds a role in one unit."""

    @endpoint(Permission.read)
    @blueprint.response(200, ContactsOut)
    def get(self, unit_id: int) -> dict[str, list[RoleHolder]]:
        """List who holds a role in a unit"""
        unit = get_unit(g.session, g.actor, unit_id)
        return {"items": list_holders(g.session, [unit.id]).get(unit.id, [])}

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(ContactIn)
    @blueprint.response(201, ContactOut)
    @blueprint.alt_response(200, schema=ContactOut, description="The person holds the role already")
    def post(self, body: dict[str, Any], unit_id: int) -> tuple[RoleHolder, int]:
        """Let a person hold a role in the unit, beside those that they have"""
        given, made = contacts.give_contact_role(g.session, g.actor, body["person_id"], unit_id, body["role"])
        held = list_holders(g.session, [unit_id]).get(unit_id, [])
        return next(one for one in held if one.contact_id == given.id), 201 if made else 200


@blueprint.route("/units/<int:unit_id>/contacts/<int:contact_id>")
class UnitContact(MethodView):
    """One role of one person."""

    @endpoint(Permission.manage_directory)
    @blueprint.response(204)
    def delete(self, unit_id: int, contact_id: int) -> None:
        """Let the person hold the role no more"""
        held = g.session.get(Contact, contact_id)
        if held is not None and held.unit_id != unit_id:
            raise NotFound("contact", contact_id)
        contacts.take_contact_role(g.session, g.actor, contact_id)
