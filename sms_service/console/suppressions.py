"""The opt-out list: who gets no texts, since when and why; adding a number and letting one have texts again."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience import suppression
from sms_service.audience.models import Suppression
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view, show_again
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import people
from sms_service.directory.models import Person, Unit
from sms_service.directory.phones import parse_phone
from sms_service.directory.text import LONGEST_WHY
from sms_service.errors import Invalid, NotFound
from sms_service.said import as_said
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

MOST_HOLDERS = 50  # people who have one number


class SuppressionFilter(ScopedPageQuery):
    """Which of them; no phone, since this is an address."""

    reason = fields.String(load_default=None, validate=OneOfWords(suppression.ALL_REASONS))


class SuppressForm(In):
    """The number that is to get no texts, and why."""

    phone = fields.String(required=True)
    reason = fields.String(required=True, validate=OneOfWords(suppression.REASONS))


class LiftForm(In):
    """Who is to get texts again, by the person or, where nobody has the number, by the number; and why."""

    person_id = Id(load_default=None)
    phone = fields.String(load_default=None)
    why = OneLine(LONGEST_WHY, required=True)


@page_view("/opted-out", Permission.read, methods=("GET", "POST"))
def list_suppressions() -> Response:
    """The list, newest first, or what is known of the number that a search asks for."""
    if request.method == "POST":
        return _search(request.form.get("wanted", "").replace("\x00", ""))
    query = read_query(SuppressionFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = _with_unit(suppression.find_suppressed(scope.paths, reason=query["reason"]))
    rows, following = fetch_page(
        g.session,
        statement,
        query,
        sort="created_at",
        key=Suppression.created_at,
        id_=Person.id,
        descending=True,
    )
    return make_response(_list(rows, query, following=following, scope=scope.units))


@page_view("/opted-out/new", Permission.manage_segments)
def show_new_suppression() -> str:
    """The form for one more number."""
    return render_page("suppression_new.html", reasons=[(one, name_here(one)) for one in suppression.REASONS])


@act_view("/opted-out/new", Permission.manage_segments, again=show_new_suppression)
def suppress_one_phone() -> Response:
    """Let the number have no texts."""
    form = read_form(SuppressForm)
    suppression.suppress_phone(g.session, g.actor, parse_phone("phone", form["phone"]), form["reason"])
    return go_to("console.list_suppressions", said=as_said("The number gets no texts any more, from no unit."))


@page_view("/opted-out/<int:person_id>/lift", Permission.manage_directory)
def show_lift(person_id: int) -> str:
    """What it means to let the person's number have texts again."""
    person = people.get_person(g.session, g.actor, person_id)
    found = g.session.get(Suppression, person.phone) if person.phone else None
    if found is None:
        raise NotFound("suppression of this phone", "")
    allowed = suppression.may_lift_suppression(g.session, g.actor, found.phone)
    return render_page("suppression_lift.html", person=person, suppression=_describe(found), allowed=allowed)


@act_view("/opted-out/<int:person_id>/lift", Permission.manage_directory, again=show_lift)
def lift_one_suppression(person_id: int) -> Response:
    """Let the person's number have texts again."""
    phone = people.get_person(g.session, g.actor, person_id).phone
    if phone is None:
        raise Invalid("person_id", person_id, "has no phone number")
    suppression.lift_suppression(g.session, g.actor, phone, read_form(LiftForm)["why"])
    return go_to("console.list_suppressions", said=as_said("The number may get texts again."))


@act_view("/opted-out/lift", Permission.manage_directory)
def lift_of_nobody() -> Response:
    """Let a number have texts again that no person has."""
    form = read_form(LiftForm)
    suppression.lift_suppression(g.session, g.actor, parse_phone("phone", form["phone"] or ""), form["why"])
    return go_to("console.list_suppressions", said=as_said("The number may get texts again."))


def _with_unit(statement: Any) -> Any:
    return statement.add_columns(Unit.name.label("unit"), Unit.path.label("path"))


def _search(wanted: str) -> Response:
    query = read_query(SuppressionFilter)
    try:
        phone = parse_phone("wanted", wanted)
    except Invalid as error:
        return show_again(error, lambda: _list([], query, wanted=wanted[:100]))
    scope = scope_filter(g.session, g.actor, Permission.read, None)
    statement = _with_unit(suppression.find_suppressed(scope.paths, phone=phone)).order_by(Person.id)
    rows = list(g.session.execute(statement.limit(MOST_HOLDERS)))
    nobody = None if rows else suppression.find_suppression_of_nobody(g.session, g.actor, phone)
    may_lift = nobody is not None and suppression.may_lift_suppression(g.session, g.actor, phone)
    return make_response(
        _list(rows, query, wanted=wanted[:100], found=phone, of_nobody=_describe(nobody), may_lift=may_lift)
    )


def _describe(found: Suppression | None) -> dict[str, Any] | None:
    if found is None:
        return None
    since = {"reason": found.reason, "created_at": found.created_at, "phone": found.phone}
    return {**since, "source": name_word("source", found.source)}


def _list(rows: list[Any], query: dict[str, Any], **values: Any) -> str:
    nothing = {"wanted": None, "found": None, "of_nobody": None, "may_lift": False, "following": None, "scope": ()}
    return render_page(
        "suppressions.html",
        **{**nothing, **values},
        rows=rows,
        query=query,
        name_source=lambda source: name_word("source", source),
        reasons=[(one, name_here(one)) for one in suppression.ALL_REASONS],
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        may_add=bool(g.actor.scope(Permission.manage_segments)),
        may_lift_of=lambda path: g.actor.can(Permission.manage_directory, path),
    )
