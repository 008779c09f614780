"""docs/quiz.md: its commands print what stands below them, and its quiz is asked and answered."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.cli import main
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_segment, make_template, make_unit
from tests.replies.quizzing import BODY, Quizzed, asked_of, reply, send_quiz

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "quiz.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.+)\n((?:(?!\$ |```).*\n)*)", DOCUMENT, re.MULTILINE)
[FILE] = re.findall(r"```csv\n(.*?)```", DOCUMENT, re.DOTALL)
[ASKS] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_walk_prints_what_it_says(
    database: Database, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    Path("题库.csv").write_text(FILE, encoding="gb18030")
    gateways = ScriptedGateways({"main": ScriptedAdapter()})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        city = make_unit(session, code="01", name="云州市", **ALL_DAY)
        branch = make_unit(session, name="第一支部", parent=city, level="branch", **ALL_DAY)
        for phone in ("", "", "", None):
            make_person(session, branch, phone=phone)
    assert len(COMMANDS) >= 6
    for command, printed in COMMANDS:
        if "results" in command:
            _ask(database, Quizzed(city, [branch], 1, [], gateways))
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        assert CliRunner().invoke(main, words[3:]).output == printed, command


def _ask(database: Database, quizzed: Quizzed) -> None:
    """Everybody is asked the first question; one answers right, one wrong, and one has no phone."""
    with database.session() as session:
        asks = json.loads(ASKS)
        del asks["category"]
        campaign_id = services.create_campaign(
            session,
            SYSTEM,
            unit_id=quizzed.city.id,
            name="即学即考",
            template_version_id=make_template(session, quizzed.city, BODY, variables=("question",)).id,
            segment_id=make_segment(session, quizzed.city, {"everyone": True}).id,
            signature="云州先锋",
            asks={**asks, "question": 1},
        ).id
    first, second, *_ = asked_of(database, send_quiz(database, quizzed, campaign_id))
    reply(database, {first[0].phone or "": "选A", second[0].phone or "": "答案是B"})
