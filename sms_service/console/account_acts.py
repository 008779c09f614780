"""Creating accounts, giving and taking roles, first passwords, disabling, ending sessions."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts import services
from sms_service.accounts.actors import require_power
from sms_service.accounts.models import ROLES, Account
from sms_service.accounts.passwords import make_password
from sms_service.accounts.permissions import Permission
from sms_service.accounts.uses import HeldRole, end_sessions_of, list_held_roles
from sms_service.console.accounts import ROLE_STORIES
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view, show_once
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit, name_units
from sms_service.directory.units import measure_units
from sms_service.errors import NotFound
from sms_service.said import as_said, say
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords


class NewAccountForm(In):
    """A new account, with a first role on its unit or without one."""

    unit_id = Id(required=True)
    login = OneLine(64, required=True)
    name = OneLine(required=True)
    role = fields.String(load_default=None, validate=OneOfWords(ROLES))


class RoleForm(In):
    """A role to give."""

    unit_id = Id(required=True)
    role = fields.String(required=True, validate=OneOfWords(ROLES))


@page_view("/accounts/new", Permission.manage_accounts)
def show_new_account() -> str:
    """The form for one more account."""
    choice = choose_unit(g.session, g.actor, Permission.manage_accounts, read_query(UnitQuery)["unit"], top=True)
    return render_page("account_new.html", choice=choice, roles=ROLES, stories=ROLE_STORIES, fresh=is_password_fresh())


@act_view("/accounts/new", Permission.manage_accounts, again=show_new_account)
def add_one_account() -> Response:
    """Create it and show its first password, this once; nobody can see it again."""
    form = read_form(NewAccountForm)
    if form["role"]:
        confirm_password()
    password = make_password(current_context().random_bytes)
    account = services.create_account(
        g.session, g.actor, unit_id=form["unit_id"], login=form["login"], name=form["name"], password=password
    )
    if form["role"]:
        services.grant_role(g.session, g.actor, account.id, role=form["role"], unit_id=form["unit_id"])
    return _show_password(account, password, made=True)


@page_view("/accounts/<int:account_id>/roles/new", Permission.manage_accounts)
def show_new_role(account_id: int) -> str:
    """Which role on which unit, and how far it reaches."""
    account = services.find_account(g.session, g.actor, account_id)
    choice = choose_unit(g.session, g.actor, Permission.manage_accounts, read_query(UnitQuery)["unit"])
    return render_page(
        "account_role.html",
        account=account,
        choice=choice,
        size=measure_units(g.session, [choice.unit])[choice.unit.id] if choice.unit else None,
        roles=ROLES,
        stories=ROLE_STORIES,
        fresh=is_password_fresh(),
        is_own=account.id == g.actor.account_id,
    )


@act_view("/accounts/<int:account_id>/roles/new", Permission.manage_accounts, again=show_new_role)
def give_role(account_id: int) -> Response:
    """Give the role."""
    form = read_form(RoleForm)
    confirm_password()
    services.grant_role(g.session, g.actor, account_id, **form)
    return go_to("console.show_account", said=as_said("The role is given."), account_id=account_id)


@page_view("/accounts/<int:account_id>/roles/<int:grant_id>", Permission.manage_accounts)
def show_role(account_id: int, grant_id: int) -> str:
    """What taking the role away means."""
    account = services.find_account(g.session, g.actor, account_id)
    held = _held(account_id, grant_id)
    return render_page(
        "account_revoke.html",
        account=account,
        held=held,
        story=ROLE_STORIES[held.role],
        units=name_units(g.session, g.actor, {held.unit_id}),
        fresh=is_password_fresh(),
    )


@act_view("/accounts/<int:account_id>/roles/<int:grant_id>/take", Permission.manage_accounts, again=show_role)
def take_role(account_id: int, grant_id: int) -> Response:
    """Take the role away."""
    confirm_password()
    services.revoke_role(g.session, g.actor, account_id, grant_id)
    return go_to("console.show_account", said=as_said("The role is taken away."), account_id=account_id)


@page_view("/accounts/<int:account_id>/password", Permission.manage_accounts)
def show_reset(account_id: int) -> str:
    """What a new first password means."""
    return render_page("account_reset.html", account=_in_power(account_id), fresh=is_password_fresh(), act="password")


@act_view("/accounts/<int:account_id>/password", Permission.manage_accounts, again=show_reset)
def reset_password(account_id: int) -> Response:
    """Set a first password and show it, this once."""
    confirm_password()
    password = make_password(current_context().random_bytes)
    now = current_context().clock()
    account = services.change_account(g.session, g.actor, account_id, now=now, password=password)
    return _show_password(account, password, made=False)


@page_view("/accounts/<int:account_id>/disable", Permission.manage_accounts)
def show_disabling(account_id: int) -> str:
    """What disabling means."""
    return render_page("account_reset.html", account=_in_power(account_id), fresh=True, act="disable")


@act_view("/accounts/<int:account_id>/disable", Permission.manage_accounts, again=show_disabling)
def disable_account(account_id: int) -> Response:
    """Nobody can log in with it any more."""
    services.change_account(g.session, g.actor, account_id, now=current_context().clock(), disabled=True)
    return go_to("console.show_account", said=as_said("The account is disabled."), account_id=account_id)


@act_view("/accounts/<int:account_id>/enable", Permission.manage_accounts)
def enable_account(account_id: int) -> Response:
    """It can be used again."""
    services.change_account(g.session, g.actor, account_id, now=current_context().clock(), disabled=False)
    return go_to("console.show_account", said=as_said("The account can be used again."), account_id=account_id)


@act_view("/accounts/<int:account_id>/end-sessions", Permission.manage_accounts)
def end_sessions_of_account(account_id: int) -> Response:
    """Log it out everywhere."""
    ended = end_sessions_of(g.session, g.actor, account_id)
    said = say("{count} sessions have ended.", count=ended)
    return go_to("console.show_account", said=said, account_id=account_id)


def _show_password(account: Account, password: str, *, made: bool) -> Response:
    page = render_page("account_password.html", account=account, password=password, made=made)
    return show_once(page, "console.show_account", account_id=account.id)


def _in_power(account_id: int) -> Account:
    account = services.find_account(g.session, g.actor, account_id)
    require_power(g.session, g.actor, account)
    return account


def _held(account_id: int, grant_id: int) -> HeldRole:
    for held in list_held_roles(g.session, [account_id])[account_id]:
        if held.grant_id == grant_id:
            return held
    raise NotFound("role of account {account} with the id", grant_id, account=account_id)
