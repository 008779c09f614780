"""A file that is said to name everybody of a unit: for which one, who is missing from it, and who of these has left."""

from __future__ import annotations

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import completeness, importing, vanished
from sms_service.directory.models import Person, Unit
from sms_service.errors import Invalid
from sms_service.said import as_said, say
from sms_service.web.paging import MAX_LIMIT, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, WhyIn
from sms_service.web.validators import ListLength, OneOfWords
from sms_service.web.waking import import_after_commit


class CompleteForm(In):
    """For which unit the file is complete; without one for none."""

    unit_id = Id(load_default=None)


class VanishedFilter(ScopedPageQuery):
    """Which of those who are missing."""

    proposed = fields.Boolean(load_default=True)


class LeavingForm(WhyIn):
    """Who has left: those who are ticked, or everybody on the list, on whatever page of it."""

    who = fields.String(required=True, validate=OneOfWords(("ticked", "all")))
    people = fields.List(Id(), load_default=list, validate=ListLength(0, MAX_LIMIT))


@page_view("/imports/<int:import_id>/complete", Permission.import_people)
def show_complete(import_id: int) -> str:
    """Of which unit the file names everybody."""
    query = read_query(UnitQuery)
    done = importing.get_import(g.session, g.actor, import_id)
    importing.require_import(g.session, g.actor, done)
    unit_id = query["unit"] or done.complete_for or completeness.find_unit_of_rows(g.session, done) or done.unit_id
    scope = importing.scope_path_of(g.session, done)
    choice = choose_unit(g.session, g.actor, Permission.import_people, unit_id)
    return render_page(
        "import_complete.html",
        done=done,
        unit=choice.unit,
        options=[
            (unit.id, unit.name)
            for unit in (*choice.above, choice.unit, *choice.below)
            if unit is not None and unit.path.startswith(scope)
        ],
    )


@act_view("/imports/<int:import_id>/complete", Permission.import_people, again=show_complete)
def change_complete(import_id: int) -> Response:
    """Say that it is complete for the unit, or not any more; the file is checked anew."""
    form = read_form(CompleteForm)
    record = importing.get_import(g.session, g.actor, import_id)
    completeness.declare_complete(g.session, g.actor, record, form["unit_id"])
    import_after_commit()
    return go_to("console.show_import", import_id=record.id, said=as_said("The file is checked anew."))


@page_view("/imports/<int:import_id>/vanished", Permission.read)
def list_vanished(import_id: int) -> str:
    """Who is missing from a file that is said to be complete, by unit; once it is imported, who of them has left."""
    query = read_query(VanishedFilter)
    done = importing.get_import(g.session, g.actor, import_id)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    proposed = query["proposed"]
    statement = vanished.find_vanished_people(g.session, done, scope.covers(Unit.path), proposed=proposed)
    rows, following = fetch_page(g.session, statement, query, sort="id", key=Person.id, id_=Person.id)
    counts = vanished.count_vanished(g.session, done, query["unit"]) if proposed else []
    return render_page(
        "import_vanished.html",
        done=done,
        rows=rows,
        following=following,
        query=query,
        unit=g.session.get_one(Unit, query["unit"] or done.complete_for),
        whole=g.session.get_one(Unit, done.complete_for),
        counts=counts,
        number=sum(count.proposed for count in counts),
        changes=vanished.VanishedChange,
        may_act=proposed and vanished.may_mark_left(g.session, g.actor, done),
    )


@act_view("/imports/<int:import_id>/vanished", Permission.import_people, again=list_vanished)
def mark_left(import_id: int) -> Response:
    """Those who are ticked, or everybody on the list, have left; each is looked at again."""
    query = read_query(VanishedFilter)  # the address has the filter of the page that it came from
    form = read_form(LeavingForm)
    if form["who"] == "ticked" and not form["people"]:
        raise Invalid("people", None, "is nobody: tick whoever has left")
    person_ids = form["people"] if form["who"] == "ticked" else None
    record = importing.get_import(g.session, g.actor, import_id)
    done = vanished.mark_vanished_left(
        g.session, g.actor, record, form["why"], person_ids=person_ids, unit_id=query["unit"]
    )
    here = {name: value for name, value in request.args.items() if name != "cursor"}
    return go_to("console.list_vanished", import_id=import_id, said=_say_left(done), **here)


def _say_left(done: vanished.LeavingDone) -> str:
    said = say("{count} people have left.", count=done.left) if done.left != 1 else as_said("1 person has left.")
    if not done.others:
        return said
    return say("{said} {count} others are not proposed any more and stay.", said=said, count=done.others)
