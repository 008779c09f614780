"""`/logins`: many accounts at once, of a file or of those who hold a role, with their first passwords."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.models import ROLES_OF_MANY
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory import logins
from sms_service.directory.people_rows import LONGEST_WORD
from sms_service.errors import Invalid
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, OneLine, Out, SaidMessage
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint(
    "logins",
    description="Many accounts at once: of the people in a file, or of those who hold a role in the units below one.",
)

_ROLE = {"description": "The role that each holds on their unit"}
_UNIT = {"description": "The unit; everybody belongs to it or to a unit below it"}


class LoginListForm(In):
    """Whose logins: of a file, or of who holds `contact_role`."""

    unit_id = Id(required=True, metadata=_UNIT)
    role = fields.String(load_default="officer", validate=OneOfWords(ROLES_OF_MANY), metadata=_ROLE)
    contact_role = OneLine(
        LONGEST_WORD,
        load_default=None,
        metadata={"description": "Instead of a file: those who hold this role, such as 书记"},
    )


class LoginListFile(In):
    """The file."""

    file = Upload(
        metadata={
            "description": "Instead of `contact_role`: a CSV or xlsx file with the columns 姓名, 组织编码 and, where "
            "the office chose them, 登录名"
        }
    )


class LoginRowIn(In):
    """Somebody who is to log in."""

    row = fields.Integer(required=True, strict=True, metadata={"description": "The row that named them"})
    name = fields.String(required=True, metadata={"description": "Their name"})
    unit_code = fields.String(required=True, metadata={"description": "The code of their unit"})
    login = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Their login; null: it is made of the unit's code"}
    )


class LoginsIn(In):
    """The list as it was checked."""

    unit_id = Id(required=True, metadata=_UNIT)
    role = fields.String(required=True, validate=OneOfWords(ROLES_OF_MANY), metadata=_ROLE)
    rows = fields.List(
        fields.Nested(LoginRowIn),
        required=True,
        validate=ListLength(1, logins.MOST_LOGINS),
        metadata={"description": "`source` of the answer of POST /logins/plan"},
    )
    digest = OneLine(required=True, metadata={"description": "`digest` of that answer"})


class LoginRowOut(Out):
    """Somebody who is to log in, as the list names them."""

    row = fields.Integer(metadata={"description": "The row"})
    name = fields.String(metadata={"description": "Their name"})
    unit_code = fields.String(attribute="unit", metadata={"description": "The code of their unit"})
    login = fields.String(allow_none=True, metadata={"description": "The login that the list names, or null"})


class PlannedOut(Out):
    """What becomes of a row."""

    row = fields.Integer(metadata={"description": "The row"})
    name = fields.String(metadata={"description": "The name as it is kept"})
    unit_code = fields.String(metadata={"description": "The unit's code"})
    unit = fields.String(allow_none=True, metadata={"description": "The unit's name; null where it was not found"})
    login = fields.String(allow_none=True, metadata={"description": "The login that is made, or that there is"})
    state = fields.String(
        metadata={
            "description": "`create`; `exists`: somebody of this name has a login in the unit; `refused`: see `why`"
        }
    )
    why = fields.String(allow_none=True, metadata={"description": "Why it is refused"})
    why_message = SaidMessage(attribute="why", metadata={"description": "The same, for saying it in another language"})


class PlanOut(Out):
    """What would become of a list."""

    rows = fields.List(fields.Nested(PlannedOut), metadata={"description": "Each row once, in their order"})
    create = fields.Integer(metadata={"description": "How many logins would be made"})
    source = fields.List(fields.Nested(LoginRowOut), metadata={"description": "The list, for POST /logins"})
    digest = fields.String(metadata={"description": "Names just the logins that would be made, for POST /logins"})


class MadeOut(Out):
    """A new account with its first password."""

    account_id = fields.Integer(metadata={"description": "The account"})
    login = fields.String(metadata={"description": "Its login"})
    name = fields.String(metadata={"description": "Its person's name"})
    unit = fields.String(metadata={"description": "The unit's name"})
    password = fields.String(metadata={"description": "The first password, to be changed at the first log-in"})


class LoginsOut(Out):
    """New accounts."""

    number = fields.Integer(metadata={"description": "How many were made"})
    logins = fields.List(
        fields.Nested(MadeOut),
        allow_none=True,
        metadata={
            "description": "All of them with their passwords, shown this once and kept nowhere: the same request sent "
            "again shows null"
        },
    )


@blueprint.route("/logins/plan")
class LoginPlans(MethodView):
    """What would become of a list."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(LoginListForm, location="form")
    @blueprint.arguments(LoginListFile, location="files")
    @blueprint.response(200, PlanOut)
    def post(self, form: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        """Say what would become of each row of a list (multipart/form-data); nothing is made"""
        file, role = files.get("file"), form["contact_role"]
        if (file is None) == (role is None):
            raise Invalid("file", None, "give either a file or contact_role")
        if file is not None:
            rows = logins.read_login_rows(file.stream.read())
        else:
            rows = logins.list_contact_rows(g.session, g.actor, form["unit_id"], role)
        plan = logins.plan_logins(g.session, g.actor, form["unit_id"], rows, form["role"])
        return {
            "rows": plan.rows,
            "create": len(plan.to_create),
            "source": rows,
            "digest": plan.digest,
        }


@blueprint.route("/logins")
class Logins(MethodView):
    """Accounts of a list."""

    @endpoint(Permission.manage_accounts, secret_fields=("logins",))
    @blueprint.arguments(LoginsIn)
    @blueprint.response(201, LoginsOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make the accounts that POST /logins/plan named, all at once, and show their first passwords this once

        409 if other accounts would be made by now than were shown.
        """
        rows = [logins.LoginRow(one["row"], one["name"], one["unit_code"], one["login"]) for one in body["rows"]]
        random_bytes = current_context().random_bytes
        made = logins.make_logins(g.session, g.actor, body["unit_id"], rows, body["role"], body["digest"], random_bytes)
        return {"number": len(made), "logins": made}
