"""`/people`: members and outside contacts. Whole files come in by `/imports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience import intake, suppression
from sms_service.audit import trail
from sms_service.directory import people
from sms_service.directory.models import Person
from sms_service.directory.people_rows import LONGEST_NAME, LONGEST_WORD
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.masking import mask_phone, mask_text, mask_values
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, SaidMessage, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint("people", description="Members and outside contacts; one phone number each at most.")

_ATTRIBUTES = (
    "All attributes, by name. `consent_basis`, why the data may be used, is one of consent, contract, duty, emergency, "
    "public and law; `consent_source` says where the data comes from"
)


class PhonesQuery(In):
    """Whether phone numbers are shown whole."""

    phones = fields.String(
        load_default="masked",
        validate=OneOfWords(("masked", "whole")),
        metadata={
            "description": "`whole` shows whole numbers; needs see_phones over the units and `why`, and goes into the "
            "trail"
        },
    )
    why = OneLine(
        LONGEST_WHY,
        load_default="",
        metadata={"description": "What whole numbers are needed for, for whoever reads the trail; with `phones=whole`"},
    )


class PeopleQuery(ScopedPageQuery, PhonesQuery):
    """Filters; all that are given must hold."""

    name = OneLine(load_default=None, metadata={"description": "The beginning of the name"})
    number = OneLine(load_default=None, metadata={"description": "Exactly this number of the office's"})
    kind = fields.String(
        load_default=None, validate=OneOfWords(people.KINDS), metadata={"description": "`member` or `contact`"}
    )
    tag = OneLine(load_default=None, metadata={"description": "Has this tag"})
    role = OneLine(load_default=None, metadata={"description": "Holds this role in some unit"})
    lost_contact = fields.Boolean(load_default=None, metadata={"description": "Known to be out of reach, or not"})
    left = fields.Boolean(load_default=False, metadata={"description": "True: only those who have left"})
    has_phone = fields.Boolean(load_default=None, metadata={"description": "Has a usable phone number, or not"})
    suspect = fields.Boolean(
        load_default=None, metadata={"description": "Texts of two campaigns found the phone number dead, or not"}
    )


class RoleIn(In):
    """A role held in a unit."""

    unit_id = Id(required=True, metadata={"description": "The unit"})
    role = OneLine(LONGEST_WORD, required=True, metadata={"description": "The role, such as 书记"})


class PersonChange(In):
    """What to change; what is left out stays. Lists and attributes replace all there are."""

    unit_id = Id(metadata={"description": "The unit the person belongs to"})
    name = OneLine(LONGEST_NAME, metadata={"description": "The name"})
    kind = fields.String(validate=OneOfWords(people.KINDS), metadata={"description": "`member` or `contact`"})
    phone = fields.String(
        allow_none=True, metadata={"description": "A mobile number in any usual form; null: there is none"}
    )
    tags = fields.List(
        OneLine(LONGEST_WORD),
        metadata={"description": "All tags; 不接收短信 suppresses the phone number, and taking it away lifts nothing"},
    )
    attributes = fields.Dict(
        keys=OneLine(LONGEST_WORD),
        values=fields.String(),
        metadata={"description": _ATTRIBUTES},
    )
    roles = fields.List(fields.Nested(RoleIn), metadata={"description": "All roles, in whatever unit"})
    lost_contact = fields.Boolean(metadata={"description": "Known to be out of reach: texts are skipped"})
    left = fields.Boolean(metadata={"description": "Has left: in no segment any more"})


class PersonIn(PersonChange):
    """A new person."""

    unit_id = Id(required=True, metadata={"description": "The unit the person belongs to"})
    name = OneLine(LONGEST_NAME, required=True, metadata={"description": "The name"})
    number = OneLine(LONGEST_WORD, load_default=None, metadata={"description": "The office's own number, unique"})


class RoleOut(Out):
    """A role held in a unit."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    role = fields.String(metadata={"description": "The role"})


class PersonOut(Out):
    """A person."""

    id = fields.Integer(metadata={"description": "The person's id"})
    unit_id = fields.Integer(metadata={"description": "The unit the person belongs to"})
    number = fields.String(allow_none=True, metadata={"description": "The office's own number"})
    name = fields.String(metadata={"description": "The name"})
    kind = fields.String(
        metadata={"description": "`member` or `contact`; `guest`: not in the register, of a list for a campaign"}
    )
    phone = fields.String(allow_none=True, metadata={"description": "Phone number in E.164, masked unless asked for"})
    phone_problem = fields.String(
        allow_none=True, metadata={"description": "Why the phone number given at import is unusable"}
    )
    phone_problem_message = SaidMessage(
        masked=False, metadata={"description": "The same, for saying it in another language"}
    )
    opted_out = fields.Boolean(metadata={"description": "The phone number is suppressed: it gets no texts"})
    lost_contact = fields.Boolean(metadata={"description": "Known to be out of reach"})
    suspect_since = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "Since when the phone number seems dead, as texts of two campaigns found; null: no. "
            "A text that arrives, or another number, clears it"
        },
    )
    left_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When the person was marked as gone"})
    tags = fields.List(fields.String(), metadata={"description": "The tags"})
    attributes = fields.Dict(
        metadata={"description": "The attributes by name; phone numbers in them, in number, name and tags are masked"}
    )
    roles = fields.List(fields.Nested(RoleOut), metadata={"description": "The roles, by unit"})
    created_at = fields.AwareDateTime(metadata={"description": "When the person was added"})
    updated_at = fields.AwareDateTime(metadata={"description": "When the person was last changed"})


@blueprint.route("/people")
class People(MethodView):
    """The people."""

    @endpoint(Permission.read)
    @blueprint.arguments(PeopleQuery, location="query")
    @blueprint.response(200, list_of(PersonOut, "PersonList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List people by name"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        names = ("name", "number", "kind", "tag", "role", "lost_contact", "left", "has_phone", "suspect")
        statement = people.find_people(scope.paths, **{name: query[name] for name in names})
        items, following = fetch_page(g.session, statement, query, sort="name", key=Person.name, id_=Person.id)
        if query["phones"] == "whole":
            for path in scope.paths:
                g.actor.require(Permission.see_phones, path)
                _record_look(path, "list", 0, [person.id for person in items], query["why"])
        return scope.answer(_shown(items, whole=query["phones"] == "whole"), following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(PersonIn)
    @blueprint.response(201, PersonOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a person"""
        return _shown([intake.take_in_person(g.session, g.actor, **body)], whole=False)[0]


@blueprint.route("/people/<int:person_id>")
class OnePerson(MethodView):
    """One person."""

    @endpoint(Permission.read)
    @blueprint.arguments(PhonesQuery, location="query")
    @blueprint.response(200, PersonOut)
    def get(self, query: dict[str, Any], person_id: int) -> dict[str, Any]:
        """Show a person"""
        person = people.get_person(g.session, g.actor, person_id)
        whole = query["phones"] == "whole"
        if whole:
            path = unit_path(g.session, person.unit_id)
            g.actor.require(Permission.see_phones, path)
            _record_look(path, "person", person.id, [person.id], query["why"])
        return _shown([person], whole=whole)[0]

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(PersonChange)
    @blueprint.response(200, PersonOut)
    def patch(self, body: dict[str, Any], person_id: int) -> dict[str, Any]:
        """Change a person"""
        return _shown([intake.change_taken_in_person(g.session, g.actor, person_id, **body)], whole=False)[0]


def _record_look(path: str, kind: str, target_id: int, ids: list[int], why: str) -> None:
    why = required_line("why", why, LONGEST_WHY)
    trail.record_act(g.session, g.actor.account_id, "people.see_phones", kind, target_id, path, people=ids, why=why)


def _shown(found: Sequence[Person], *, whole: bool) -> list[dict[str, Any]]:
    """What PersonOut shows of these people."""
    roles = people.roles_of(g.session, [person.id for person in found])
    opted_out = suppression.suppressed_among(g.session, [person.phone for person in found if person.phone])
    names = PersonOut().fields.keys() - {"roles", "opted_out", "phone_problem_message"}
    shown = [
        {
            **{name: getattr(person, name) for name in names},
            "phone_problem_message": person.said_phone_problem,
            "roles": [{"unit_id": held.unit_id, "role": held.role} for held in roles[person.id]],
            "opted_out": person.phone in opted_out,
        }
        for person in found
    ]
    return shown if whole else [_masked(person) for person in shown]


def _masked(person: dict[str, Any]) -> dict[str, Any]:
    return {
        **person,
        "phone": person["phone"] and mask_phone(person["phone"]),
        "number": person["number"] and mask_text(person["number"], identifier=True),
        "name": mask_text(person["name"]),
        **{name: mask_values(person[name]) for name in ("tags", "attributes", "roles")},
    }
