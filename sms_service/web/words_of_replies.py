"""A word for people of what replies mean and of what becomes of them; `words.py` joins them with the others."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.replies.answer_models import AnswerObstacle
from sms_service.said import Said, say

WORDS_OF_REPLIES: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    AnswerObstacle: {
        AnswerObstacle.nobody: say("Nobody known"),
        AnswerObstacle.other_phone: say("Not the person's own phone now"),
        AnswerObstacle.no_mobile: say("A service's number"),
        AnswerObstacle.automatic: say("An automatic text"),
        AnswerObstacle.often: say("Answered often enough today"),
        AnswerObstacle.quota: say("No quota left"),
    },
}
