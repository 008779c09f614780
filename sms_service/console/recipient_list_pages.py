"""按名单发送: files whose rows are a campaign's audience and whose columns stand in its text; one list and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, g
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience import recipient_lists
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.campaigns.list_uses import find_list_use, list_campaigns_of_list
from sms_service.campaigns.uses import MOST_USES
from sms_service.console.forms import read_file, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory import drafts
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.personal.list_endings import let_list_go
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.waking import import_after_commit


class ListForm(In):
    """For which unit the list is."""

    unit_id = Id(load_default=None)


class LetGoForm(In):
    """That it is meant."""

    sure = fields.Boolean(load_default=False)


@page_view("/recipient-lists", Permission.read)
def list_recipient_lists() -> str:
    """The form for a file, and the lists that there are."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = recipient_lists.find_lists(scope.paths)
    key = RecipientList.id
    rows, following = fetch_page(g.session, statement, query, sort="id", key=key, id_=key, descending=True)
    named = select(Unit.id, Unit.name).where(Unit.id.in_({row.unit_id for row in rows}))
    may_write = bool(g.actor.scope(Permission.manage_segments))
    return render_page(
        "recipient_lists.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        units={row.id: row.name for row in g.session.execute(named)},
        choice=choose_unit(g.session, g.actor, Permission.manage_segments, query["unit"], top=True)
        if may_write
        else None,
    )


@act_view("/recipient-lists", Permission.manage_segments, again=list_recipient_lists, file=True)
def upload_recipients() -> Response:
    """Keep the file; a worker checks whom its rows mean."""
    form, (data, file_name) = read_form(ListForm), read_file()
    record = drafts.upload_import(g.session, g.actor, "recipients", data, file_name, unit_id=form["unit_id"])
    import_after_commit()
    return go_to("console.show_import", import_id=record.id)


@page_view("/recipient-lists/<int:recipient_list_id>", Permission.read)
def show_recipient_list(recipient_list_id: int) -> str:
    """One list: its variables, what uses it, and its rows for whoever may read its unit."""
    query = read_query(PageQuery)
    found = recipient_lists.get_list(g.session, g.actor, recipient_list_id)
    unit = g.session.get_one(Unit, found.unit_id)
    may_read = g.actor.can(Permission.read, unit.path)
    rows: Sequence[Any] = ()
    following = None
    if may_read:
        statement = recipient_lists.find_list_rows(g.session, g.actor, found)
        rows, following = fetch_page(
            g.session, statement, query, sort="row", key=RecipientRow.row, id_=RecipientRow.person_id
        )
    maker = g.session.get(Account, found.created_by) if found.created_by is not None else None
    return render_page(
        "recipient_list.html",
        found=found,
        unit=unit,
        maker=maker.name if maker else None,
        rows=rows,
        following=following,
        may_read=may_read,
        may_write=g.actor.can(Permission.edit_campaigns, unit.path),
        may_template=g.actor.can(Permission.manage_templates, unit.path),
        may_let_go=g.actor.can(Permission.manage_segments, unit.path) and not found.is_over,
        waits=find_list_use(g.session, found.id).waits,
        uses=list_campaigns_of_list(g.session, g.actor, found.id),
        most=MOST_USES,
        days=current_context().settings.list_days,
    )


@act_view("/recipient-lists/<int:recipient_list_id>/let-go", Permission.manage_segments, again=show_recipient_list)
def let_one_list_go(recipient_list_id: int) -> Response:
    """Nobody needs it any more: its guests are erased and its rows deleted."""
    if not read_form(LetGoForm)["sure"]:
        raise Invalid("sure", None, "tick that nobody needs the list any more")
    let_list_go(g.session, g.actor, recipient_list_id)
    said = as_said("Its rows are deleted soon.")
    return go_to("console.show_recipient_list", said=said, recipient_list_id=recipient_list_id)
