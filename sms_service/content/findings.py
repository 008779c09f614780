"""What lint finds: kinds of findings, what follows from each, and in which order people read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sms_service.errors import Conflict
from sms_service.said import Said, say
from sms_service.vocabulary import Words


class Severity(Words):
    """What follows from a finding."""

    refused = "refused"  # it cannot be submitted or launched
    tick = "tick"  # it needs an approver's tick
    note = "note"  # somebody should know


class FindingKind(Words):
    """What a finding is about."""

    nobody_has = "nobody_has"  # a value that neither the campaign nor anybody has
    no_row = "no_row"  # a variable that comes from a list, and there is no list that has it
    missing = "missing"  # some people have no value: they are refused
    unrendered = "unrendered"  # the text cannot be made
    long = "long"
    parts = "parts"  # how many parts people's texts take
    costly_character = "costly_character"  # one character costs a part
    adjacent = "adjacent"  # two variables with nothing between them
    only_variables = "only_variables"  # the text has no words of its own
    link_in_value = "link_in_value"
    phone_in_value = "phone_in_value"
    past_day = "past_day"  # a value is a day that is over
    brackets = "brackets"  # 【】 beside the signature
    stop_word = "stop_word"  # it asks for a word that stops texts as an answer to something else
    unsubscribe = "unsubscribe"  # the line is missing, or there are two
    signature = "signature"  # too long, none of the unit's, or not usable yet
    blocked_word = "blocked_word"
    review_word = "review_word"
    link = "link"  # a link and what its length costs
    link_not_allowed = "link_not_allowed"
    row_changed = "row_changed"  # a row of a reference list is not what it was when it was picked
    no_question = "no_question"  # a quiz that has nothing to ask, or a text without a place for it
    binding = "binding"  # a gateway account lets registered templates through alone, and this is none
    policy = "policy"  # the content policy of a gateway account


@dataclass(frozen=True, slots=True)
class LintFinding:
    """`key` names it: what an approver ticks. `people`: some of those whom it is about."""

    kind: FindingKind
    severity: Severity
    key: str
    place: Said
    text: Said
    remedy: Said
    people: tuple[str, ...] = ()


def sort_findings(findings: Iterable[LintFinding]) -> list[LintFinding]:
    """What is refused first, then what needs a tick."""
    order = list(Severity)
    return sorted(findings, key=lambda one: order.index(one.severity))


def require_clean(findings: Iterable[LintFinding]) -> None:
    """Raises Conflict naming what is refused."""
    refused = [
        say("{text}: {remedy}", text=one.text, remedy=one.remedy)
        for one in findings
        if one.severity == Severity.refused
    ]
    if refused:
        raise Conflict(say("it cannot be sent as it is: {refused:; }", refused=refused))


def make_finding(
    kind: FindingKind, severity: Severity, about: str, place: Said, text: Said, remedy: Said, people: Iterable[str] = ()
) -> LintFinding:
    """A finding about something, or about the text as a whole."""
    return LintFinding(kind, severity, f"{kind}:{about}" if about else str(kind), place, text, remedy, tuple(people))
