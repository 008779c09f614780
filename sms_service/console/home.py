"""待办: what waits for this person, the one or two things they come for, and what is under way."""

from __future__ import annotations

from typing import Any

from flask import g

from sms_service.accounts.permissions import Permission
from sms_service.console.pages import NO_ROLE, page_view
from sms_service.console.rendering import link_to, render_page
from sms_service.console.run_list import list_last_runs
from sms_service.reports.tasks import Task, list_tasks
from sms_service.said import Said, as_said
from sms_service.web.task_pages import find_task_page, is_by_people
from sms_service.web.words import name_of

RUNS = 6  # the last ones
# What a task is called for those who do not watch the gateways.
_OF_PEOPLE = as_said("People of whom nobody can tell whether they got the text")
# What people come for, by right: the first three that they hold. (right, endpoint, words, icon)
_STARTS: tuple[tuple[Permission, str, Said, str], ...] = (
    (Permission.edit_campaigns, "console.show_invite", as_said("Send an invitation"), "send"),
    (Permission.edit_campaigns, "console.show_new_series", as_said("New study series"), "list"),
    (Permission.edit_campaigns, "console.show_new_campaign", as_said("Write a campaign"), "draft"),
    (Permission.approve_campaigns, "console.list_decisions", as_said("Decide on campaigns"), "check"),
    (Permission.operate_service, "console.list_gateways", as_said("Watch the gateways"), "gateway"),
    (Permission.manage_directory, "console.list_imports", as_said("Import people"), "import"),
    (Permission.read, "console.show_counts", as_said("Count texts"), "chart"),
)
MOST_STARTS = 3


@page_view("/", NO_ROLE)
def show_home() -> str:
    """The first page after the log-in."""
    tasks = [_describe(task) for task in list_tasks(g.session, g.actor)]
    starts = [
        {"href": link_to(endpoint), "label": label, "icon": icon}
        for permission, endpoint, label, icon in _STARTS
        if g.actor.scope(permission) and link_to(endpoint)
    ]
    return render_page("home.html", tasks=tasks, starts=starts[:MOST_STARTS], runs=list_last_runs(g.session, RUNS))


def _describe(task: Task) -> dict[str, Any]:
    words = _OF_PEOPLE if is_by_people(g.actor, task.kind) else name_of(task.kind)
    return {"words": words, "number": task.number, "oldest": task.oldest, "href": find_task_page(g.actor, task.kind)}
