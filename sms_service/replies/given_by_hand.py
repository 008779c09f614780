"""What one of us may say of an answer: read as by a person, or noted of what was said by phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sms_service.errors import Invalid
from sms_service.replies.keywords import MOST_PEOPLE
from sms_service.said import say
from sms_service.vocabulary import Meaning, QuestionKind

# As what a reply can be read, by the kind of question that it answers.
READABLE: Mapping[str, Sequence[Meaning]] = {
    QuestionKind.rsvp: (Meaning.yes, Meaning.no, Meaning.free_text),
    QuestionKind.survey: (Meaning.choice, Meaning.free_text),
    QuestionKind.quiz: (Meaning.choice, Meaning.free_text),
    QuestionKind.check: (Meaning.yes, Meaning.wrong_person, Meaning.free_text),
}


def list_notable(kind: str) -> Sequence[Meaning]:
    """What can be noted as an answer to a question of this kind: nothing to a quiz, which asks what people know by
    themselves.
    """
    return [] if kind == QuestionKind.quiz else [said for said in READABLE[kind] if said != Meaning.free_text]


def check_given(field: str, kind: str, allowed: Sequence[Meaning], said: str, people: int | None) -> None:
    """Raises Invalid unless this may be said to a question of this kind: what is `said`, in that field, is `allowed`,
    and how many `people` come goes with a yes to an invitation.
    """
    if said not in allowed:
        raise Invalid(field, said, say("must be one of {words}", words=allowed or ("–",)))
    if people is not None and (said != Meaning.yes or kind != QuestionKind.rsvp):
        raise Invalid("people", people, "can be said only with a yes to whether they come")
    if people is not None and not 1 <= people <= MOST_PEOPLE:
        raise Invalid("people", people, say("must be a number from 1 to {most}", most=MOST_PEOPLE))
