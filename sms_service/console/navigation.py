"""The menu: what this visitor may open, in groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import current_app, g, request

from sms_service.accounts.permissions import Permission
from sms_service.said import Said, as_said


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A line of the menu. `permission`: held over at least one unit, or None for everybody."""

    endpoint: str
    label: Said
    icon: str
    permission: Permission | None = Permission.read

    @property
    def is_open(self) -> bool:
        """Whether the visitor is on this page or on one that belongs to it (`section` of the template's values)."""
        return request.endpoint == self.endpoint


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Entries that belong together; the first group has no title."""

    title: Said | None
    entries: tuple[MenuEntry, ...]


def _(message: str) -> Said:
    return as_said(message)


MENU = (
    MenuGroup(
        None,
        (
            MenuEntry("console.show_home", _("To do"), "home", None),
            MenuEntry("console.show_invite", _("Send an invitation"), "send", Permission.edit_campaigns),
            MenuEntry("console.list_campaigns", _("Campaigns"), "campaign"),
            MenuEntry("console.list_decisions", _("Approvals"), "check", Permission.approve_campaigns),
            MenuEntry("console.list_replies", _("Replies"), "reply"),
            MenuEntry("console.show_counts", _("Counts"), "chart"),
        ),
    ),
    MenuGroup(
        _("What is sent to whom"),
        (
            MenuEntry("console.list_segments", _("Segments"), "people"),
            MenuEntry("console.list_templates", _("Templates"), "text"),
            MenuEntry("console.list_words", _("Words and links"), "draft"),
        ),
    ),
    MenuGroup(
        _("Directory"),
        (
            MenuEntry("console.list_people", _("People"), "person"),
            MenuEntry("console.list_units", _("Units"), "tree"),
            MenuEntry("console.list_imports", _("Import"), "import", Permission.import_people),
            MenuEntry("console.list_suppressions", _("Opted out"), "blocked"),
            MenuEntry("console.list_accounts", _("Accounts"), "key", Permission.manage_accounts),
        ),
    ),
    MenuGroup(
        _("Operation"),
        (
            MenuEntry("console.list_stops", _("Stops"), "stop", Permission.operate_campaigns),
            MenuEntry("console.list_quiet_days", _("Quiet days"), "clock", Permission.manage_directory),
            MenuEntry("console.list_unknowns", _("Unknown outcomes"), "question", Permission.operate_campaigns),
            MenuEntry("console.list_gateways", _("Gateways"), "gateway", Permission.operate_service),
            MenuEntry("console.list_trail", _("Trail"), "trail"),
        ),
    ),
)


def list_entries() -> Iterable[MenuGroup]:
    """The groups of the menu with the entries that this visitor may open."""
    for group in MENU:
        entries = tuple(
            entry
            for entry in group.entries
            if entry.endpoint in current_app.view_functions
            and (entry.permission is None or g.actor.scope(entry.permission))
        )
        if entries:
            yield MenuGroup(group.title, entries)
