"""A file for a reference list: uploaded, shown for what it would change, and applied."""

from __future__ import annotations

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_file, read_form
from sms_service.console.list_pages import show_reference_list
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.content import list_drafts, lists
from sms_service.said import as_said
from sms_service.web.schemas import Id, In

MOST_LISTED = 200  # rows of each kind that are shown


class SeenPlanForm(In):
    """Which plan was seen."""

    draft_id = Id(required=True)
    version = Id(required=True)


@act_view("/lists/<int:list_id>/file", Permission.manage_templates, again=show_reference_list, file=True)
def upload_one_list(list_id: int) -> Response:
    """Keep the file, to be looked at; the list is not changed."""
    data, file_name = read_file()
    list_drafts.upload_list_file(g.session, g.actor, list_id, data, file_name)
    return go_to("console.show_list_plan", list_id=list_id)


@page_view("/lists/<int:list_id>/plan", Permission.manage_templates)
def show_list_plan(list_id: int) -> str:
    """What the file would change, and the rows that cannot be used."""
    plan = list_drafts.plan_list_draft(g.session, g.actor, list_id)
    found, unit = lists.get_reference_list(g.session, g.actor, list_id)
    labels = {one.name: one.label for one in (*lists.columns_of(found), *plan.columns)}
    return render_page("reference_plan.html", found=found, unit=unit, plan=plan, labels=labels, most=MOST_LISTED)


@act_view("/lists/<int:list_id>/plan", Permission.manage_templates)
def apply_list_plan(list_id: int) -> Response:
    """Make the list what the file says."""
    form = read_form(SeenPlanForm)
    list_drafts.apply_list_draft(g.session, g.actor, list_id, form["draft_id"], form["version"])
    return go_to("console.show_reference_list", said=as_said("The list is what the file says."), list_id=list_id)


@act_view("/lists/<int:list_id>/plan/discard", Permission.manage_templates)
def discard_list_plan(list_id: int) -> Response:
    """Forget the file."""
    list_drafts.discard_list_draft(g.session, g.actor, list_id)
    return go_to("console.show_reference_list", said=as_said("The file is discarded."), list_id=list_id)
