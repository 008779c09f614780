"""Files of units and people: uploaded, checked by a worker, looked at, and only then written."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, send_file
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList
from sms_service.console import languages
from sms_service.console.forms import read_file, read_form, read_query
from sms_service.console.mending import find_mending
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory import drafts, importing
from sms_service.directory.import_models import IMPORT_KINDS, UNDER_WAY_STATES, Import, ImportProblem
from sms_service.directory.meanings import COLUMNS
from sms_service.directory.models import Unit
from sms_service.directory.refused_file import write_refused_rows
from sms_service.errors import Invalid, NotFound
from sms_service.masking import mask_quoted, mask_said, mask_text
from sms_service.said import Said
from sms_service.web.paging import PageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, WhyIn
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import import_after_commit


class UploadForm(In):
    """What is in the file, and which units it may touch."""

    kind = fields.String(required=True, validate=OneOfWords(IMPORT_KINDS))
    unit_id = Id(load_default=None)
    complete_for = fields.Boolean(load_default=False)  # that unit


class ApplyForm(In):
    """Which check was seen."""

    version = fields.Integer(required=True)


class FindingFilter(PageQuery):
    """Which findings: those that refused rows or not, or those like one of them (its id)."""

    refused = fields.Boolean(load_default=None)
    like = Id(load_default=None)


class ImportsQuery(PageQuery):
    """Which imports; `waiting`: only what one may apply and nobody has."""

    waiting = fields.Boolean(load_default=None)


@page_view("/imports", Permission.import_people)
def list_imports() -> str:
    """The form for a file, and what was uploaded before."""
    query = read_query(ImportsQuery)
    scope = scope_filter(g.session, g.actor, Permission.import_people, None)
    shown = importing.is_to_apply(g.actor) if query["waiting"] else scope.covers(Unit.path)
    statement = importing.find_imports(shown)
    found, following = fetch_page(g.session, statement, query, sort="id", key=Import.id, id_=Import.id, descending=True)
    return render_page(
        "imports.html", found=found, following=following, query=query, scope=scope.units, **_names(found)
    )


@act_view("/imports", Permission.import_people, again=list_imports, file=True)
def upload_file() -> Response:
    """Keep the file; a worker checks it, and nothing is written to the register."""
    form, (data, file_name) = read_form(UploadForm), read_file()
    unit_id = importing.find_import_unit(g.session, g.actor, form["kind"], form["unit_id"])
    if form["complete_for"] and unit_id is None:
        raise Invalid("complete_for", None, "needs a unit: name the one this import is for")
    complete_for = unit_id if form["complete_for"] else None
    record = drafts.upload_import(
        g.session, g.actor, form["kind"], data, file_name, unit_id=unit_id, complete_for=complete_for
    )
    import_after_commit()
    return go_to("console.show_import", import_id=record.id)


@page_view("/imports/<int:import_id>", Permission.read)
def show_import(import_id: int) -> str:
    """One import: how far it is, how many rows would become or became what, what was found, and the rows concerned."""
    query = read_query(FindingFilter)
    done = importing.get_import(g.session, g.actor, import_id)
    if done.state in UNDER_WAY_STATES:
        return render_page("import_progress.html", done=done, **_names([done]))
    like = g.session.get(ImportProblem, query["like"]) if query["like"] is not None else None
    if query["like"] is not None and (like is None or like.import_id != done.id):
        raise NotFound("finding", query["like"])
    statement = importing.problems_like(like) if like else importing.problems_of(done, refused=query["refused"])
    rows, following = fetch_page(g.session, statement, query, sort="row", key=ImportProblem.row, id_=ImportProblem.id)
    groups = importing.group_problems(g.session, done)
    needed, path = importing.NEEDED[done.kind], importing.scope_path_of(g.session, done)
    return render_page(
        "import.html",
        done=done,
        may_act=g.actor.can(needed, path),
        may_download=g.actor.can(needed, path) and g.actor.can(Permission.see_phones, path),
        groups=[_shown(group.first) | {"count": group.findings} for group in groups],
        rows=[_shown(row) for row in rows],
        following=following,
        query=query,
        earlier=importing.find_same_file(g.session, done),
        made=g.session.scalar(select(RecipientList.id).where(RecipientList.import_id == done.id)),
        titles={name: column.header for name, column in COLUMNS[done.kind].items()},
        **_names([done]),
    )


@page_view("/imports/<int:import_id>/progress", Permission.read, fragment=True)
def refresh_import(import_id: int) -> Response:
    """The part of the page that refreshes itself; the whole page anew once the worker is through."""
    done = importing.get_import(g.session, g.actor, import_id)
    answer = make_response(render_page("import_live.html", done=done))
    if done.state not in UNDER_WAY_STATES:
        answer.headers["HX-Refresh"] = "true"
    return answer


@act_view("/imports/<int:import_id>/apply", Permission.import_people)
def confirm_import(import_id: int) -> Response:
    """Write what the check has shown."""
    form = read_form(ApplyForm)
    record = importing.get_import(g.session, g.actor, import_id)
    drafts.request_apply(g.session, g.actor, record, form["version"])
    import_after_commit()
    return go_to("console.show_import", import_id=record.id)


@page_view("/imports/<int:import_id>/refused", Permission.import_people, methods=("POST",), again=show_import)
def download_refused(import_id: int) -> Response:
    """The refused rows in the office's own layout, each with why; whole phones, for a reason that the trail keeps."""
    record = importing.get_import(g.session, g.actor, import_id)
    file = write_refused_rows(g.session, g.actor, record, read_form(WhyIn)["why"], languages.translate_here)
    return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)


def _shown(found: ImportProblem) -> dict[str, Any]:
    """A finding with phone numbers masked, and what to do about it."""
    reason: Said = mask_said(found.said, lambda text: mask_quoted(text, found.value, found.column))
    return {
        "id": found.id,
        "row": found.row,
        "column": mask_text(found.column),
        "value": None if found.value is None else mask_text(found.value),
        "reason": reason,
        "refused": found.refused,
        "remedy": find_mending(found.said),
    }


def _names(found: list[Import]) -> dict[str, dict[int, str]]:
    """The names of who made the imports and of the units for which."""
    people = select(Account.id, Account.name).where(Account.id.in_({one.account_id for one in found}))
    units = select(Unit.id, Unit.name).where(
        Unit.id.in_({unit_id for one in found for unit_id in (one.unit_id, one.complete_for)})
    )
    return {
        "makers": {row[0]: row[1] for row in g.session.execute(people)},
        "units": {row[0]: row[1] for row in g.session.execute(units)},
    }
