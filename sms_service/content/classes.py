"""What the class of a text decides about its wording."""

from __future__ import annotations

from dataclasses import dataclass

from sms_service.errors import Invalid
from sms_service.ledger.states import CLASSES

UNSUBSCRIBE_LINE = "拒收请回复R"


@dataclass(frozen=True, slots=True)
class ClassRules:
    """The rules of one class. `unsubscribe_line`: texts end with how to stop them."""

    unsubscribe_line: bool


# A notice is what a person must learn, an answer what they asked for: neither offers to stop.
_RULES = {
    "study": ClassRules(unsubscribe_line=True),
    "notice": ClassRules(unsubscribe_line=False),
    "invitation": ClassRules(unsubscribe_line=True),
    "survey": ClassRules(unsubscribe_line=True),
    "answer": ClassRules(unsubscribe_line=False),
}


def rules(class_: str) -> ClassRules:
    """The rules of a class. Raises Invalid("class", …) if there is no such class."""
    if class_ not in _RULES:
        raise Invalid("class", class_, f"must be one of {', '.join(CLASSES)}")
    return _RULES[class_]
