"""One's own page: sessions, password, language, large text."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, g
from marshmallow import fields

from sms_service.accounts import services, sessions
from sms_service.accounts.models import LANGUAGES, Account, Delegation
from sms_service.accounts.permissions import Permission
from sms_service.campaigns import delegations
from sms_service.channels.models import Channel
from sms_service.channels.owning import find_channels
from sms_service.console import cookies
from sms_service.console.browsers import name_browser
from sms_service.console.forms import read_form
from sms_service.console.pages import NO_ROLE, act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.own_texts import pushing
from sms_service.own_texts.models import PushWay
from sms_service.own_texts.phones import find_own_phone
from sms_service.reports.tasks import list_kinds_of
from sms_service.said import as_said, say
from sms_service.web import limits
from sms_service.web.context import current_context
from sms_service.web.schemas import In
from sms_service.web.validators import OneOfWords


def _(message: str) -> str:
    return message


_MOST_LENT = 30  # the latest delegations, of which the page names those in force
# What somebody may do, in their words; `unit` is where they hold the role.
OWN_STORIES: Mapping[str, str] = {
    "administrator": _("You look after the units, people, accounts and imports of {unit}, and write and send texts."),
    "officer": _("You write and send texts to the people of {unit}, and stop them."),
    "approver": _("You approve what {unit} wants to send, or return it."),
    "auditor": _("You read everything of {unit} and change nothing."),
    "delegate": _("By delegation you approve what {unit} wants to send, or return it."),
    "operator": _("You watch the gateways of {unit}, and stop what must not go on."),
}


MOST_CHANNELS = 100  # to choose from


class PreferencesForm(In):
    """How the pages look."""

    language = fields.String(required=True, validate=OneOfWords(LANGUAGES))
    large_text = fields.Boolean(load_default=False)


class PasswordForm(In):
    """A new password, twice."""

    current_password = fields.String(required=True)
    password = fields.String(required=True)
    repeated = fields.String(required=True)


@page_view("/me", NO_ROLE)
def show_me() -> str:
    """Who one is, where one is logged in, how the pages look."""
    own = sessions.list_sessions(g.session, g.actor.account_id, current_context().clock())
    account = g.session.get_one(Account, g.actor.account_id)
    units = {grant.unit_id: g.session.get_one(Unit, grant.unit_id).name for grant in g.actor.grants}
    lent = delegations.find_delegations((), account.id).order_by(Delegation.id.desc()).limit(_MOST_LENT)
    held = [delegations.name_delegation(row) for row in g.session.execute(lent)]
    phone = find_own_phone(g.session, g.actor.account_id)
    channels = _list_channels()
    return render_page(
        "me.html",
        account=account,
        delegations=[one for one in held if one.state == delegations.DelegationState.active],
        sessions=own,
        stories=[say(OWN_STORIES[grant.role], unit=units[grant.unit_id]) for grant in g.actor.grants],
        name_browser=name_browser,
        phone=phone,
        pushes=pushing.get_pushes(g.session, g.actor.account_id),
        ways=_list_ways(bool(phone and phone.confirmed_at), bool(channels)),
        channels=channels,
        kinds=list_kinds_of(g.actor),
    )


def _list_channels() -> list[tuple[int, str]]:
    """The channels to which one may have posted what waits."""
    paths = g.actor.scope(Permission.operate_campaigns)
    if not paths:
        return []
    rows = g.session.execute(find_channels(paths).order_by(Channel.name, Channel.id).limit(MOST_CHANNELS))
    return [
        (row.Channel.id, row.Channel.name) for row in rows if g.actor.can(Permission.operate_campaigns, row.Unit.path)
    ]


def _list_ways(has_phone: bool, has_channels: bool) -> list[tuple[PushWay, str]]:
    can = {PushWay.none: True, PushWay.text: has_phone, PushWay.webhook: has_channels}
    return [(way, name_here(way)) for way in PushWay if can[way]]


@act_view("/me/preferences", NO_ROLE, again=show_me)
def set_own_preferences() -> Response:
    """Language and size of text."""
    chosen = read_form(PreferencesForm)
    sessions.set_preferences(g.session, g.actor.account_id, **chosen)
    response = go_to("console.show_me", said=as_said("Your settings are kept."))
    cookies.set_language_cookie(response, chosen["language"])
    return response


@page_view("/me/password", NO_ROLE)
def show_password() -> str:
    """The form for a new password."""
    return render_page("password.html")


@act_view("/me/password", NO_ROLE, again=show_password)
def change_password() -> Response:
    """A new password; every other session and every token ends."""
    form = read_form(PasswordForm)
    if form["password"] != form["repeated"]:
        raise Invalid("repeated", None, "is not the same as the new password")
    with limits.guesses_counted(limits.REFUSED_CHANGES_A_CALLER, f"password:{g.actor.account_id}"):
        services.change_own_password(
            g.session,
            g.actor,
            current=form["current_password"],
            new=form["password"],
            keep_session=g.visitor.session_id,
        )
    said = as_said("The new password is kept. All your other sessions and your tokens have ended.")
    return go_to("console.show_home", said=said)


@act_view("/me/sessions/<int:session_id>/end", NO_ROLE)
def end_own_session(session_id: int) -> Response:
    """Log out another browser."""
    sessions.end_session(g.session, g.actor, session_id, current_context().clock())
    return go_to("console.show_me", said=as_said("The session has ended."))


@act_view("/me/sessions/end-others", NO_ROLE)
def end_other_sessions() -> Response:
    """Log out all other browsers."""
    sessions.end_all_sessions(g.session, g.actor, g.actor.account_id, keep=g.visitor.session_id)
    return go_to("console.show_me", said=as_said("All your other sessions have ended."))
