"""Many accounts at once: whose, what would become of each row, and the slips with the first passwords."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.models import ROLES_OF_MANY
from sms_service.accounts.permissions import Permission
from sms_service.console.accounts import ROLE_STORIES
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, page_view, show_once
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import logins
from sms_service.directory.contacts import list_role_words
from sms_service.directory.models import Unit
from sms_service.directory.people_rows import LONGEST_WORD
from sms_service.errors import Conflict, Invalid
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

_LOGIN_ROLE = OneOfWords(ROLES_OF_MANY)


class LoginsForm(In):
    """Whose logins: of the file beside it, or of those who hold the role."""

    unit_id = Id(required=True)
    role = fields.String(required=True, validate=_LOGIN_ROLE)
    contact_role = OneLine(LONGEST_WORD, load_default=None)


class CheckedForm(In):
    """A list as it was checked: its rows, and what would be made of them."""

    unit_id = Id(required=True)
    role = fields.String(required=True, validate=_LOGIN_ROLE)
    rows = fields.String(required=True)
    digest = fields.String(required=True)


@page_view("/accounts/many", Permission.manage_accounts)
def show_login_lists() -> str:
    """Accounts for all secretaries of a street, by the roles they hold or by a file."""
    unit_id = read_query(UnitQuery)["unit"] or request.form.get("unit_id", type=int)
    choice = choose_unit(g.session, g.actor, Permission.manage_accounts, unit_id, top=True)
    return render_page(
        "login_lists.html",
        choice=choice,
        roles=[(role, name_here(role)) for role in ROLES_OF_MANY],
        contact_roles=list_role_words(g.session, (choice.unit.path,) if choice.unit else ()),
        most=logins.MOST_LOGINS,
    )


@page_view("/accounts/many/check", Permission.manage_accounts, methods=("POST",), again=show_login_lists)
def check_logins() -> str:
    """What would become of each row; nothing is made."""
    form = read_form(LoginsForm)
    return _show_plan(form["unit_id"], form["role"], _read_rows(form))


@page_view("/accounts/many/checked", Permission.manage_accounts, methods=("POST",))
def check_logins_again() -> str:
    """The same list once more, where making its logins was refused."""
    form = read_form(CheckedForm)
    return _show_plan(form["unit_id"], form["role"], _unpack(form["rows"]))


@act_view("/accounts/many", Permission.manage_accounts, again=check_logins_again)
def make_all_logins() -> Response:
    """Make them all at once and show their slips, this once."""
    form = read_form(CheckedForm)
    confirm_password()
    rows, random_bytes = _unpack(form["rows"]), current_context().random_bytes
    try:
        made = logins.make_logins(g.session, g.actor, form["unit_id"], rows, form["role"], form["digest"], random_bytes)
    except Conflict as error:  # shown again as it stands by now, with another digest
        raise Invalid("rows", None, error.said) from None
    page = render_page("login_slips.html", made=made, address=request.host_url)
    return show_once(page, "console.list_accounts", unit=form["unit_id"])


def _show_plan(unit_id: int, role: str, rows: list[logins.LoginRow]) -> str:
    plan = logins.plan_logins(g.session, g.actor, unit_id, rows, role)
    return render_page(
        "login_plan.html",
        plan=plan,
        unit=g.session.get_one(Unit, unit_id),
        story=ROLE_STORIES[role],
        packed=json.dumps(rows, ensure_ascii=False),
        existing=sum(row.state == logins.LoginState.exists for row in plan.rows),
        refused=sum(row.state == logins.LoginState.refused for row in plan.rows),
        fresh=is_password_fresh(),
    )


def _read_rows(form: dict[str, Any]) -> list[logins.LoginRow]:
    file = request.files.get("file")
    if file is not None and file.filename:
        return logins.read_login_rows(file.stream.read())
    if form["contact_role"] is None:
        raise Invalid("contact_role", None, "write a role, or choose a file")
    return logins.list_contact_rows(g.session, g.actor, form["unit_id"], form["contact_role"])


def _unpack(packed: str) -> list[logins.LoginRow]:
    """The rows that the page carries. Raises Invalid: it carries what we wrote, or somebody changed it."""
    try:
        return [
            logins.LoginRow(int(row), str(name), str(unit), None if login is None else str(login))
            for row, name, unit, login in json.loads(packed)
        ]
    except (ValueError, TypeError, RecursionError):
        raise Invalid("rows", None, "is not the list that was checked; begin again") from None
