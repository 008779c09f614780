"""Where each kind of task is done: a page of the console that lists exactly what waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, url_for

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.ledger.states import MessageStatus
from sms_service.reports.tasks import TaskKind

# The page and what it is asked for; `waiting`: only what waits for who looks.
DONE_AT: Mapping[TaskKind, tuple[str, Mapping[str, Any]]] = {
    TaskKind.approval: ("console.list_decisions", {"waiting": "true"}),
    TaskKind.returned: ("console.list_campaigns", {"status": "rejected", "waiting": "true"}),
    TaskKind.held_run: ("console.list_runs", {"status": "held", "waiting": "true"}),
    TaskKind.breaker_open: ("console.list_gateways", {"paused": "breaker_open"}),
    TaskKind.gateway_paused: ("console.list_gateways", {"paused": "gateway_paused"}),
    TaskKind.unknown: ("console.list_unknowns", {}),
    TaskKind.import_to_apply: ("console.list_imports", {"waiting": "true"}),
    TaskKind.branch_without_contact: ("console.list_lacking_units", {"managed": "true"}),
    TaskKind.lost_check: ("console.list_lost_checks", {}),
    TaskKind.quota: ("console.list_unit_quotas", {"full": "true"}),
    TaskKind.post_to_forward: ("console.list_channel_posts", {"waiting": "post_to_forward"}),
    TaskKind.unknown_post: ("console.list_channel_posts", {"waiting": "unknown_post"}),
    TaskKind.webhook_disabled: ("console.list_webhooks", {"state": "disabled"}),
    TaskKind.unread_reply: ("console.list_inbox", {"waiting": "true"}),
    TaskKind.assigned_reply: ("console.list_inbox", {"status": "assigned", "mine": "true"}),
}
# Where texts with an unknown outcome are looked at by those who do not watch the gateways: by people, not by accounts.
_PEOPLE_AT: tuple[str, Mapping[str, Any]] = ("console.list_rows", {"status": MessageStatus.unknown.value})


def is_by_people(actor: Actor, kind: TaskKind) -> bool:
    """Whether the actor looks at such tasks by the people whom they are about, since they watch no gateways."""
    return kind == TaskKind.unknown and not actor.scope(Permission.operate_service)


def find_task_page(actor: Actor, kind: TaskKind) -> str | None:
    """The address, without the host, of the page that lists such tasks of the actor; None where this process has no
    pages.
    """
    endpoint, values = _PEOPLE_AT if is_by_people(actor, kind) else DONE_AT[kind]
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None
