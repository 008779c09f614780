"""资料表: the tables of venues, teachers and the like, one of them with its rows, and its name."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request, send_file
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.content import lists
from sms_service.content.list_files import FORMATS, write_list_file
from sms_service.content.list_models import ReferenceList, ReferenceRow
from sms_service.content.models import Template
from sms_service.directory.text import visible_text
from sms_service.said import as_said
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords

MOST_FOUND = 100  # rows that a search shows
MOST_SHOWN_COLUMNS = 5  # of a table; the page of a row has all
MOST_NAMING = 20  # templates named on a list's page


class NewListForm(In):
    """A new list."""

    unit_id = Id(required=True)
    name = OneLine(200, required=True)
    label = OneLine(200, required=True)


class LabelForm(In):
    """Another name for people."""

    label = OneLine(200, required=True)


class RowFilter(PageQuery):
    """Which rows."""

    archived = fields.Boolean(load_default=False)


class FormatChoice(In):
    """As which kind of file."""

    format = fields.String(load_default="xlsx", validate=OneOfWords(FORMATS))


@page_view("/lists", Permission.read)
def list_reference_lists() -> str:
    """The reference lists that one's units can use, and the form for another one."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = lists.find_reference_lists(scope.paths)
    rows, following = fetch_page(
        g.session, statement, query, sort="label", key=ReferenceList.label, id_=ReferenceList.id
    )
    may_add = bool(g.actor.scope(Permission.manage_templates))
    return render_page(
        "reference_lists.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        columns_of=lists.columns_of,
        choice=choose_unit(g.session, g.actor, Permission.manage_templates, query["unit"], top=True)
        if may_add
        else None,
    )


@act_view("/lists", Permission.manage_templates, again=list_reference_lists)
def add_one_list() -> Response:
    """Add an empty list."""
    form = read_form(NewListForm)
    made = lists.add_reference_list(g.session, g.actor, form["unit_id"], form["name"], form["label"])
    return go_to("console.show_reference_list", said=as_said("Now upload a file with its rows."), list_id=made.id)


@page_view("/lists/<int:list_id>", Permission.read, methods=("GET", "POST"))
def show_reference_list(list_id: int) -> str:
    """A list with its rows, or those that a search finds, and which templates name it."""
    query, wanted = read_query(RowFilter), None
    found, unit = lists.get_reference_list(g.session, g.actor, list_id)
    following: str | None = None
    if request.method == "POST" and "wanted" in request.form:
        wanted = visible_text(request.form["wanted"].replace("\x00", ""))[:100]
        statement = lists.find_rows(list_id, wanted, archived=query["archived"])
        statement = statement.order_by(ReferenceRow.place, ReferenceRow.id).limit(MOST_FOUND + 1)
        rows: list[Any] = list(g.session.scalars(statement))
    else:
        statement = lists.find_rows(list_id, archived=query["archived"])
        rows, following = fetch_page(
            g.session, statement, query, sort="place", key=ReferenceRow.place, id_=ReferenceRow.id
        )
    naming = lists.find_naming_templates(found, unit.path).order_by(Template.name, Template.id).limit(MOST_NAMING + 1)
    templates = [row.Template for row in g.session.execute(naming)]
    return render_page(
        "reference_list.html",
        found=found,
        unit=unit,
        query=query,
        wanted=wanted,
        rows=rows[:MOST_FOUND] if wanted is not None else rows,
        more=wanted is not None and len(rows) > MOST_FOUND,
        following=following,
        most=MOST_FOUND,
        most_rows=lists.MOST_ROWS,
        columns=lists.columns_of(found),
        shown=lists.columns_of(found)[1:MOST_SHOWN_COLUMNS],
        number=lists.count_list_rows(g.session, list_id),
        templates=templates[:MOST_NAMING],
        more_templates=len(templates) > MOST_NAMING,
        may_change=g.actor.can(Permission.manage_templates, unit.path),
    )


@page_view("/lists/<int:list_id>/download", Permission.read, methods=("POST",))
def download_list(list_id: int) -> Response:
    """The list as a file that can be uploaded again."""
    file = write_list_file(g.session, g.actor, list_id, read_form(FormatChoice)["format"])
    return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)


@act_view("/lists/<int:list_id>/name", Permission.manage_templates, again=show_reference_list)
def rename_one_list(list_id: int) -> Response:
    """Give it another name for people; templates call it as before."""
    lists.rename_reference_list(g.session, g.actor, list_id, read_form(LabelForm)["label"])
    return go_to("console.show_reference_list", said=as_said("The change is kept."), list_id=list_id)


@act_view("/lists/<int:list_id>/remove", Permission.manage_templates)
def remove_one_list(list_id: int) -> Response:
    """Take it away with its rows."""
    lists.remove_reference_list(g.session, g.actor, list_id)
    said = as_said("The list is removed. Campaigns keep what they took of it.")
    return go_to("console.list_reference_lists", said=said)
