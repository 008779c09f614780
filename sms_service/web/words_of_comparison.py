"""The words for units that stand beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.reports.comparison import ComparedUnits, ComparisonOrder
from sms_service.said import Said, say

WORDS_OF_COMPARISON: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    "comparison": {
        "unreachable": say("People not reached"),
        "asked": say("People asked"),
        "answered": say("People who answered"),
        "silent": say("People who said nothing"),
        "unreached": say("People whom no question reached"),
        "reply_rate": say("Reply rate"),
        "invited": say("People asked whether they come"),
        "yes": say("People who come"),
        "no": say("People who do not come"),
        "invited_silent": say("Of these, people who said nothing"),
        "invited_unreached": say("Of these, people whom no text reached"),
        "yes_rate": say("Share who come"),
        "expected": say("People expected"),
        "came": say("People who came"),
        "came_rate": say("Attendance rate"),
        "quizzed": say("People whom a quiz asked"),
        "quiz_answered": say("People who answered a quiz"),
        "quiz_right": say("People with a right answer"),
        "quiz_rate": say("Quiz reply rate"),
        "right_rate": say("Share of right answers"),
        "silent_unit": say("Silent unit"),
        "unreachable_unit": say("Unit that nothing reaches"),
        "target": say("Target and done"),
        "attention": say("Silent or unreachable first"),
        "branches": say("Branches by themselves"),
    },
    ComparedUnits: {
        ComparedUnits.below: say("Units right below"),
        ComparedUnits.branches: say("All branches"),
    },
    ComparisonOrder: {
        ComparisonOrder.attention: say("Silent or unreachable first"),
        ComparisonOrder.unreachable: say("Most people not reached first"),
        ComparisonOrder.delivery: say("Lowest delivery rate first"),
        ComparisonOrder.reach: say("Lowest reach rate first"),
        ComparisonOrder.reply: say("Lowest reply rate first"),
        ComparisonOrder.quiz: say("Fewest right answers first"),
        ComparisonOrder.rsvp: say("Fewest who come first"),
        ComparisonOrder.target: say("Least far towards a target first"),
        ComparisonOrder.name: say("By name"),
    },
}
