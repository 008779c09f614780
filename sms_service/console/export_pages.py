"""导出: rows of the ledger as files: asked for on any list of them, written by a worker, and downloaded here."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, request, url_for
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.languages import page_language
from sms_service.console.ledger_query import describe_filter_sets, mean_none, read_ledger_query, write_ledger_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.reports.export_models import EXPORTS_UNDER_WAY, Export
from sms_service.reports.export_rows import COLUMNS, DEFAULT_COLUMNS
from sms_service.reports.exports import EXPORT_FORMATS, ExportChoice, delete_export, find_exports, request_export
from sms_service.reports.messages import count_rows
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.export_answers import send_export
from sms_service.web.ledger_rows import MessageFilter, name_filters, scope_messages
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import OneLine
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import export_after_commit

MOST_COUNTED = 100_000
_PLACE = "place."


class ExportForm(MessageFilter):
    """Which rows, and how the file shall be; `place.<column>` says where a column stands."""

    columns = fields.List(fields.String(validate=OneOfWords(tuple(COLUMNS))), load_default=list)
    format = fields.String(load_default="xlsx", validate=OneOfWords((*EXPORT_FORMATS, "csv-plain")))
    whole_phones = fields.Boolean(load_default=False)
    why = OneLine(200, load_default=None)


@page_view("/exports", Permission.read)
def list_exports() -> str:
    """One's own exports; the part with those that are written refreshes itself."""
    return render_page("exports.html", days=current_context().settings.export_days, **_list(read_query(PageQuery)))


@page_view("/exports/live", Permission.read, fragment=True)
def refresh_exports() -> Response:
    """The list; the whole page anew once none is written any more."""
    shown = _list(read_query(PageQuery))
    answer = make_response(render_page("export_list.html", **shown))
    if not shown["under_way"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@page_view("/exports/new", Permission.read)
def show_new_export() -> str:
    """Which columns, in which order, and as what file."""
    query = read_ledger_query(ExportForm)
    scope, rows = scope_messages(g.session, g.actor, query)
    last = g.session.scalar(
        select(Export.columns).where(Export.account_id == g.actor.account_id).order_by(Export.id.desc()).limit(1)
    )
    chosen = [name for name in last or DEFAULT_COLUMNS if name in COLUMNS]
    return render_page(
        "export_new.html",
        asked=write_ledger_query(name_filters(query)),
        scope=scope.units,
        number=count_rows(g.session, rows, MOST_COUNTED),
        most=MOST_COUNTED,
        columns=[(name, COLUMNS[name].label) for name in [*chosen, *(name for name in COLUMNS if name not in chosen)]],
        chosen=chosen,
        may_see_phones=all(g.actor.can(Permission.see_phones, path) for path in rows.paths),
        fresh=is_password_fresh(),
    )


@act_view("/exports", Permission.read, again=show_new_export)
def make_export() -> Response:
    """Have the rows written."""
    form = mean_none(read_form(ExportForm, apart=_PLACE))
    places = {name: int(place) if place.isdecimal() else len(COLUMNS) for name, place in read_named(_PLACE).items()}
    columns = sorted(form["columns"], key=lambda name: places.get(name, 0)) or list(DEFAULT_COLUMNS)
    if form["whole_phones"]:
        confirm_password()
    choice = ExportChoice(
        columns=tuple(columns),
        format=form["format"].partition("-")[0],
        bom=form["format"] == "csv",
        language=page_language(),
        whole_phones=form["whole_phones"],
        why=form["why"],
    )
    _, rows = scope_messages(g.session, g.actor, form)
    request_export(g.session, g.actor, rows, name_filters(form), choice)
    export_after_commit()
    return go_to("console.list_exports", said=as_said("The file is being written; it can be downloaded here."))


@page_view("/exports/<int:export_id>/file", Permission.read)
def download_export(export_id: int) -> Response:
    """The file; a download that broke off goes on where it was."""
    return send_export(g.session, g.actor, export_id)


@act_view("/exports/<int:export_id>/delete", Permission.read)
def delete_own_export(export_id: int) -> Response:
    """Delete one, also while it is written."""
    delete_export(g.session, g.actor, export_id)
    return go_to("console.list_exports", said=as_said("The export is deleted."))


def _list(query: dict[str, Any]) -> dict[str, Any]:
    found, following = fetch_page(
        g.session, find_exports(g.actor), query, sort="id", key=Export.id, id_=Export.id, descending=True
    )
    asked = [write_ledger_query(one.asked) for one in found]
    return {
        "exports": found,
        "asked": {one.id: told for one, told in zip(found, describe_filter_sets(g.session, asked), strict=True)},
        "addresses": {one.id: url_for("console.list_rows", **given) for one, given in zip(found, asked, strict=True)},
        "following": following,
        "under_way": any(one.state in EXPORTS_UNDER_WAY for one in found),
        "here": {name: value for name, value in request.args.items() if name == "cursor"},
    }
