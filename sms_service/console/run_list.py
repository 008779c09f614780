"""Runs by status, such as those that are held until somebody decides."""

from __future__ import annotations

from flask import g
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.control import find_runs, name_runs
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import Unit
from sms_service.ledger.models import KINDS, Run
from sms_service.ledger.states import RunStatus
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word


class RunsQuery(ScopedPageQuery):
    """Which runs; `waiting`: only of units whose runs one may decide about."""

    waiting = fields.Boolean(load_default=None)
    status = fields.String(load_default=None, validate=OneOfWords([*RunStatus]))
    kind = fields.String(load_default=None, validate=OneOfWords(KINDS))


@page_view("/runs", Permission.read)
def list_runs() -> str:
    """The runs, newest first."""
    query = read_query(RunsQuery)
    right = Permission.operate_campaigns if query["waiting"] else Permission.read
    scope = scope_filter(g.session, g.actor, right, query["unit"])
    named = name_runs(find_runs(scope.paths, status=query["status"], kind=query["kind"]))
    rows, following = fetch_page(g.session, named, query, sort="id", key=Run.id, id_=Run.id, descending=True)
    return render_page(
        "runs.html",
        rows=rows,
        following=following,
        query=query,
        scope=scope.units,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        statuses=[(status, name_here(status)) for status in RunStatus],
        kinds=[(kind, translate_here(name_word("run", kind))) for kind in KINDS],
    )


def list_last_runs(session: Session, number: int) -> list[tuple[Run, str | None, str]]:
    """The last runs of campaigns that the visitor may read, as (Run, campaign, unit)."""
    paths = g.actor.scope(Permission.read)
    if not paths:
        return []
    of_campaigns = find_runs(paths, kind="campaign").with_only_columns(Run.id)
    newest = of_campaigns.order_by(Run.id.desc()).limit(number).subquery()
    own = select(Run).join(Unit, Unit.id == Run.unit_id).join(newest, newest.c.id == Run.id)
    return [(row.Run, row.campaign, row.unit) for row in session.execute(name_runs(own).order_by(Run.id.desc()))]
