"""What a reply means, once it is known which texts it may answer.

First come the words that stop texts, if they are the whole text; then the words of the questions that are open to the
phone; then thanks for a text that asks nothing; what is left goes to the inbox. Of one campaign only that question
counts which was asked last before the reply was said; if the text fits the questions of several campaigns, none is
guessed. Everything is told by when things were said, asked and closed, so that it does not matter what was stored,
matched or settled first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sms_service.gateways.extensions import names_question
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.automatic import is_automatic
from sms_service.replies.grading import grade_reply
from sms_service.replies.keywords import Understood, is_thanks, read_answer
from sms_service.replies.mending import mend_text
from sms_service.stop_words import bare, is_offered_stop, is_resume, is_stop, is_stop_of_all
from sms_service.vocabulary import Meaning, ReadingRule

AskedQuiz = tuple[Sequence[str], str]  # the options of a question of the bank, and the right choices


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that asked the reply's phone something: its row, its recipient, its question, since when it is out; of a
    quiz what it asked.
    """

    question_id: int
    month: date
    message_id: int
    person_id: int
    unit_path: str
    started_at: datetime
    quiz: AskedQuiz | None = None

    def said_at(self, at: datetime) -> datetime:
        """When somebody answered it who did so `at` by their provider's clock, which may be wrong."""
        return max(at, self.started_at)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply was read as. `asked`: the text whose question it answers, also one that it does not answer in its
    words; `understood`: what it answers.
    """

    meaning: Meaning
    rule: ReadingRule
    asked: Asked | None = None
    understood: Understood | None = None

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to read it."""
        return self.meaning in (Meaning.free_text, Meaning.ambiguous)


def read_reply(
    text: str,
    at: datetime,
    answered: str | None,
    asked: Sequence[Asked],
    questions: Mapping[int, QuestionRow],
    *,
    asks_nothing: bool = False,
) -> Reading:
    """Read a whole text that was said `at`. `answered`: the text that it answers, if it is known; `asks_nothing`: it is
    known, and asks nothing; `asked`: those that asked its phone something, the last first; `questions`: theirs, by id.
    """
    if not bare(text):
        return Reading(Meaning.empty, ReadingRule.nothing_said)
    for form in (text, mend_text(text)):
        if form is not None and (reading := _read_form(form, at, answered, asked, questions)):
            return reading
    if asks_nothing and is_thanks(mend_text(text) or text):
        return Reading(Meaning.acknowledged, ReadingRule.thanks)
    if is_automatic(text, answered):
        return Reading(Meaning.automatic, ReadingRule.service_mark)
    open_ones = [one for one in asked if is_in_time(one, at, questions)]
    for only in (asked, open_ones):
        if len(only) == 1:
            return _misunderstood(only[0])
    return Reading(Meaning.free_text, ReadingRule.not_understood if asked else ReadingRule.no_question)


def is_in_time(one: Asked, at: datetime, questions: Mapping[int, QuestionRow]) -> bool:
    """Whether an answer of then counts."""
    return one.said_at(at) <= questions[one.question_id].closes_at


def _misunderstood(asked: Asked) -> Reading:
    said = Understood(Meaning.free_text, ReadingRule.not_understood)
    return Reading(said.said, said.rule, asked, said)


def _read_form(
    text: str, at: datetime, answered: str | None, asked: Sequence[Asked], questions: Mapping[int, QuestionRow]
) -> Reading | None:
    if is_stop(text):
        return Reading(Meaning.stop, ReadingRule.stop_all_word if is_stop_of_all(text) else ReadingRule.stop_word)
    if is_offered_stop(text, answered):
        return Reading(Meaning.stop, ReadingRule.offered_stop)
    if is_resume(text):
        return Reading(Meaning.resume, ReadingRule.resume_word)
    fits = [(one, said) for one in asked if (said := read_question(questions[one.question_id], one.quiz, text))]
    # Those that are closed count only if none is open that it fits; the answer is then a late one.
    fits = [(one, said) for one, said in fits if is_in_time(one, at, questions)] or fits
    if not fits:
        return None
    if len(fits) > 1:
        return Reading(Meaning.ambiguous, ReadingRule.several_questions)
    [(one, said)] = fits
    return Reading(said.said, said.rule, one, said)


def read_question(question: QuestionRow, quiz: AskedQuiz | None, text: str) -> Understood | None:
    """What a whole text answers to the question, which asked that of the bank; None: nothing."""
    if quiz is None:
        return read_answer(question.kind, question.asks, text)
    graded = grade_reply(text, *quiz)
    return graded and Understood(Meaning.choice, ReadingRule.option, graded.choices, correct=graded.correct)


def read_asked(found: Sequence[Mapping[str, Any]] | None) -> list[Asked]:
    """What `match_replies.sql` says in `asked`."""
    return [Asked(**{**one, **_read_times(one)}) for one in found or ()]


def choose_asked(extension: str | None, asked: Sequence[Asked]) -> Sequence[Asked]:
    """Those whose question is named by the extension number that the reply was sent to, if it names one."""
    named = [one for one in asked if extension is not None and names_question(extension, one.question_id)]
    return named or asked


def _read_times(one: Mapping[str, Any]) -> dict[str, Any]:
    month, started_at = date.fromisoformat(one["month"]), datetime.fromisoformat(one["started_at"])
    return {"month": month, "started_at": started_at}
