"""号码记录: every text to one phone, or why there was none, with what came back, as one line of time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import page_view, show_again
from sms_service.console.rendering import render_page
from sms_service.directory.models import Person
from sms_service.directory.people import get_person
from sms_service.directory.phones import parse_phone
from sms_service.errors import Invalid
from sms_service.reports.number_history import NumberHistory, read_number_history
from sms_service.reports.remedies import find_remedy
from sms_service.vocabulary import Meaning
from sms_service.web.context import gateways_or_none
from sms_service.web.schemas import Id, In, WhyIn
from sms_service.web.words import name_of


class NumberQuery(In):
    """Whose number, where a person's page asks; no phone, since this is an address."""

    person = Id(load_default=None)


class NumberForm(WhyIn):
    """A number, or the person of the address who has it, and from which text on."""

    phone = fields.String(load_default=None)
    before = Id(load_default=None)


@page_view("/counts/number", Permission.read, methods=("GET", "POST"))
def show_number_history() -> Response:
    """Which number, and what for; then every text to it, what came back, and its stops"""
    person_id = read_query(NumberQuery)["person"]
    person = None if person_id is None else get_person(g.session, g.actor, person_id)
    if request.method == "GET":
        return make_response(_show(person, None))
    try:
        form = read_form(NumberForm)
        found = read_number_history(
            g.session, g.actor, _phone_of(person, form), form["why"], gateways_or_none(), before=form["before"]
        )
    except Invalid as error:
        return show_again(error, lambda: _show(person, None))
    return make_response(_show(person, found, form["why"], form["before"]))


def _phone_of(person: Person | None, form: dict[str, Any]) -> str:
    if person is None:
        return parse_phone("phone", form["phone"] or "")
    if person.phone is None:
        raise Invalid("phone", None, "the person has no phone number")
    return person.phone


def _show(person: Person | None, found: NumberHistory | None, why: str = "", before: int | None = None) -> str:
    return render_page(
        "number.html",
        person=person,
        found=found,
        why=why,
        before=before,
        line=[] if found is None else _line_up(found),
        find_remedy=find_remedy,
        name_meaning=lambda said: name_of(Meaning(said)),
    )


def _line_up(found: NumberHistory) -> list[tuple[datetime, str, Any]]:
    """Texts, replies, stops and their lifts as one line of time, the newest first: (when, what it is, the thing)."""
    line: list[tuple[datetime, str, Any]] = [
        (text.run.launched_at or text.row.Message.changed_at, "text", text) for text in found.texts
    ]
    line += [(row.ReplyRow.received_at, "reply", row) for row in found.replies]
    line += [(row.Suppression.created_at, "stop", row) for row in found.stops]
    line += [(row.Suppression.lifted_at, "lift", row) for row in found.stops if row.Suppression.lifted_at is not None]
    return sorted(line, key=lambda one: one[0], reverse=True)
