"""签名: the names in front of texts, how far the carriers are with them, and the default of a unit."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.content import signatures
from sms_service.content.models import FilingState, OwnedSignature
from sms_service.controls.models import AccountState, GatewayAccount
from sms_service.said import as_said
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords


class SignatureForm(In):
    """A new signature."""

    unit_id = Id(required=True)
    signature = fields.String(required=True)


class FilingForm(In):
    """How far an account is with which signature."""

    filed = Id(required=True)
    account = fields.String(required=True)
    state = fields.String(required=True, validate=OneOfWords(list(FilingState)))


class DefaultForm(In):
    """Which signature becomes whose default."""

    chosen = Id(required=True)
    chosen_for = Id(required=True)


@page_view("/signatures", Permission.read)
def show_signatures() -> str:
    """The signatures that one's units can use, and the form for more."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = signatures.find_signatures(scope.paths)
    rows, following = fetch_page(g.session, statement, query, sort="id", key=OwnedSignature.id, id_=OwnedSignature.id)
    names = select(GatewayAccount.name).where(
        GatewayAccount.state != AccountState.removed, GatewayAccount.simulated.is_(False)
    )
    may_add = bool(g.actor.scope(Permission.manage_directory))
    return render_page(
        "signatures.html",
        rows=rows,
        following=following,
        scope=scope.units,
        query=query,
        accounts=[(name, name) for name in g.session.scalars(names.order_by(GatewayAccount.name))],
        all=[(row.OwnedSignature.id, f"【{row.OwnedSignature.text}】 {row.Unit.name}") for row in rows],
        own=[
            (row.OwnedSignature.id, f"【{row.OwnedSignature.text}】 {row.Unit.name}")
            for row in rows
            if g.actor.can(Permission.manage_directory, row.Unit.path)
        ],
        states=[(str(state), name_here(state)) for state in FilingState],
        state_of=FilingState,
        choice=choose_unit(g.session, g.actor, Permission.manage_directory, query["unit"], top=True)
        if may_add
        else None,
        may_change=lambda path: g.actor.can(Permission.manage_directory, path),
    )


@act_view("/signatures", Permission.manage_directory, again=show_signatures)
def add_one_signature() -> Response:
    """Add a signature to a unit."""
    form = read_form(SignatureForm)
    signatures.add_signature(g.session, g.actor, form["unit_id"], form["signature"].strip())
    return go_to("console.show_signatures", said=as_said("The signature is added. Have the carriers register it."))


@act_view("/signatures/filing", Permission.manage_directory, again=show_signatures)
def file_one_signature() -> Response:
    """Write down how far a gateway account is with a signature."""
    form = read_form(FilingForm)
    signatures.set_filing(g.session, g.actor, form["filed"], form["account"], FilingState(form["state"]))
    return go_to("console.show_signatures", said=as_said("The change is kept."))


@act_view("/signatures/default", Permission.manage_directory, again=show_signatures)
def choose_one_signature() -> Response:
    """Make one that which a unit's forms have already."""
    form = read_form(DefaultForm)
    signatures.set_default_signature(g.session, g.actor, form["chosen_for"], form["chosen"])
    return go_to("console.show_signatures", said=as_said("The unit's forms have this signature now."))


@act_view("/signatures/<int:signature_id>/remove", Permission.manage_directory)
def remove_one_signature(signature_id: int) -> Response:
    """Take it away."""
    signatures.remove_signature(g.session, g.actor, signature_id)
    return go_to("console.show_signatures", said=as_said("The signature is removed. Campaigns that have it keep it."))
