"""The words for what texts ask, and for what replies were read as."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.replies.answer_models import AnswerObstacle
from sms_service.replies.respondents import AnswerStanding
from sms_service.said import Said, say
from sms_service.vocabulary import AnswerGroup, InboxStatus, Meaning, QuestionKind, ReadingRule

WORDS_OF_REPLIES: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    QuestionKind: {
        QuestionKind.rsvp: say("Whether they come"),
        QuestionKind.quiz: say("Quiz question"),
        QuestionKind.survey: say("Survey"),
        QuestionKind.check: say("Still the same person?"),
    },
    Meaning: {
        Meaning.stop: say("Wants no more texts"),
        Meaning.resume: say("Wants texts again"),
        Meaning.yes: say("Yes"),
        Meaning.no: say("No"),
        Meaning.choice: say("An answer"),
        Meaning.wrong_person: say("Not this person"),
        Meaning.free_text: say("To be read"),
        Meaning.ambiguous: say("Fits several questions"),
        Meaning.acknowledged: say("Acknowledged"),
        Meaning.empty: say("Says nothing"),
        Meaning.automatic: say("Written by a machine"),
    },
    ReadingRule: {
        ReadingRule.stop_word: say("A word that stops texts"),
        ReadingRule.stop_all_word: say("A word that stops every text"),
        ReadingRule.provider_stop: say("The provider took it for a stop"),
        ReadingRule.offered_stop: say("A word that the text offered for a stop"),
        ReadingRule.resume_word: say("A word that lets texts come again"),
        ReadingRule.keyword: say("A word for yes or no"),
        ReadingRule.people_count: say("It says how many come"),
        ReadingRule.option: say("The number or letter of an answer"),
        ReadingRule.label: say("The words of an answer"),
        ReadingRule.thanks: say("Words of receipt and thanks"),
        ReadingRule.several_questions: say("Several questions are open"),
        ReadingRule.not_understood: say("No word of an open question"),
        ReadingRule.no_question: say("Nothing was asked"),
        ReadingRule.nothing_said: say("Neither letter nor digit"),
        ReadingRule.service_mark: say("Marks of an automatic answer"),
        ReadingRule.person: say("A person read it"),
    },
    InboxStatus: {
        InboxStatus.unread: say("Unread"),
        InboxStatus.assigned: say("Assigned"),
        InboxStatus.answered: say("Answered"),
        InboxStatus.closed: say("Done"),
    },
    AnswerGroup: {
        AnswerGroup.all: say("All who were asked"),
        AnswerGroup.reached: say("Reached"),
        AnswerGroup.yes: say("Yes"),
        AnswerGroup.no: say("No"),
        AnswerGroup.choice: say("Chose an answer"),
        AnswerGroup.wrong_person: say("Not this person"),
        AnswerGroup.free_text: say("Not understood"),
        AnswerGroup.silent: say("Said nothing"),
        AnswerGroup.unreached: say("Not reached"),
        AnswerGroup.late: say("Too late"),
    },
    AnswerStanding: {
        AnswerStanding.counts: say("It counts"),
        AnswerStanding.replaced: say("A later one counts"),
        AnswerStanding.beside: say("To be read"),
        AnswerStanding.late: say("Too late"),
        AnswerStanding.void: say("Read again"),
    },
    AnswerObstacle: {
        AnswerObstacle.nobody: say("Nobody known"),
        AnswerObstacle.other_phone: say("Not the person's own phone now"),
        AnswerObstacle.no_mobile: say("A service's number"),
        AnswerObstacle.automatic: say("An automatic text"),
        AnswerObstacle.often: say("Answered often enough today"),
        AnswerObstacle.quota: say("No quota left"),
    },
}
