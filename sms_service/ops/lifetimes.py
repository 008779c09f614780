"""What ends the rows of each table: the one source of the table in docs/operating.md (*Lifetimes*).

tests/ops/test_lifetimes.py fails if a table of the schema is missing here, or if the document says something else.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from sms_service.accounts import sessions, stored_responses
from sms_service.audit import chain
from sms_service.content import list_drafts, quiz_imports
from sms_service.controls import account_breaker, caps
from sms_service.delivery import hygiene, missing, refusals
from sms_service.directory import drafts, erasing
from sms_service.own_texts import ending
from sms_service.personal import list_endings, own_phone_endings, redaction
from sms_service.replies import answering
from sms_service.reports import exports, roll_ups
from sms_service.webhooks import delivering


class Ends(StrEnum):
    """In which way the rows of a table end."""

    kept = "kept for ever"
    removed = "deleted by people"
    swept = "deleted by time"


class Lifetime(NamedTuple):
    """How a table's rows end. `says`: more of it, in words; `by`: the functions that do it by themselves."""

    ends: Ends
    says: str
    by: tuple[Callable[..., Any], ...] = ()


def _kept(says: str, *by: Callable[..., Any]) -> Lifetime:
    return Lifetime(Ends.kept, says, by)


def _removed(says: str, *by: Callable[..., Any]) -> Lifetime:
    return Lifetime(Ends.removed, says, by)


def _swept(says: str, *by: Callable[..., Any]) -> Lifetime:
    return Lifetime(Ends.swept, says, by)


_DRAFT = _swept(f"with the import, {drafts.KEPT_DAYS} days after the last act on it", drafts.forget_drafts)
_LEDGER = "counts stand on it"
_ARCHIVED = "old months are archived by people"
_ROLL_UP = "until the day is added up again from the ledger"
_CITY = "who wrote it, or another of the unit, deletes it"

LIFETIMES: dict[str, Lifetime] = {
    "accounts": _kept("an account is disabled, never deleted: the trail names it"),
    "amendments": _kept("seals stand on it"),
    "answer_uses": _swept(f"{answering.KEPT_DAYS} days after the day", answering.forget_old_answer_uses),
    "answers": _kept("what was answered is counted; the note is emptied with the message", redaction.redact_rows),
    "approval_rules": _removed(_CITY),
    "archived_months": _removed("when the month is read back"),
    "archived_runs": _removed("with the archived month"),
    "attempt_parts": _kept(f"{_LEDGER}; {_ARCHIVED}"),
    "attempts": _kept(
        f"{_LEDGER}; phone and detail are emptied with the message's; {_ARCHIVED}", redaction.redact_rows
    ),
    "attendances": _removed("with the person's erasure, or when the office takes the record back"),
    "calendar_days": _removed(_CITY),
    "campaign_items": _removed("while the campaign is a draft; then kept with it"),
    "campaigns": _kept("runs and the trail name them"),
    "cap_uses": _swept(f"{caps.KEPT_DAYS} days after the day", caps.forget_old_cap_uses),
    "caps": _removed(_CITY),
    "channel_posts": _kept("what was posted where, and that it was not"),
    "channels": _kept("a channel is removed by its state; posts name it"),
    "cluster": _kept("one row"),
    "column_meanings": _kept("a file of the unit with the same header replaces it"),
    "contacts": _removed("when the role ends, or with the person"),
    "counted_days": _kept("one row a day"),
    "counted_months": _kept("one row a month"),
    "daily_counts": _kept(_ROLL_UP),
    "daily_people": _kept(_ROLL_UP),
    "day_changes": _swept("when the day is added up again", roll_ups.roll_up),
    "day_seals": _kept("the chain of sealed days"),
    "decisions": _kept("who approved what"),
    "default_signatures": _removed(_CITY),
    "delegations": _kept("who lent which right to whom"),
    "exports": _swept(
        f"{exports.RECORD_DAYS} days after it ended; its file after {exports.EXPORT_DAYS} days", exports.end_exports
    ),
    "forwardings": _removed("who noted a forwarding takes it back"),
    "gateway_accounts": _kept("attempts name them"),
    "happenings": _swept(f"after {delivering.KEPT_DAYS} days, with their deliveries", delivering.tidy_deliveries),
    "import_answers": _DRAFT,
    "import_files": _DRAFT,
    "import_outcomes": _DRAFT,
    "import_problems": _swept(
        f"with an import that is not applied; of one that is, after {erasing.FINDING_DAYS} days",
        drafts.forget_drafts,
        erasing.forget_findings,
    ),
    "import_rows": _DRAFT,
    "import_vanished": _DRAFT,
    "imports": _kept("who brought which file, and what it changed; without its rows"),
    "leaderships": _kept("one row for each duty that one process has"),
    "listed_words": _removed(_CITY),
    "lost_checks": _removed("with the person's erasure"),
    "messages": _kept(
        f"{_LEDGER}; phone, text and values are emptied after the days that the unit says (`REDACT_AFTER_DAYS`);"
        f" {_ARCHIVED}",
        redaction.redact_rows,
    ),
    "missed_runs": _swept("a day after a later run has closed", missing.forget_missed),
    "missed_texts": _swept("after 365 days, or when a text arrives", missing.forget_missed),
    "monthly_people": _kept(_ROLL_UP),
    "own_phones": _removed("when its account ends it, or is disabled", own_phone_endings.erase_ended_phone),
    "own_texts": _swept(f"after {ending.KEPT_DAYS} days; the text itself is emptied", ending.forget_own_texts),
    "people": _removed("with the person's erasure; guests of a list with the list", list_endings.end_lists),
    "phone_reports": _swept(
        f"after {hygiene.KEPT_DAYS} days, or when a text arrives at a phone that was dead", hygiene.forget_old_reports
    ),
    "push_settings": _kept("one row for each account that wants to be told"),
    "questions": _kept("answers name them"),
    "quiet_days": _removed(_CITY),
    "quiz_categories": _removed(_CITY),
    "quiz_drafts": _swept(
        f"{list_drafts.DRAFT_DAYS} days after the file was read, or when it is applied",
        quiz_imports.forget_quiz_drafts,
    ),
    "quiz_questions": _kept("answers name them; an ended one is not asked"),
    "quota_reservations": _kept("what a run took of which quota"),
    "quota_uses": _removed("with the last quota of its unit and month"),
    "quotas": _removed(_CITY),
    "receipts": _kept(
        f"{_LEDGER}; record and phone are emptied with the message's, and after {redaction.RAW_DAYS} days (`RAW_DAYS`)",
        redaction.redact_rows,
    ),
    "recipient_lists": _kept("what a campaign was sent to; without its rows"),
    "recipient_rows": _swept(
        f"{list_endings.LIST_DAYS} days after the list's last run (`LIST_DAYS`)", list_endings.end_lists
    ),
    "redactions": _kept("one row a day for each number of days that units have, and two a month"),
    "reference_drafts": _swept(
        f"{list_drafts.DRAFT_DAYS} days after the file was read, or when it is applied", list_drafts.forget_list_drafts
    ),
    "reference_lists": _removed(_CITY),
    "reference_rows": _removed(
        f"with the list; of archived rows the last {list_drafts.KEPT_ARCHIVED:,} are kept",
        list_drafts.apply_list_draft,
    ),
    "refused_callbacks": _swept(f"{refusals.KEPT_DAYS} days after the day", refusals.forget_old_refusals),
    "replies": _kept(
        f"{_LEDGER}; text, phone and record are emptied as a message's, the record after {redaction.RAW_DAYS} days"
        " (`RAW_DAYS`)",
        redaction.redact_rows,
    ),
    "reply_readings": _kept(
        "as what a reply was read before; the reason is emptied with the reply", redaction.redact_rows
    ),
    "role_grants": _removed("when the role is taken away; the trail has it"),
    "route_members": _removed("when `gateways.toml` names the account no more on the route"),
    "routes": _kept("runs name them"),
    "runs": _kept("audience and identity stand on it"),
    "sealed_counts": _kept("what the seals are over"),
    "segments": _kept("campaigns name them"),
    "series_cohorts": _removed("while nothing of it was sent; then kept with the campaign"),
    "sessions": _swept(f"{sessions.KEPT.days} days after the log-in", sessions.forget_old_sessions),
    "signature_filings": _removed("with the signature"),
    "signatures": _removed(_CITY),
    "statements": _kept("what was printed, so that anybody can check it later"),
    "stop_requests": _kept("what a phone said of stopping, as proof; the erasure of a person deletes it"),
    "stops": _kept("who stopped and released what, and why"),
    "stored_answers": _swept(
        f"after {stored_responses.HONOURED.total_seconds() / 3600:.0f} hours", stored_responses.forget_old_responses
    ),
    "suppressions": _kept("an opt-out outlives its person, as a number without a name"),
    "tallies": _swept(f"after {account_breaker.KEPT_DAYS} days", account_breaker.forget_old_tallies),
    "template_bindings": _kept("what a provider was told of a version"),
    "template_categories": _removed(_CITY),
    "template_versions": _kept("runs name them"),
    "templates": _kept("a template is archived, never deleted"),
    "tokens": _kept("the trail names them; a revoked or expired one opens nothing"),
    "told_tasks": _removed("when the account does not want to be told of this kind any more"),
    "trail": _kept("who did what; it holds no personal value"),
    "trail_links": _kept("the chain over the trail"),
    "trail_personal": _removed("with the person's erasure"),
    "trail_unlinked": _swept("when the chain has the entry, seconds later", chain.link_entries),
    "unit_caps": _removed(_CITY),
    "unit_targets": _removed(_CITY),
    "units": _kept("a unit is closed, never deleted: past counts name it"),
    "webhook_deliveries": _swept(
        f"with their happening, after {delivering.KEPT_DAYS} days", delivering.tidy_deliveries
    ),
    "webhooks": _kept("a webhook is removed by its state"),
    "withheld_answers": _swept(f"{answering.WITHHELD_DAYS} days after the month", answering.forget_withheld_answers),
}


def describe_lifetimes() -> str:
    """The rows of the table in docs/operating.md."""
    lines = ["| Table | Its rows are | More | By |", "|---|---|---|---|"]
    for name, one in sorted(LIFETIMES.items()):
        by = ", ".join(
            f"`{function.__module__.removeprefix('sms_service.')}.{function.__name__}`" for function in one.by
        )
        lines.append(f"| `{name}` | {one.ends} | {one.says} | {by} |")
    return "\n".join(lines)
