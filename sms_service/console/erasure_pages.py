"""Erasing a person: what it would do, and doing it once their name is typed."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import read_form
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory.people import get_person
from sms_service.directory.text import person_name
from sms_service.errors import Invalid
from sms_service.personal.erasure import erase_person, foresee_erasure
from sms_service.said import say
from sms_service.web.schemas import WhyIn


class ErasureForm(WhyIn):
    """The name once more, and why."""

    name = fields.String(required=True)


@page_view("/people/<int:person_id>/erase", Permission.manage_directory)
def show_erasure(person_id: int) -> str:
    """What erasing the person would do, and the form that does it."""
    return render_page(
        "person_erase.html",
        outlook=foresee_erasure(g.session, g.actor, person_id),
        person=get_person(g.session, g.actor, person_id),
        fresh=is_password_fresh(),
    )


@act_view("/people/<int:person_id>/erase", Permission.manage_directory, again=show_erasure)
def erase_one_person(person_id: int) -> Response:
    """Erase them for good."""
    confirm_password()
    form = read_form(ErasureForm)
    if person_name(form["name"]) != get_person(g.session, g.actor, person_id).name:
        raise Invalid("name", None, "is not the name of this person")
    done = erase_person(g.session, g.actor, person_id, form["why"])
    said = say(
        "The person is erased: {texts} texts and {replies} replies were emptied, {cancelled} texts are not sent.",
        texts=done.texts,
        replies=done.replies,
        cancelled=done.cancelled,
    )
    return go_to("console.list_people", said=said)
