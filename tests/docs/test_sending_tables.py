"""docs/sending.md shows the tables of the code, not what they once were."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from sms_service.clock import NO_RECEIPT_HOURS
from sms_service.controls import account_breaker
from sms_service.delivery import reconcile
from sms_service.dispatch import breaker, freeze, retry
from sms_service.dispatch.dispatcher import JOB_S
from sms_service.dispatch.hand_over import CLAIM_LEASE_S, FRESH_S, LOCK_WAIT_S, LOCKED_PAUSE_S, WRITING_S
from sms_service.dispatch.points import Point
from sms_service.ledger import states, sweeps
from sms_service.replies import matching
from sms_service.vocabulary import MessageReason, Words

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "sending.md").read_text(encoding="utf-8")


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "nothing"


def _transitions(table: Mapping[Words, frozenset[states.Words]]) -> str:
    lines = ["| From | To |", "|---|---|"]
    for source in type(next(iter(table))):
        lines.append(f"| `{source}` | {_words(target for target in type(source) if target in table[source])} |")
    return "\n".join(lines)


def _reasons() -> str:
    meanings = re.findall(r'^    (\w+) = "\1"  # (.+)$', inspect.getsource(MessageReason), re.MULTILINE)
    assert [word for word, _ in meanings] == list(MessageReason), "a reason has one comment that says what it means"
    rows = [f"| `{word}` | {meaning} |" for word, meaning in meanings]
    return "\n".join(["| Reason | Meaning |", "|---|---|", *rows])


def _ranks() -> str:
    lines = ["| Rank | Attempt status |", "|---|---|"]
    for rank in sorted(set(states.ATTEMPT_RANK.values())):
        lines.append(f"| {rank} | {_words(s for s, r in states.ATTEMPT_RANK.items() if r == rank)} |")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("messages", _transitions(states.MESSAGE_TRANSITIONS)),
        ("attempts", _ranks()),
        ("runs", _transitions(states.RUN_TRANSITIONS)),
        ("reasons", _reasons()),
    ],
)
def test_the_tables_are_those_of_the_code(name: str, table: str) -> None:
    found = re.search(rf"<!-- generated: {name} -->\n(.*?)\n<!-- end -->", DOCUMENT, re.DOTALL)
    assert found is not None, f"docs/sending.md has no table between the marks of {name!r}"
    assert found[1] == table, f"write this between the marks of {name!r} in docs/sending.md:\n{table}"


def test_every_status_is_explained() -> None:
    explained = DOCUMENT.split("## Rows")[1].split("## Transitions")[0]
    rows = "\n".join(line.split("|")[1] for line in explained.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(states.MessageStatus)


def test_every_statement_that_is_named_exists() -> None:
    rooms = [Path(module.__file__).parent for module in (sweeps, freeze, matching, reconcile)]
    files = {path.stem for room in rooms for path in room.glob("*.sql")}
    named = set(re.findall(r"`((?:sweep|begin|store|apply|record)_\w+)`", DOCUMENT))
    assert named, "the document names the statements"
    assert named <= files
    # Those without an underscore are words that stand for themselves too; the protocol cannot be told without them.
    assert {"claim", "gate", "release", "withdraw", "freeze", "runnable"} <= files & set(re.findall(r"\w+", DOCUMENT))


@pytest.mark.parametrize(
    "sentence",
    [
        f"claim: lease a group ({CLAIM_LEASE_S:g} s)",
        f"under {FRESH_S:g} s since the gate was asked",
        f"no lock longer than {LOCK_WAIT_S:g} s",
        f"tried again {LOCKED_PAUSE_S:g} s later",
        f"lease of {FRESH_S:g} s + the adapter's total time-out + {WRITING_S:g} s",
        f"for at most {JOB_S:g} s a job",
        f"After {retry.MAX_ATTEMPTS} attempts",
        f"silent for {NO_RECEIPT_HOURS} h",
        f"in slices of {sweeps.SLICE:,}",
        f"more than {freeze.GRACE_MIN} minutes late",
        f"more than {freeze.CANARY_ABOVE:,} people",
        f"only {freeze.CANARY_TEXTS} of its rows",
        f"at least {breaker.CANARY_BAD_SHARE:.0%} of them",
        f"at most {breaker.CANARY_RECEIPTS_MIN} minutes",
        f"up to {freeze.SMALL_UP_TO} people",
        f"last {account_breaker.ACCOUNT_TEXTS} texts (at least {account_breaker.ACCOUNT_LEAST})",
        f"last {breaker.RUN_TEXTS:,} (at least {breaker.RUN_LEAST})",
        f"{account_breaker.FIRST_PAUSE_S:g} s at first, up to {account_breaker.LONGEST_PAUSE_S / 60:g} min",
    ],
)
def test_the_figures_are_those_of_the_code(sentence: str) -> None:
    assert sentence in re.sub(r"\s+", " ", DOCUMENT)


def test_every_point_of_the_protocol_is_told() -> None:
    rows = "\n".join(line.split("|")[1] for line in DOCUMENT.splitlines() if line.startswith("| `"))
    assert set(Point) <= set(re.findall(r"`(\w+)`", rows))
