"""docs/segments.md: its commands print what stands below them, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from sms_service.audience.attributes import _COMPARISONS
from sms_service.audience.grammar import _KEYS, OUTCOMES
from sms_service.audience.list_models import RecipientList, RecipientRow
from sms_service.audience.models import Segment
from sms_service.cli import main
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Contact, Person
from sms_service.dispatch import freeze
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Reply
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.audience.naive import years_ago
from tests.clocks import ahead_by
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain, make_run
from tests.factories import fictional_phone, make_person, make_unit

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
COMMANDS = [
    (command, printed)
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    for command, printed in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
ANSWERS, REFUSED = fictional_phone(61), fictional_phone(62)


@pytest.fixture
def city(database: Database) -> None:
    """The city of the page, to which one campaign went."""
    adapter = ScriptedAdapter()

    def answer(handed: object) -> Outcome:
        if handed.phone == REFUSED:  # type: ignore[attr-defined]
            return Outcome(handed.reference, OutcomeKind.refused, error=ErrorClass.blocked)  # type: ignore[attr-defined]
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id=f"p{handed.reference}")  # type: ignore[attr-defined]

    adapter.answer = answer
    gateways = ScriptedGateways({"main": adapter})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        today: date = session.scalars(select(func.date(func.timezone("Asia/Shanghai", func.sms_now())))).one()
        top = make_unit(session, code="01", name="云州市", **ALL_DAY)
        district = make_unit(session, code="0101", name="东城区", parent=top, **ALL_DAY)
        street = make_unit(session, code="010101", name="湖滨街道", parent=district, **ALL_DAY)
        branch = make_unit(session, code="01010101", name="第一支部", parent=street, **ALL_DAY)
        lately = (today - timedelta(days=100)).isoformat()
        rows = (
            (branch, "王五", {"性别": "男", "生日": 60, "入党日期": "1999-07-01", "积分": "80"}, {"tags": ["退休"]}),
            (branch, "赵六", {"性别": "女", "生日": 32, "入党日期": lately, "积分": "95.5"}, {"phone": ANSWERS}),
            (street, "孙七", {"性别": "女", "生日": "不详", "积分": "八十"}, {"phone": REFUSED}),
            (district, "周八", {}, {"phone": None, "kind": "contact"}),
        )
        for unit, name, attributes, columns in rows:
            if isinstance(age := attributes.get("生日"), int):
                attributes = {**attributes, "生日": years_ago(today, age).isoformat()}
            person = make_person(session, unit, name, **{"phone": "", "attributes": attributes, **columns})
            if name == "王五":
                session.add(Contact(person_id=person.id, unit_id=branch.id, role="书记"))
            if name == "赵六":
                person.tags = ["退休", "骨干"]
        listed = RecipientList(
            unit_id=top.id, name="座谈会", file_name="座谈会.csv", columns=["座位"], people=2, guests=0, digest=b"list"
        )
        session.add(listed)
        session.flush()
        for row, name in enumerate(("王五", "孙七"), 2):
            person_id = session.scalars(select(Person.id).where(Person.name == name)).one()
            session.add(RecipientRow(list_id=listed.id, person_id=person_id, row=row, values={}))
        run_id = make_run(session, top).id
        session.scalars(select(Segment)).one().name = "全体"
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, gateways)
    with ahead_by(database.url, "1 second") as ahead:
        store_replies(ahead, "main", [Reply(ANSWERS, "来", "{}")])
        matching.match_waiting(ahead)


def test_the_commands_print_what_stands_below_them(
    city: None, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert len(COMMANDS) >= 20
    for command, printed in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "sms_service"]
        assert CliRunner().invoke(main, words[3:]).output == printed, command


def test_every_part_of_the_language_is_shown() -> None:
    shown = {key for command, _ in COMMANDS for key in re.findall(r'"(\w+)":', command)}
    assert set(_KEYS) <= shown
    named = set(re.findall(r"`(\w+)`", DOCUMENT))
    assert {*_COMPARISONS, *OUTCOMES} <= named
