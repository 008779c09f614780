"""`python -m sms_service quiz …`: the bank of quiz questions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_service.cli.options import as_anybody, subtree

if TYPE_CHECKING:
    from sms_service.content.quiz_imports import QuizPlan
    from sms_service.replies.quiz_counting import QuizCounts

_question_id = click.argument("question_id", metavar="ID", type=click.IntRange(1))


@click.group()
def quiz() -> None:
    """Quiz questions: the bank of a unit in categories."""


@quiz.command()
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@as_anybody
def categories(code: str | None, login: str | None) -> None:
    """List the categories, with how many questions quizzes can take of each."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_bank import find_quiz_categories
    from sms_service.content.quiz_models import QuizCategory

    with open_session() as session:
        found = find_quiz_categories(scope_of(session, acting(session, login), code))
        rows = session.execute(found.order_by(QuizCategory.name, QuizCategory.id)).all()
        for row in rows:
            one, unit = row.QuizCategory, row.Unit
            click.echo(f"{one.id}: {one.name}, {unit.code} {unit.name}, questions: {row.questions}")
        if not rows:
            click.echo("there is no category of questions")


@quiz.command()
@click.argument("category_id", metavar="CATEGORY", type=click.IntRange(1))
@click.option("--wanted", default="", help="Only questions that hold this text.")
@click.option("--ended", is_flag=True, help="Those that were retired or replaced.")
@as_anybody
def questions(category_id: int, wanted: str, ended: bool, login: str | None) -> None:
    """List the questions of a category, with their ids and right answers."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_bank import find_quiz_questions, get_quiz_category
    from sms_service.content.quiz_models import QuizQuestion

    with open_session() as session:
        get_quiz_category(session, acting(session, login), category_id)
        for one in session.scalars(find_quiz_questions(category_id, wanted, ended=ended).order_by(QuizQuestion.id)):
            click.echo(f"{one.id}: {one.text} [{one.right_choices}]")


@quiz.command()
@_question_id
@as_anybody
def show(question_id: int, login: str | None) -> None:
    """Show a question as a text has it, its right answer, and what became of it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_bank import get_quiz_question
    from sms_service.parts import measure_text

    with open_session() as session:
        one, category, _ = get_quiz_question(session, acting(session, login), question_id)
        click.echo(one.written)
        click.echo(f"right: {one.right_choices}; parts: {measure_text(one.written).parts}; category: {category.name}")
        if one.explanation:
            click.echo(f"explanation: {one.explanation}")
        if one.replaced_by:
            click.echo(f"replaced by question {one.replaced_by}")
        elif one.ended_at:
            click.echo("retired")


@quiz.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@subtree
@click.option("--category", help="The category of rows that name none.")
@click.option("--apply", "applies", is_flag=True, help="Do it; rows that cannot be used stay out.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows that cannot be used into this file, which ends in .xlsx or .csv.",
)
@as_anybody
def import_(
    file: Path, code: str, category: str | None, applies: bool, refused: Path | None, login: str | None
) -> None:
    """Say what FILE (xlsx, CSV or txt) would change in the bank of a unit; with --apply change it."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_imports import apply_quiz_draft, upload_quiz_file, write_refused_questions

    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        plan = upload_quiz_file(session, actor, unit_id, file.read_bytes(), file.name, category)
        _print_plan(plan)
        if refused and plan.refused:
            written = write_refused_questions(session, actor, plan.draft_id, refused.suffix.removeprefix("."))
            with written.content, refused.open("wb") as target:
                shutil.copyfileobj(written.content, target)
            click.echo(f"{refused.name} is written")
        if applies:
            apply_quiz_draft(session, actor, plan.draft_id, plan.version)
            click.echo("the questions are in the bank")


@quiz.command()
@_question_id
@as_anybody
def retire(question_id: int, login: str | None) -> None:
    """Let no quiz take a question any more."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_bank import retire_quiz_question

    with open_session() as session:
        retire_quiz_question(session, acting(session, login), question_id)
    click.echo(f"question {question_id} is retired")


@quiz.command()
@_question_id
@as_anybody
def restore(question_id: int, login: str | None) -> None:
    """Let quizzes take a retired question again."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.quiz_bank import retire_quiz_question

    with open_session() as session:
        retire_quiz_question(session, acting(session, login), question_id, retired=False)
    click.echo(f"question {question_id} is in the bank")


@quiz.command()
@click.argument("campaign_id", metavar="CAMPAIGN", type=click.IntRange(1))
@click.option("--unit", "code", metavar="CODE", help="Only this unit and those below it.")
@as_anybody
def results(campaign_id: int, code: str | None, login: str | None) -> None:
    """Count what came of a quiz: all, by unit, and by the questions that were missed most."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.replies.quiz_counting import count_quiz, count_quiz_by_unit, list_missed_questions, open_quiz

    with open_session() as session:
        unit_id = find_unit_id(session, code) if code else None
        found = open_quiz(session, acting(session, login), campaign_id, unit_id)
        click.echo(_write_counts(count_quiz(session, found)))
        for one in count_quiz_by_unit(session, found):
            click.echo(f"{one.name}: {_write_counts(one.counts)}")
        for one in list_missed_questions(session, found):
            click.echo(f"question {one.id} {one.name}: {_write_counts(one.counts)}")


def _write_counts(counts: QuizCounts) -> str:
    asked = f"asked {counts.asked} = answered {counts.answered} + silent {counts.silent}"
    return f"{asked} + unreachable {counts.unreachable}; right {counts.right}"


def _print_plan(plan: QuizPlan) -> None:
    counts = f"created: {len(plan.created)}, unchanged: {plan.unchanged}, replaced: {len(plan.replaced)}"
    click.echo(f"{counts}, refused: {len(plan.refused)}")
    if plan.new_categories:
        click.echo(f"new categories: {', '.join(plan.new_categories)}")
    if plan.passed_over:
        click.echo(f"columns that are not read: {', '.join(plan.passed_over)}")
    for one in plan.replaced:
        click.echo(f"row {one.row.row} replaces question {one.question_id}")
    for long in plan.long:
        click.echo(f"row {long.row.row} takes {long.parts} parts")
    for wrong in plan.refused:
        click.echo(f"refused row {wrong.row}: {wrong.reason}")
