"""Every reason that SQL or Python writes into a message or an attempt is a member of `MessageReason`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql

import sms_service
from sms_service.audience.skipping import find_reason
from sms_service.campaigns.states import CampaignStatus
from sms_service.channels.models import ChannelState, PostStatus
from sms_service.channels.robots.base import PostReason
from sms_service.controls.models import AccountState, BindingState, PausedBy
from sms_service.delivery.models import CheckAnswer, CheckCause
from sms_service.directory.import_models import RowOutcome
from sms_service.gateways.base import ErrorClass, ReceiptStatus
from sms_service.ledger.models import KINDS
from sms_service.ledger.quota_models import ReservationState
from sms_service.ledger.resolving import StayReason
from sms_service.ledger.states import AttemptStatus, HeldFor, Lane, MessageStatus, RunStatus
from sms_service.vocabulary import InboxStatus, Meaning, MessageReason, QuestionKind, ReadingRule, TextClass
from sms_service.webhooks.models import DeliveryStatus, WebhookState

PACKAGE = Path(sms_service.__file__).parent
# Other words in quotes: no status, class or reason.
OTHER = {
    *("all", "one"),  # gateway_accounts.receipt_parts
    *("kind", "hours", "closes_at", "same_as", "of_item", "pool", "tries"),  # what a run asks (campaigns/asking.py)
    "event",  # beside the kinds of question: who came to one
    *("question_id", "message_id", "person_id", "unit_path", "started_at"),  # texts that asked something
    *("unit", "role", "tag", "kind", "suspect", "attribute", "value"),  # what a rule may ask for
    *("message", "values", "bad", "texts", "minutes", "before", "why", "reason"),  # messages and their places
    *("epoch", "infinity", "month", "lock_timeout"),  # PostgreSQL's
    *("people", "born_on", "member", "left", "row", "number", "name"),  # an import's own
    *("attribute", "level", "role", "tag", "unit", "kind"),  # the parts of a rule
    *("asked", "outside", "contradicts", "repeats", "repeats_refused"),  # import_outcomes.why
    *("other_name", "many", "nobody", "half_guest", "twice"),  # the same of lists for one campaign
    *("guest", "most", "list", "number", "hex"),
    *("attempts_id_seq", "messages_id_seq", "runs", "id"),  # names of what is in the schema
}
KNOWN = {
    *TextClass,
    *RunStatus,
    *HeldFor,
    *Lane,
    *MessageStatus,
    *AttemptStatus,
    *ReceiptStatus,
    *StayReason,
    *PausedBy,
    *AccountState,
    *BindingState,
    *KINDS,
    *Meaning,
    *InboxStatus,
    *QuestionKind,
    *ReadingRule,
    *RowOutcome,
    *CheckCause,
    *CheckAnswer,
    CampaignStatus.active,
    *PostStatus,
    *ChannelState,
    *PostReason,
    *ReservationState,
    *WebhookState,
    *DeliveryStatus,
}

# What a reason is written into or compared with, up to the end of that expression.
_REASON = re.compile(
    r"\b(?:\w+\.)?(?:reason|error|known)\b\s*(?:=|<>|IN)\s*(CASE\b.*?\bEND\b|\('\w+'(?:, '\w+')*\)|'\w+')",
    re.DOTALL,
)
_CASE_AS_REASON = re.compile(r"\bCASE\b(?:(?!\bCASE\b).)*?\bEND AS (?:reason|error)\b", re.DOTALL)
_RESULT = re.compile(r"(?:THEN|ELSE)\s+'(\w+)'")
_WORD = re.compile(r"'([a-z_]+)'")
_COMMENT = re.compile(r"--[^\n]*")

# Of these a literal in Python means nothing else.
DISTINCT = set(MessageReason) & {
    *("out_of_scope", "no_phone", "duplicate_phone", "wrong_person", "complaint", "capped", "opted_out"),
    *("bad_number", "blacklisted", "unclassified", "not_taken", "withdrawn"),
}
# Where one does: adapters' own code tables and the simulator's answers, numbers counted by name, a campaign's status.
ELSEWHERE = {
    "gateways": DISTINCT,
    "simulator": DISTINCT,
    "db": DISTINCT,  # migrations stand as they were
    "vocabulary.py": DISTINCT,
    "api/people.py": {"opted_out"},  # a field: whether the phone is suppressed
    "web/ledger_rows.py": {"unclassified"},  # a filter: codes that no table has
    "cli/ledger_rows.py": {"unclassified"},  # the same
    "web/words_of_counts.py": {"unclassified"},  # the same
    "campaigns/states.py": {"withdrawn"},  # a campaign's
    "ledger/models.py": {"unclassified"},  # a receipt's
}


def sql_files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.sql")) if "migrations" not in path.parts]


def reasons_in(sql: str) -> Iterator[str]:
    """The words that a statement writes into a reason, or compares one with."""
    plain = _COMMENT.sub("", sql)
    for found in _REASON.finditer(plain):
        expression = found[1]
        yield from _RESULT.findall(expression) if expression.startswith("CASE") else _WORD.findall(expression)
    for found in _CASE_AS_REASON.finditer(plain):
        yield from _RESULT.findall(found[0])


@pytest.mark.parametrize("path", sql_files(), ids=lambda path: path.stem)
def test_every_word_in_sql_is_of_a_vocabulary(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    assert set(_WORD.findall(_COMMENT.sub("", sql))) <= {*KNOWN, *MessageReason, *OTHER}
    others = (*(HeldFor if " runs" in sql else ()), *(PostReason if " channel_posts" in sql else ()))
    assert set(reasons_in(sql)) <= {*MessageReason, *others}


def test_the_reasons_are_found() -> None:
    found = {word for path in sql_files() for word in reasons_in(path.read_text(encoding="utf-8"))}
    # What freeze.sql is given where it says why a recipient is skipped.
    skipping = find_reason("").compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    found |= set(reasons_in(f"SELECT {skipping} AS reason"))
    # `duplicate_phone` is written by its place in an INSERT: the test above alone sees it.
    written = {"out_of_scope", "lost_contact", "bad_number", "no_phone", "capped", "blacklisted"}
    assert written | {"withdrawn", "not_taken", "render", "unclassified", "partial"} <= found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE messages SET reason = 'gone'", ["gone"]),
        (
            "UPDATE messages SET status = 'refused', reason = CASE WHEN a = 'b' THEN 'gone' ELSE 'lost' END",
            ["gone", "lost"],
        ),
        ("SELECT CASE WHEN a = 'b' THEN 'gone' END AS reason", ["gone"]),
        ("SELECT 1 FROM m WHERE reason IN ('gone', 'lost') -- reason = 'no'", ["gone", "lost"]),
        ("UPDATE runs SET reason = 'a sentence of words'", []),
    ],
)
def test_the_search_itself(sql: str, found: list[str]) -> None:
    assert list(reasons_in(sql)) == found


def test_python_names_a_reason_by_its_member() -> None:
    loose = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        allowed = ELSEWHERE.get(name, ELSEWHERE.get(name.split("/")[0], set()))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in DISTINCT - allowed:
                loose.append(f"{name}:{node.lineno}: {node.value}")
            if isinstance(node, ast.keyword) and node.arg in ("error", "reason") and not allowed:
                word = node.value.value if isinstance(node.value, ast.Constant) else None
                if re.fullmatch("[a-z_]+", word or ""):
                    loose.append(f"{name}:{node.value.lineno}: {word}")
    assert loose == [], "write MessageReason.…"


def test_what_a_gateway_says_is_a_reason() -> None:
    assert set(ErrorClass) <= set(MessageReason)
