"""即学即考: which quizzes there were, and what came of one by unit, question and person."""

from __future__ import annotations

from flask import g
from marshmallow import fields
from sqlalchemy import func, select

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_query
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.directory.models import Unit
from sms_service.replies import quiz_counting
from sms_service.replies.quiz_counting import QuizState
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords

MOST_MISSED = 20  # questions on the page of a quiz


class QuizQuery(In):
    """Of whom, and of which question of the campaign."""

    unit = Id(load_default=None)
    question = Id(load_default=None)


class QuizPeopleQuery(PageQuery):
    """The same, and who of them."""

    unit = Id(load_default=None)
    question = Id(load_default=None)
    subtree = fields.Boolean(load_default=True)
    state = fields.String(load_default=None, validate=OneOfWords([*QuizState]))
    asked = Id(load_default=None)


@page_view("/quizzes", Permission.read)
def list_quizzes() -> str:
    """The campaigns that asked a quiz, those first that asked last."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement, last_id = quiz_counting.find_quizzes(scope.paths)
    rows, following = fetch_page(g.session, statement, query, sort="asked", key=last_id, id_=last_id, descending=True)
    return render_page("quizzes.html", rows=rows, following=following, query=query, scope=scope.units)


@page_view("/campaigns/<int:campaign_id>/quiz", Permission.read)
def show_quiz_results(campaign_id: int) -> str:
    """What came of a quiz: all, by unit, by category, and the questions that were missed most."""
    query = read_query(QuizQuery)
    quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
    own = quiz.units[0].id if len(quiz.units) == 1 else None
    units = quiz_counting.count_quiz_by_unit(g.session, quiz)
    return render_page(
        "quiz_results.html",
        campaign=quiz.campaign,
        quiz=quiz,
        query=query,
        may_open=g.actor.can(Permission.read, quiz.path),
        line=_list_line(quiz),
        own=own,
        total=quiz_counting.sum_counts(units),
        units=units,
        categories=quiz_counting.count_quiz_by_category(g.session, quiz),
        missed=quiz_counting.list_missed_questions(g.session, quiz)[:MOST_MISSED],
    )


@page_view("/campaigns/<int:campaign_id>/quiz/people", Permission.read)
def list_quiz_people(campaign_id: int) -> str:
    """The people whom a quiz asked, with what they answered."""
    query = read_query(QuizPeopleQuery)
    quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
    found = quiz_counting.find_quiz_people(
        quiz, query["state"], subtree=query["subtree"], quiz_question_id=query["asked"]
    )
    row = quiz.rows.c
    rows, following = fetch_page(g.session, found, query, sort="person", key=row.person_id, id_=row.message_id)
    return render_page(
        "quiz_people.html",
        campaign=quiz.campaign,
        quiz=quiz,
        query=query,
        rows=rows,
        following=following,
        scope=quiz.units,
        choices=[(None, None), *((state.value, name_here(state)) for state in QuizState)],
    )


@page_view("/campaigns/<int:campaign_id>/quiz/scores", Permission.read)
def list_quiz_scores(campaign_id: int) -> str:
    """What each person scored over all questions of a campaign, the best first."""
    query = read_query(QuizPeopleQuery)
    quiz = quiz_counting.open_quiz(g.session, g.actor, campaign_id, query["unit"], query["question"])
    found, score, person_id = quiz_counting.find_quiz_scores(quiz)
    rows, following = fetch_page(g.session, found, query, sort="score", key=score, id_=person_id, descending=True)
    return render_page(
        "quiz_scores.html",
        campaign=quiz.campaign,
        quiz=quiz,
        query=query,
        rows=rows,
        following=following,
        scope=quiz.units,
    )


def _list_line(quiz: quiz_counting.QuizReadings) -> list[Unit]:
    """The units above the one that is read, within the campaign's, and itself."""
    if len(quiz.units) != 1:
        return []
    unit = quiz.units[0]
    ids = [int(part) for part in unit.path.strip("/").split("/")]
    found = g.session.scalars(select(Unit).where(Unit.id.in_(ids)).order_by(func.length(Unit.path)))
    return [one for one in found if one.path.startswith(quiz.path) and g.actor.can(Permission.read, one.path)]
