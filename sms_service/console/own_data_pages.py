"""A person's own data: to read, and as a file to hand over."""

from __future__ import annotations

import json

from flask import Response, g, make_response
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import read_form
from sms_service.console.pages import page_view
from sms_service.console.rendering import render_page
from sms_service.directory.people import get_person
from sms_service.personal.own_data import collect_own_data
from sms_service.vocabulary import Meaning
from sms_service.web.schemas import WhyIn
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_of


class OwnDataForm(WhyIn):
    """What for, and whether to read it or to hand it over."""

    form = fields.String(required=True, validate=OneOfWords(["page", "file"]))


@page_view("/people/<int:person_id>/data", Permission.see_phones)
def ask_for_own_data(person_id: int) -> str:
    """All that is held about a person; what for, before it is shown."""
    person = get_person(g.session, g.actor, person_id)
    return render_page("own_data.html", person=person, data=None, fresh=is_password_fresh())


@page_view("/people/<int:person_id>/data", Permission.see_phones, methods=("POST",), again=ask_for_own_data)
def show_own_data(person_id: int) -> Response:
    """All that is held about a person, for a reason that the trail keeps."""
    confirm_password()
    form = read_form(OwnDataForm)
    data = collect_own_data(g.session, g.actor, person_id, form["why"])
    if form["form"] == "page":
        person = get_person(g.session, g.actor, person_id)
        page = render_page(
            "own_data.html",
            person=person,
            data=data,
            fresh=True,
            name_meaning=lambda said: name_of(Meaning(said)),
        )
        return make_response(page)
    file = Response(json.dumps(data, ensure_ascii=False, indent=2), mimetype="application/json")
    file.headers["Content-Disposition"] = f'attachment; filename="person-{person_id}.json"'
    return file
