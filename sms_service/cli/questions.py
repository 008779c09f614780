"""`python -m sms_service questions …`: what texts asked, who answered what, and answers that were given by phone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from sms_service.cli.campaigns import read_moment
from sms_service.cli.options import as_anybody, as_somebody
from sms_service.vocabulary import AnswerGroup, Meaning

if TYPE_CHECKING:
    from sms_service.replies.answers import AnswerLine
    from sms_service.replies.respondents import Respondent

MOST_SHOWN = 200
_NOTED = (Meaning.yes, Meaning.no, Meaning.choice, Meaning.wrong_person)
_id = click.argument("question_id", metavar="ID", type=click.IntRange(1))
_unit = click.option("--unit", "code", metavar="CODE", help="Only this unit's subtree.")


@click.group()
def questions() -> None:
    """What texts asked, and what people answered."""


@questions.command("list")
@_unit
@click.option("--closed", is_flag=True, help="Those that are closed instead of those that are open.")
@as_anybody
def list_(code: str | None, closed: bool, login: str | None) -> None:
    """List the questions that are open, the newest first, at most 200."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.ledger.question_models import QuestionRow
    from sms_service.replies.asked_questions import find_questions

    with open_session() as session:
        found = find_questions(scope_of(session, acting(session, login), code), is_open=not closed)
        rows = session.execute(found.order_by(QuestionRow.id.desc()).limit(MOST_SHOWN)).all()
        for row in rows:
            one, until = row.QuestionRow, row.QuestionRow.closes_at
            click.echo(f"question {one.id}: {one.kind} of campaign {one.campaign_id} {row.campaign}, {row.unit}")
            click.echo(f"  {'closed' if closed else 'open until'} {until:%Y-%m-%d %H:%M %Z}")
        if not rows:
            click.echo(f"no question is {'closed' if closed else 'open'}")


@questions.command()
@_id
@_unit
@as_anybody
def counts(question_id: int, code: str | None, login: str | None) -> None:
    """Count the people by what they answered, by unit."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.replies.answers import count_answers

    with open_session() as session:
        unit_id = None if code is None else find_unit_id(session, code)
        own, below = count_answers(session, acting(session, login), question_id, unit_id)
        is_leaf = own is not None and [line.unit_id for line in below] == [own.unit_id]
        for line in below if own is None or is_leaf else (own, *below):
            _print_line(line)


@questions.command()
@_id
@_unit
@click.option("--said", type=click.Choice([*AnswerGroup]), default="all", show_default=True, help="Only these.")
@as_anybody
def people(question_id: int, code: str | None, said: str, login: str | None) -> None:
    """List the people who were asked by name, with all that they said, at most 200."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.replies.answers import find_respondents, name_of_respondent, open_respondents
    from sms_service.replies.respondents import describe_respondents

    with open_session() as session:
        unit_id = None if code is None else find_unit_id(session, code)
        respondents = open_respondents(session, acting(session, login), question_id, unit_id)
        order = name_of_respondent(), respondents.people.c.person_id
        rows = session.execute(find_respondents(respondents, said).order_by(*order).limit(MOST_SHOWN)).all()
        for one in describe_respondents(session, respondents.question, rows):
            _print_person(one)


@questions.command()
@_id
@as_somebody
@click.option("--person", "number", metavar="NUMBER", required=True, help="Who said it, by the office's number.")
@click.option("--said", type=click.Choice([*_NOTED]), required=True, help="What.")
@click.option("--option", type=click.IntRange(1), help="With a choice: the number of the answer.")
@click.option("--people", type=click.IntRange(1), help="With a yes: how many come.")
@click.option("--note", default="", help="How they said it.")
def note(
    question_id: int, login: str, number: str, said: str, option: int | None, people: int | None, note: str
) -> None:
    """Note an answer that somebody gave by phone; it counts like a reply."""
    from sms_service.cli.acting import acting, find_person_id
    from sms_service.cli.context import open_session
    from sms_service.replies.respondents import note_answer

    with open_session() as session:
        actor, person_id = acting(session, login), find_person_id(session, number)
        _print_person(
            note_answer(session, actor, question_id, person_id, said, option=option, people=people, note=note)
        )


@questions.command()
@_id
@as_somebody
def remind(question_id: int, login: str) -> None:
    """Write the draft of a reminder to those who are silent."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.asked_questions import remind_silent

    with open_session() as session:
        campaign = remind_silent(session, acting(session, login), question_id)
        click.echo(f"campaign {campaign.id} is a draft: {campaign.name}")


@questions.command()
@_id
@as_somebody
@click.option(
    "--at", "closes_at", metavar="TIME", callback=read_moment, help="ISO 8601 with offset; by default at once."
)
def close(question_id: int, login: str, closes_at: datetime | None) -> None:
    """Close a question, or let answers count until another time."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.asked_questions import close_question

    with open_session() as session:
        question = close_question(session, acting(session, login), question_id, closes_at)
        click.echo(f"question {question_id}: answers count until {question.closes_at:%Y-%m-%d %H:%M %Z}")


def _print_line(line: AnswerLine) -> None:
    chosen = "".join(f", {place}: {number:,}" for place, number in enumerate(line.options, start=1))
    click.echo(f"{line.unit}: {line.asked:,} asked, {line.reached:,} reached")
    click.echo(
        f"  {line.yes:,} yes ({line.coming:,} people come), {line.no:,} no, {line.choice:,} chose{chosen},"
        f" {line.wrong_person:,} not this person, {line.free_text:,} not understood"
    )
    click.echo(f"  {line.silent:,} silent, {line.unreached:,} not reached; {line.late:,} late")


def _print_person(one: Respondent) -> None:
    from sms_service.masking import mask_phone, mask_text

    phone = mask_phone(one.phone) if one.phone else "no phone"
    counts = one.said or ("silent" if one.reached else "not reached")
    counts += f" {one.choices}" if one.choices else f", {one.coming} come" if one.coming else ""
    click.echo(f"{one.name} ({phone}), {one.unit}: {counts}")
    for answer in one.answers:
        source = f"noted by {answer.noted_by}" if answer.noted_by else "reply"
        words = mask_text(answer.text or "")
        click.echo(f"  {answer.at:%Y-%m-%d %H:%M %Z} {answer.said}, {source}, {answer.standing}: {words}")
