"""One row of a reference list: written, archived, brought back."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_named
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.texts import VALUE
from sms_service.content import lists
from sms_service.content.list_models import ReferenceRow
from sms_service.content.values import LONGEST_VALUE
from sms_service.said import as_said, say
from sms_service.web.schemas import In
from sms_service.web.validators import TextLength


class RowForm(In):
    """A row but for its cells."""

    name = fields.String(required=True, validate=TextLength(1, LONGEST_VALUE))


@page_view("/lists/<int:list_id>/rows/new", Permission.manage_templates)
def show_new_row(list_id: int) -> str:
    """The form for another row."""
    return _show_form(list_id, None)


@act_view("/lists/<int:list_id>/rows", Permission.manage_templates, again=show_new_row)
def add_one_row(list_id: int) -> Response:
    """Add a row."""
    row = lists.keep_row(g.session, g.actor, list_id, None, read_form(RowForm, apart=VALUE)["name"], read_named(VALUE))
    return go_to("console.show_reference_list", said=say("{row} is on the list.", row=row.name), list_id=list_id)


@page_view("/lists/<int:list_id>/rows/<int:row_id>", Permission.manage_templates)
def show_row(list_id: int, row_id: int) -> str:
    """A row, to be changed."""
    lists.get_reference_list(g.session, g.actor, list_id)
    return _show_form(list_id, lists.get_row(g.session, list_id, row_id))


@act_view("/lists/<int:list_id>/rows/<int:row_id>", Permission.manage_templates, again=show_row)
def change_one_row(list_id: int, row_id: int) -> Response:
    """Keep the change; campaigns that picked the row keep what they took."""
    name, cells = read_form(RowForm, apart=VALUE)["name"], read_named(VALUE)
    lists.keep_row(g.session, g.actor, list_id, row_id, name, cells)
    return go_to("console.show_reference_list", said=as_said("The change is kept."), list_id=list_id)


@act_view("/lists/<int:list_id>/rows/<int:row_id>/archive", Permission.manage_templates)
def archive_one_row(list_id: int, row_id: int) -> Response:
    """Let no campaign pick it any more."""
    row = lists.archive_row(g.session, g.actor, list_id, row_id)
    return go_to("console.show_reference_list", said=say("{row} is archived.", row=row.name), list_id=list_id)


@act_view("/lists/<int:list_id>/rows/<int:row_id>/restore", Permission.manage_templates)
def restore_one_row(list_id: int, row_id: int) -> Response:
    """Let campaigns pick it again."""
    row = lists.archive_row(g.session, g.actor, list_id, row_id, archived=False)
    return go_to("console.show_reference_list", said=say("{row} is on the list.", row=row.name), list_id=list_id)


def _show_form(list_id: int, row: ReferenceRow | None) -> str:
    found, unit = lists.get_reference_list(g.session, g.actor, list_id)
    g.actor.require(Permission.manage_templates, unit.path)
    first, *columns = lists.columns_of(found)
    return render_page("reference_row.html", found=found, row=row, first=first, columns=columns)
