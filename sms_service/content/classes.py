"""What the class of a text decides about its wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.vocabulary import TextClass

UNSUBSCRIBE_LINE = "拒收请回复R"


@dataclass(frozen=True, slots=True)
class ClassRules:
    """The rules of one class. `unsubscribe_line`: each text ends with a line that says how to stop them.
    `confirms_stop`: who answers it by a stop, or by a word that lets texts come again, is told what that means.
    """

    unsubscribe_line: bool
    confirms_stop: bool


# Notices and answers have no unsubscribe line: a person must learn a notice, and has asked for an answer. A notice may
# be one of many that a task brings, and none of them starts a conversation; a confirmation is itself an answer, to
# which people reply when they change their minds.
_RULES: Mapping[TextClass, ClassRules] = {
    TextClass.study: ClassRules(unsubscribe_line=True, confirms_stop=True),
    TextClass.notice: ClassRules(unsubscribe_line=False, confirms_stop=False),
    TextClass.invitation: ClassRules(unsubscribe_line=True, confirms_stop=True),
    TextClass.survey: ClassRules(unsubscribe_line=True, confirms_stop=True),
    TextClass.answer: ClassRules(unsubscribe_line=False, confirms_stop=True),
}


def class_rules(class_: str) -> ClassRules:
    """The rules of a class. Raises Invalid("class", …) if there is no such class."""
    if class_ not in list(TextClass):
        raise Invalid("class", class_, say("must be one of {classes}", classes=tuple(TextClass)))
    return _RULES[TextClass(class_)]
