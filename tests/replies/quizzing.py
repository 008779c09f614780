"""A city that is asked a quiz, from the campaign to the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.content.quiz_bank import add_quiz_category, keep_quiz_question
from sms_service.content.quiz_choices import WrittenQuestion
from sms_service.content.quiz_models import QuizQuestion
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Message, Run
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.console.campaigning import approve_draft
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain
from tests.factories import make_person, make_segment, make_template, make_unit

BODY = "即学即考：{{ question }}\n请回复选项字母。"


@dataclass
class Quizzed:
    """The rows that a test works with."""

    city: Unit
    branches: list[Unit]
    category_id: int
    questions: list[QuizQuestion]
    gateways: ScriptedGateways


def make_bank(session: Session, unit: Unit, number: int = 4) -> tuple[int, list[QuizQuestion]]:
    """A category of this many questions; of the one at a place, the option at that place (modulo 4) is right."""
    category = add_quiz_category(session, SYSTEM, unit.id, "党的历史")
    made = [
        keep_quiz_question(
            session,
            SYSTEM,
            category.id,
            None,
            WrittenQuestion(f"第{place}题？", ("甲", "乙", "丙", "丁"), "ABCD"[place % 4], f"解析{place}"),
        )
        for place in range(number)
    ]
    return category.id, made


def make_quizzed(session: Session, people: int = 3, branches: int = 2, questions: int = 4) -> Quizzed:
    """A city with this many branches, each of this many people, and a bank."""
    gateways = ScriptedGateways({"main": ScriptedAdapter()})
    synchronise_gateways(session, gateways)
    city = make_unit(session, **ALL_DAY)
    below = [make_unit(session, parent=city, level="branch", **ALL_DAY) for _ in range(branches)]
    for unit in below:
        for _ in range(people):
            make_person(session, unit)
    return Quizzed(city, below, *make_bank(session, city, questions), gateways)


def write_quiz(session: Session, quizzed: Quizzed, body: str = BODY, **asks: Any) -> Campaign:
    """A draft that asks everybody of the city a quiz."""
    return services.create_campaign(
        session,
        SYSTEM,
        unit_id=quizzed.city.id,
        name="即学即考",
        template_version_id=make_template(session, quizzed.city, body, variables=("question",)).id,
        segment_id=make_segment(session, quizzed.city, {"everyone": True}).id,
        signature="云州先锋",
        asks={"kind": "quiz", **asks},
    )


def send_quiz(database: Database, quizzed: Quizzed, campaign_id: int) -> int:
    """Approve and launch it, and hand its texts over; returns its run."""
    with database.session() as session:
        approve_draft(session, session.get_one(Campaign, campaign_id))
        run_id = launch_campaign(session, SYSTEM, campaign_id)[0].id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, quizzed.gateways)
    return run_id


def asked_of(database: Database, run_id: int) -> list[tuple[Message, QuizQuestion]]:
    """The messages of a run with what each asks, by person."""
    with database.session() as session:
        run = session.get_one(Run, run_id)
        rows = session.execute(
            select(Message, QuizQuestion)
            .join(QuizQuestion, QuizQuestion.id == Message.quiz_question_id)
            .where(Message.month == run.month, Message.run_id == run_id)
            .order_by(Message.person_id)
        )
        return [(message, question) for message, question in rows]


def reply(database: Database, said: dict[str, str], at: str = "1 second") -> None:
    """Let phones say these words so long from now, and read what they said."""
    with ahead_by(database.url, at) as ahead:
        store_replies(ahead, "main", [Reply(phone, words, "{}") for phone, words in said.items()])
        while matching.match_waiting(ahead):
            pass


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
