"""The opt-out list: who gets no texts, since when and why; adding a number and letting one have texts again."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, request, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience import suppression, suppression_list
from sms_service.audience.covering import EVERY_TEXT, LONGEST_SIGNATURE, TextKind
from sms_service.audience.models import Suppression
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.languages import say_here
from sms_service.console.pages import act_view, go_to, page_view, show_again
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import Unit
from sms_service.directory.phones import parse_phone
from sms_service.directory.text import LONGEST_WHY
from sms_service.errors import Invalid
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, WhyIn
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word


class SuppressionFilter(ScopedPageQuery):
    """Which of them; no phone, since this is an address."""

    reason = fields.String(load_default=None, validate=OneOfWords(suppression.ALL_REASONS))
    scope = fields.String(load_default=None, validate=OneOfWords(suppression_list.SCOPES))
    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(tuple(TextClass)))
    signature = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=OneOfWords(suppression_list.STATES))


class SuppressForm(In):
    """The number that is to get no texts, of whom, and why."""

    phone = fields.String(required=True)
    reason = fields.String(required=True, validate=OneOfWords(suppression.REASONS))
    unit_id = Id(load_default=None)
    class_ = fields.String(data_key="class", load_default=None, validate=OneOfWords(tuple(TextClass)))
    signature = OneLine(LONGEST_SIGNATURE, load_default=None)
    note = OneLine(LONGEST_WHY, load_default=None)


@page_view("/opted-out", Permission.read, methods=("GET", "POST"))
def list_suppressions() -> Response:
    """The list, newest first, or all that is known of the number that a search asks for."""
    if request.method == "POST":
        return _search(request.form.get("wanted", "").replace("\x00", ""))
    query = read_query(SuppressionFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    everything = query["unit"] is None and suppression_list.may_read_all_suppressions(g.session, g.actor)
    rows, following = fetch_page(
        g.session,
        suppression_list.find_suppressions(
            scope.paths,
            everything=everything,
            reason=query["reason"],
            scope=query["scope"],
            kind=TextKind(query["class_"], query["signature"]),
            state=query["state"] or "active",
        ),
        query,
        sort="created_at",
        key=Suppression.created_at,
        id_=Suppression.id,
        descending=True,
    )
    return make_response(_list(rows, query, following=following, scope=scope.units))


@page_view("/opted-out/new", Permission.manage_segments)
def show_new_suppression() -> str:
    """The form for one more number."""
    query = read_query(UnitQuery)
    choice = choose_unit(g.session, g.actor, Permission.manage_segments, query["unit"], top=True)
    return render_page(
        "suppression_new.html",
        choice=choice,
        query=query,
        reasons=[(one, name_here(one)) for one in suppression.REASONS],
        classes=[(one.value, name_here(one)) for one in TextClass],
        longest_signature=LONGEST_SIGNATURE,
    )


@act_view("/opted-out/new", Permission.manage_segments, again=show_new_suppression)
def suppress_one_phone() -> Response:
    """Let the number have no texts, or none of a unit, class or signature."""
    form = read_form(SuppressForm)
    phone, unit_id = parse_phone("phone", form["phone"]), form["unit_id"]
    kind = TextKind(form["class_"], form["signature"])
    suppression.suppress_phone(g.session, g.actor, phone, form["reason"], unit_id=unit_id, kind=kind, note=form["note"])
    if kind != EVERY_TEXT:
        said = as_said("The number gets no texts of that kind any more.")
    elif unit_id is None:
        said = as_said("The number gets no texts any more, from no unit.")
    else:
        name = g.session.get_one(Unit, unit_id).name
        said = say("The number gets no texts of {unit} and all below it any more.", unit=name)
    return go_to("console.list_suppressions", said=said)


@page_view("/opted-out/<int:suppression_id>", Permission.read)
def show_suppression(suppression_id: int) -> str:
    """One entry: its proof, its number's history, and the form that lifts it."""
    found = suppression_list.get_suppression(g.session, g.actor, suppression_id)
    history = suppression_list.list_history(g.session, g.actor, found.phone)
    holds = found.lifted_at is None
    return render_page(
        "suppression.html",
        one=found,
        row=next(row for row in history if row.Suppression.id == found.id),
        others=[row for row in history if row.Suppression.id != found.id],
        proof=_link_proof(found),
        name_source=_name_source,
        allowed=holds and suppression.may_lift_entry(g.session, g.actor, found),
    )


@act_view("/opted-out/<int:suppression_id>/lift", Permission.manage_segments, again=show_suppression)
def lift_one_suppression(suppression_id: int) -> Response:
    """Let the number have texts again, as far as this entry kept them from it."""
    found = suppression_list.get_suppression(g.session, g.actor, suppression_id)
    suppression.lift_entry(g.session, g.actor, found, read_form(WhyIn)["why"])
    return go_to("console.list_suppressions", said=as_said("The number may get texts again."))


def _search(wanted: str) -> Response:
    query = read_query(SuppressionFilter)
    try:
        phone = parse_phone("wanted", wanted)
    except Invalid as error:
        return show_again(error, lambda: _list([], query, wanted=wanted[:100]))
    rows = suppression_list.list_history(g.session, g.actor, phone)
    return make_response(_list(rows, query, wanted=wanted[:100], found=phone))


def _link_proof(found: Suppression) -> str | None:
    """Where the visitor finds what the entry came from."""
    if found.proof_id is None:
        return None
    match suppression.PROOFS.get(found.source):
        case "reply":
            return url_for("console.list_replies", reply=found.proof_id)
        case "import":
            return url_for("console.show_import", import_id=found.proof_id)
        case "message":
            return url_for("console.show_message", message_id=found.proof_id)
    return None


def _name_source(source: str) -> Any:
    return name_word("source", source)


def _list(rows: Any, query: dict[str, Any], **values: Any) -> str:
    nothing = {"wanted": None, "found": None, "following": None, "scope": ()}
    return render_page(
        "suppressions.html",
        **{**nothing, **values},
        rows=rows,
        query=query,
        name_source=_name_source,
        reasons=[(one, name_here(one)) for one in suppression.ALL_REASONS],
        scopes=[
            ("everywhere", say_here("Every text")),
            ("unit", say_here("Texts of one unit")),
            ("kind", say_here("Texts of one class or signature")),
        ],
        classes=[(one.value, name_here(one)) for one in TextClass],
        states=[("lifted", say_here("Lifted")), ("all", say_here("Holding and lifted"))],
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_add=bool(g.actor.scope(Permission.manage_segments)),
    )
