"""Each place that reads the rows of messages or attempts is named here with what it does about archived months.

A new one fails this test until somebody has decided: a reader that says nothing gives numbers that are too small.
"""

from __future__ import annotations

import re
from pathlib import Path

import sms_service

PACKAGE = Path(sms_service.__file__).parent

# Only rows that still move, or that a run under way needs: a month is detached when it has none (`ops/detachable.py`).
OF_WORK = "rows that still move"
ASKS = "asks before it reads, and says that the month is archived"
NAMES = "shows what is there, and names the archived months"
KEPT = "has its numbers from what was kept by run, or from the roll-ups"
EMPTY = "of an archived month there is nothing to empty"
RECENT = "what came in the last days; older rows were redacted, and it says nothing of them"
ROOM = "names the tables, or is given rows; others read"
CALLER = "a part of a statement; whoever runs it asks"
TOOL = "of the demonstration and its checks, which have no month that is old enough"

READERS = {
    "api/messages.py": ROOM,
    "campaigns/control.py": OF_WORK,
    "campaigns/resending.py": ASKS,
    "campaigns/sample_runs.sql": RECENT,
    "campaigns/stopping.py": OF_WORK,
    "console/number_pages.py": ROOM,
    "console/rows.py": ROOM,
    "delivery/listing.py": RECENT,
    "delivery/note_missed.sql": RECENT,
    "delivery/stamp_asked.sql": OF_WORK,
    "delivery/take_pull.sql": OF_WORK,
    "delivery/take_silent.sql": OF_WORK,
    "delivery/take_unknown.sql": OF_WORK,
    "dispatch/explain_wait.sql": OF_WORK,
    "dispatch/runnable.sql": OF_WORK,
    "dispatch/sample_values.sql": OF_WORK,
    "ledger/cohorts.py": ASKS,
    "ledger/erasing.py": EMPTY,
    "ledger/models.py": ROOM,
    "ledger/redacting.py": EMPTY,
    "ledger/single.py": OF_WORK,
    "ops/agreement.py": TOOL,
    "ops/archiving.py": ROOM,
    "ops/demonstration_life.py": TOOL,
    "ops/detachable.py": "looks at a month that is still there",
    "ops/detaching.py": ROOM,
    "own_texts/phones.py": RECENT,
    "personal/own_data.py": NAMES,
    "replies/answering.py": RECENT,
    "replies/earlier.py": ASKS,
    "replies/find_ours.sql": RECENT,
    "replies/gathering.py": CALLER,
    "replies/inbox_answers.py": "the usual signature and route stand for those of the archived text",
    "replies/listing.py": ASKS,
    "replies/match_replies.sql": RECENT,
    "replies/quiz_results.py": RECENT,
    "replies/quiz_rows.py": ASKS,
    "replies/rereading.py": RECENT,
    "replies/respondents.py": CALLER,
    "replies/stops.py": "a stop that answers an archived text stops every text",
    "reports/account_health.py": RECENT,
    "reports/add_up_day.sql": CALLER,
    "reports/compare_answers.sql": CALLER,
    "reports/counts.py": ASKS,
    "reports/export_rows.py": ASKS,
    "reports/failures.py": ASKS,
    "reports/filters.py": CALLER,
    "reports/identity.py": ASKS,
    "reports/messages.py": f"{ASKS}; the last texts of a person: {NAMES}",
    "reports/number_history.py": NAMES,
    "reports/open_rows.py": OF_WORK,
    "reports/parts.py": CALLER,
    "reports/people_of_day.sql": CALLER,
    "reports/progress.py": ASKS,
    "reports/rolled.py": "reads runs whose days are not exact; those of archived months are",
    "reports/rows_of_number.sql": CALLER,
    "reports/seal_counts.sql": CALLER,
    "reports/targets.py": ASKS,
    "reports/tasks.py": OF_WORK,
    "reports/timeline.py": CALLER,
    "reports/unknowns.py": OF_WORK,
    "reports/watching.py": KEPT,
    "schedules/attendance.py": ASKS,
    "schedules/event_changes.py": OF_WORK,
    "schedules/viewing.py": KEPT,
    "web/ledger_rows.py": ASKS,
    "webhooks/describing.py": RECENT,
}
# Statements of the ledger's own transitions: they take rows by their state, key or phone.
TRANSITIONS = "ledger/"

_SQL = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(?:messages|attempts)\b")
_MODEL = re.compile(r"(?<![\w.])(?:Message|Attempt)\b[.,)]")
_IMPORT = re.compile(r"from sms_service\.ledger\.models import [^\n]*\b(?:Message|Attempt)\b|\b(?:messages|attempts)\"")


def reads(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".sql":
        return bool(_SQL.search(re.sub(r"--[^\n]*", "", text)))
    return bool(_IMPORT.search(text) and _MODEL.search(text)) or "ledger.models import (\n" in text


def test_each_reader_of_the_ledger_is_decided() -> None:
    found = {
        name
        for file in PACKAGE.rglob("*.*")
        if file.suffix in (".py", ".sql") and reads(file)
        if not (name := str(file.relative_to(PACKAGE))).startswith("db/migrations/")
        if not (name.startswith(TRANSITIONS) and file.suffix == ".sql")
    }
    assert found - set(READERS) == set(), "decide what it does about archived months"


def test_who_is_said_to_ask_does() -> None:
    asks = re.compile("require_unarchived|require_whole|select_outcomes|find_archived_months")
    silent = [
        name
        for name, what in READERS.items()
        if what.startswith(ASKS) and not asks.search((PACKAGE / name).read_text(encoding="utf-8"))
    ]
    assert silent == []
    assert [name for name in READERS if not (PACKAGE / name).is_file()] == []
