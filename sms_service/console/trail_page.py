"""The trail: who did what to what, and when, as sentences."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import g
from marshmallow import fields

from sms_service.accounts.models import Account
from sms_service.accounts.permissions import Permission
from sms_service.audit.chain import find_chain_state
from sms_service.audit.changes import read_changes
from sms_service.audit.models import TrailEntry
from sms_service.audit.trail import find_entries
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import link_to, render_page
from sms_service.console.trail_changes import tell_changes, tell_origin
from sms_service.console.trail_sentences import tell_act
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Invalid
from sms_service.masking import mask_text
from sms_service.reports.acts import name_targets, word_rules
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id
from sms_service.web.validators import OneOfWords
from sms_service.web.words import WORDS

# There are more of these than of all else, so that a list has them only where they are asked for.
LOGINS = ("session.begin", "session.end")
# Beyond these nothing was done, and a day has no room for its time zone.
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)
LATE = timedelta(minutes=1)  # a clock links within seconds
# The page of what an act was done to: endpoint, its parameter, and the right that it demands somewhere.
_PAGES = {
    "campaign": ("console.show_campaign", "campaign_id", Permission.read),
    "run": ("console.show_run", "run_id", Permission.read),
    "message": ("console.show_message", "message_id", Permission.read),
    "person": ("console.show_person", "person_id", Permission.read),
    "unit": ("console.show_unit", "unit_id", Permission.read),
    "import": ("console.show_import", "import_id", Permission.read),
    "account": ("console.show_account", "account_id", Permission.manage_accounts),
    "stop": ("console.show_stop", "stop_id", Permission.operate_campaigns),
    "segment": ("console.show_segment", "segment_id", Permission.read),
    "channel": ("console.show_channel", "channel_id", Permission.read),
    "post": ("console.show_post", "post_id", Permission.read),
    "template": ("console.show_template", "template_id", Permission.read),
    "statement": ("console.show_statement", "statement_id", Permission.read),
}


class TrailFilter(ScopedPageQuery):
    """Which acts; days are those of the city, both included."""

    act = fields.String(load_default=None, validate=OneOfWords(tuple(WORDS["act"])))
    account = Id(load_default=None)
    since = fields.Date(load_default=None)
    until = fields.Date(load_default=None)
    logins = fields.Boolean(load_default=False)


@page_view("/trail", Permission.read)
def list_trail() -> str:
    """What was done, newest first."""
    query = read_query(TrailFilter)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    if query["since"] and query["until"] and query["until"] < query["since"]:
        raise Invalid("until", query["until"].isoformat(), "must not be before the first day")
    since = query["since"] and _begin_of(query["since"])
    until = query["until"] and _begin_of(min(query["until"], _LAST_DAY) + timedelta(days=1))
    besides = () if query["logins"] or query["act"] in LOGINS else LOGINS
    statement = find_entries(
        scope.paths, act=query["act"], account_id=query["account"], since=since, until=until, besides=besides
    )
    entries, following = fetch_page(
        g.session, statement, query, sort="id", key=TrailEntry.id, id_=TrailEntry.id, descending=True
    )
    changes = read_changes(g.session, entries)
    names = name_targets(g.session, g.actor, entries, changes)
    rules = word_rules(g.session, g.actor, entries, changes)
    acts = {act: translate_here(word) for act, word in WORDS["act"].items()}
    chosen = g.session.get(Account, query["account"]) if query["account"] is not None else None
    return render_page(
        "trail.html",
        rows=[
            {
                "entry": entry,
                "sentence": tell_act(entry, names),
                "origin": tell_origin(entry),
                "changes": tell_changes(entry, changes.get(entry.id), names, rules.get(entry.id)),
                "why": _why(entry),
                "page": _link(entry),
            }
            for entry in entries
        ],
        chain=(chain := find_chain_state(g.session)),
        late=chain.waiting_since is not None and datetime.now(UTC) - chain.waiting_since > LATE,
        following=following,
        query=query,
        acts=sorted(acts.items(), key=lambda pair: pair[1]),
        chosen=chosen,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        scope=scope.units,
    )


def _begin_of(day: date) -> datetime:
    return datetime.combine(max(day, _FIRST_DAY), time(), ZoneInfo(CITY_ZONE)).astimezone(UTC)


def _why(entry: TrailEntry) -> str | None:
    why = entry.details.get("why")
    return mask_text(why) if isinstance(why, str) else None


def _link(entry: TrailEntry) -> str | None:
    """The page of what the act was done to, where the visitor may open it."""
    page = _PAGES.get(entry.target_kind)
    if page is None or not entry.target_id.isdecimal() or entry.target_id == "0":
        return None
    endpoint, parameter, permission = page
    return link_to(endpoint, **{parameter: int(entry.target_id)}) if g.actor.scope(permission) else None
