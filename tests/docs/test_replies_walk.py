"""docs/replies.md: a walk at the times that its headings say, and the words that its table says are understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sms_service.db.engine import Database
from sms_service.gateways.base import Reply
from sms_service.replies import matching
from sms_service.replies.keywords import read_answer
from sms_service.replies.storing import store_replies
from tests.dispatch.city import ScriptedGateways
from tests.docs.test_theme_day_walk import PHONES, gateways  # noqa: F401 - the same branch
from tests.docs.turned import run_commands, walk_through

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
ANSWERS = (("王五", "参加"), ("王五", "2人"), ("赵六", "请假"), ("孙七", "几点？"))
SAID = {"yes": "yes", "yes, and how many": "yes", "no": "no", "the answer": "choice", "not this person": "wrong_person"}
ROW = re.compile(r"^\| (rsvp|survey|check) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_walk_prints_what_it_says(
    gateways: ScriptedGateways,  # noqa: F811
    database: Database,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    ran = 0
    for later, heading, commands in walk_through(DOCUMENT, database, gateways, monkeypatch):
        for name, text in ANSWERS if "three have answered" in heading else ():
            store_replies(later, "main", [Reply(PHONES[name], text, "{}")])
            matching.match_waiting(later)
        run_commands(heading, commands)
        ran += len(commands)
    assert ran >= 12


def test_the_words_of_the_table_are_understood() -> None:
    rows = [(kind, meaning, text) for kind, meaning, texts in ROW.findall(DOCUMENT) for text in texts.split(", ")]
    assert len(rows) >= 25
    for kind, meaning, text in rows:
        word = re.sub(r"^its number \(|\)$|^or its words$", "", text)
        if word:
            found = read_answer(kind, {"options": ["满意", "不满意"]}, word)
            assert found is not None, (kind, text)
            assert found.said == SAID[meaning], (kind, text)
            assert (found.people is not None) == (meaning == "yes, and how many"), text
