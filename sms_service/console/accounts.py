"""Accounts: who may log in, with which roles on which units, and when they last did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import g, request
from marshmallow import fields
from sqlalchemy import or_

from sms_service.accounts import services, sessions
from sms_service.accounts.actors import unit_path
from sms_service.accounts.models import ROLES, Account
from sms_service.accounts.permissions import Permission
from sms_service.accounts.uses import find_last_uses, is_in_power, list_held_roles
from sms_service.console.browsers import name_browser
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit, name_units
from sms_service.directory.text import visible_text
from sms_service.said import Said, as_said
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

MOST_ACCOUNTS_FOUND = 50
# What each role is for, in the words of those who give it.
ROLE_STORIES: Mapping[str, Said] = {
    "administrator": as_said("Units, people, imports, accounts and all that officers do; approves nothing."),
    "officer": as_said("Segments, templates and campaigns: writes them, sends what is approved, stops it."),
    "approver": as_said("Reads what is submitted and approves it or sends it back."),
    "auditor": as_said("Reads everything and changes nothing."),
    "operator": as_said("Gateways, stops and unknown outcomes; writes no campaigns."),
}


class AccountFilter(ScopedPageQuery):
    """Which accounts."""

    role = fields.String(load_default=None, validate=OneOfWords(ROLES))
    disabled = fields.Boolean(load_default=None)


@page_view("/accounts", Permission.manage_accounts, methods=("GET", "POST"))
def list_accounts() -> str:
    """Accounts by unit, role and state, or those that a search finds by the beginning of login or name."""
    scope = scope_filter(g.session, g.actor, Permission.manage_accounts, None)
    if request.method == "POST":
        wanted = visible_text(request.form.get("wanted", "").replace("\x00", ""))[:100]
        found = services.accounts_in(scope.paths).where(
            or_(Account.login.startswith(wanted, autoescape=True), Account.name.startswith(wanted, autoescape=True))
        )
        found = found.order_by(Account.login, Account.id).limit(MOST_ACCOUNTS_FOUND)
        return _list_page(g.session.scalars(found).all() if wanted else [], read_query(AccountFilter), wanted=wanted)
    query = read_query(AccountFilter)
    scope = scope_filter(g.session, g.actor, Permission.manage_accounts, query["unit"])
    statement = services.accounts_in(scope.paths, role=query["role"], disabled=query["disabled"])
    items, following = fetch_page(g.session, statement, query, sort="login", key=Account.login, id_=Account.id)
    return _list_page(items, query, following=following, scope=scope.units)


@page_view("/accounts/<int:account_id>", Permission.manage_accounts)
def show_account(account_id: int) -> str:
    """One account: its roles, its log-ins, and what can be done with it."""
    account = services.find_account(g.session, g.actor, account_id)
    path = unit_path(g.session, account.unit_id)
    roles = list_held_roles(g.session, [account.id])[account.id]
    return render_page(
        "account.html",
        account=account,
        roles=roles,
        stories=ROLE_STORIES,
        units=name_units(g.session, g.actor, {account.unit_id, *(role.unit_id for role in roles)}),
        creator=g.session.get(Account, account.created_by) if account.created_by else None,
        used_at=find_last_uses(g.session, [account.id]).get(account.id),
        logged_in=sessions.list_sessions(g.session, account.id, current_context().clock()),
        name_browser=name_browser,
        is_own=account.id == g.actor.account_id,
        in_power=is_in_power(g.session, g.actor, account, path),
    )


def _list_page(accounts: Collection[Account], query: dict[str, Any], **values: Any) -> str:
    ids = [account.id for account in accounts]
    roles = list_held_roles(g.session, ids)
    unit_ids = {account.unit_id for account in accounts}
    unit_ids |= {role.unit_id for held in roles.values() for role in held}
    return render_page(
        "accounts.html",
        **{"wanted": None, "following": None, "scope": (), **values},
        rows=accounts,
        query=query,
        roles=roles,
        units=name_units(g.session, g.actor, unit_ids),
        used=find_last_uses(g.session, ids),
        all_roles=[(role, translate_here(name_word("role", role))) for role in ROLES],
        choice=choose_unit(g.session, g.actor, Permission.manage_accounts, query["unit"], top=True),
    )
