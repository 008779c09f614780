"""The menu: what this visitor may open, in groups."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, g, request, url_for

from sms_service.accounts.permissions import Permission
from sms_service.said import Said, as_said

FEW = 8  # entries; a menu with no more of them needs no folding


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A line of the menu. `permission`: held over at least one unit, or None for everybody. `also`: the endpoints of
    its pages whose addresses lie below another line's.
    """

    endpoint: str
    label: Said
    icon: str
    permission: Permission | None = Permission.read
    also: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the visitor is on this page, or on one that belongs to it."""
        if request.endpoint in _ELSEWHERE:
            return request.endpoint in self.also
        address = url_for(self.endpoint)
        return request.path == address or (address != "/" and request.path.startswith(f"{address}/"))


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Entries that belong together. `daily_for`: those for whom they are everyday work, by a right that they hold; the
    first group has no title and is for everybody.
    """

    title: Said | None
    entries: tuple[MenuEntry, ...]
    daily_for: Permission | None = None


@dataclass(frozen=True, slots=True)
class Menu:
    """All groups in their order; and of these what one needs every day, and what may stand under one line where there
    is little room.
    """

    all: tuple[MenuGroup, ...]
    daily: tuple[MenuGroup, ...]
    more: tuple[MenuGroup, ...]

    @property
    def is_open_in_more(self) -> bool:
        """Whether the visitor is on a page of the second part."""
        return any(entry.is_open for group in self.more for entry in group.entries)


def _(message: str) -> Said:
    return as_said(message)


_OF_EVENTS = (
    *("console.show_event", "console.ask_move", "console.move_one_event", "console.look_for_move"),
    *("console.ask_event_cancel", "console.cancel_one_event", "console.show_attendance", "console.keep_attendance"),
)
_OF_SERIES = (
    *("console.show_series", "console.show_series_item", "console.mend_series_item", "console.show_insertion"),
    *("console.insert_series_item", "console.show_series_texts", "console.read_series_again"),
    *("console.show_series_whom", "console.look_at_series_whom", "console.choose_series_whom"),
    *("console.show_series_when", "console.look_at_series_when", "console.choose_series_when"),
)
_OF_REPLIES = (
    *("console.list_asked_questions", "console.show_question", "console.show_respondent", "console.note_one_answer"),
    *("console.write_reminder", "console.ask_question_close", "console.close_one_question"),
)
_OF_QUIZZES = ("console.show_quiz_results", "console.list_quiz_people", "console.list_quiz_scores")
MENU = (
    MenuGroup(
        None,
        (
            MenuEntry("console.show_home", _("To do"), "home", None),
            MenuEntry("console.show_invite", _("Send an invitation"), "send", Permission.edit_campaigns),
            MenuEntry("console.list_events", _("Theme days"), "people", also=_OF_EVENTS),
            MenuEntry("console.list_series", _("Study series"), "list", also=_OF_SERIES),
            MenuEntry("console.list_campaigns", _("Campaigns"), "campaign"),
            MenuEntry("console.list_decisions", _("Approvals"), "check", Permission.approve_campaigns),
            MenuEntry("console.list_inbox", _("Inbox"), "inbox"),
            MenuEntry("console.list_replies", _("Replies"), "reply", also=_OF_REPLIES),
            MenuEntry("console.list_quizzes", _("Quizzes"), "question", also=_OF_QUIZZES),
            MenuEntry("console.list_channel_posts", _("Channel posts"), "share"),
            MenuEntry("console.show_counts", _("Counts"), "chart"),
            MenuEntry("console.show_comparison", _("Comparison"), "tree"),
            MenuEntry("console.list_exports", _("Exports"), "import"),
            # Here because whoever needs it is in a hurry.
            MenuEntry("console.list_stops", _("Stops"), "stop", Permission.operate_campaigns),
        ),
    ),
    MenuGroup(
        _("Content"),
        (
            MenuEntry("console.list_segments", _("Segments"), "people"),
            MenuEntry("console.list_recipient_lists", _("Send to a list"), "list"),
            MenuEntry("console.list_templates", _("Templates"), "text"),
            MenuEntry("console.list_reference_lists", _("Reference lists"), "tree"),
            MenuEntry("console.list_quiz_categories", _("Quiz bank"), "question"),
            MenuEntry("console.show_signatures", _("Signatures"), "key"),
            MenuEntry("console.list_channels", _("Channels"), "mark"),
            MenuEntry("console.list_words", _("Words and links"), "draft"),
        ),
    ),
    MenuGroup(
        _("Directory"),
        (
            MenuEntry("console.list_people", _("People"), "person"),
            MenuEntry("console.list_units", _("Units"), "tree"),
            MenuEntry("console.list_imports", _("Import"), "import", Permission.import_people),
            MenuEntry("console.list_lost_checks", _("Lost contact"), "question"),
            MenuEntry("console.list_suppressions", _("Opted out"), "blocked"),
            MenuEntry("console.list_accounts", _("Accounts"), "key", Permission.manage_accounts),
            MenuEntry("console.list_approval_rules", _("Approval rules"), "check", Permission.manage_accounts),
        ),
        Permission.manage_directory,
    ),
    MenuGroup(
        _("Operation"),
        (
            MenuEntry("console.show_calendar", _("Working days"), "list", Permission.manage_directory),
            MenuEntry("console.list_quiet_days", _("Quiet days"), "clock", Permission.manage_directory),
            MenuEntry("console.list_unit_quotas", _("Quotas and targets"), "chart"),
            MenuEntry("console.list_unknowns", _("Unknown outcomes"), "question", Permission.operate_campaigns),
            MenuEntry("console.list_gateways", _("Gateways"), "gateway", Permission.operate_service),
            MenuEntry("console.list_webhooks", _("Webhooks"), "share", Permission.manage_accounts),
            MenuEntry("console.list_trail", _("Trail"), "trail"),
        ),
        Permission.operate_service,
    ),
)

_ELSEWHERE = frozenset(endpoint for group in MENU for entry in group.entries for endpoint in entry.also)


def menu_groups() -> Menu:
    """The menu with the entries that this visitor may open."""
    groups = tuple(MenuGroup(group.title, _may_open(group), group.daily_for) for group in MENU)
    groups = tuple(group for group in groups if group.entries)
    if sum(len(group.entries) for group in groups) <= FEW:
        return Menu(groups, groups, ())
    daily = tuple(group for group in groups if _is_daily(group))
    return Menu(groups, daily, tuple(group for group in groups if group not in daily))


def _may_open(group: MenuGroup) -> tuple[MenuEntry, ...]:
    return tuple(
        entry
        for entry in group.entries
        if entry.endpoint in current_app.view_functions
        and (entry.permission is None or g.actor.scope(entry.permission))
    )


def _is_daily(group: MenuGroup) -> bool:
    return group.title is None or (group.daily_for is not None and bool(g.actor.scope(group.daily_for)))
