"""`/tasks`: what waits for the caller."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.tasks import TaskKind, list_tasks
from sms_service.web.schemas import Out
from sms_service.web.task_pages import find_task_page

blueprint = Blueprint("tasks", description="What waits for somebody, by right and scope.")


class TaskOut(Out):
    """Things of one kind that wait for the caller."""

    kind = fields.String(metadata={"description": "One of " + ", ".join(TaskKind)})
    number = fields.Integer(metadata={"description": "How many; never zero"})
    oldest = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "Since when the first of them waits; null where nobody wrote that down"},
    )
    link = fields.String(
        allow_none=True,
        metadata={"description": "The console's page that lists exactly these, as a path; null without a console"},
    )


class TaskList(Out):
    """All that waits."""

    items = fields.List(fields.Nested(TaskOut), metadata={"description": "At most one line of each kind"})


@blueprint.route("/tasks")
class Tasks(MethodView):
    """The tasks."""

    @endpoint(Permission.read)
    @blueprint.response(200, TaskList)
    def get(self) -> dict[str, Any]:
        """List what waits for the caller, each kind within the scope of the right that it needs"""
        tasks = list_tasks(g.session, g.actor)
        shown = [
            {"kind": one.kind, "number": one.number, "oldest": one.oldest, "link": find_task_page(g.actor, one.kind)}
            for one in tasks
        ]
        return {"items": shown}
