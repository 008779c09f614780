"""待办: what waits for this person, the one or two things they come for, and what is under way."""

from __future__ import annotations

from flask import g

from sms_service.accounts.permissions import Permission
from sms_service.console.pages import NO_ROLE, page_view
from sms_service.console.rendering import render_page


@page_view("/", NO_ROLE)
def show_home() -> str:
    """The first page after the log-in."""
    return render_page("home.html", may_write=bool(g.actor.scope(Permission.edit_campaigns)))
