"""Texts of a campaign as some of its people would read them, before anything is sent."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from sms_service.audience.reach import Reach, Tried
from sms_service.campaigns.contents import Content
from sms_service.campaigns.quiz_asks import list_written
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed
from sms_service.content.language import get_compiled
from sms_service.content.values import QUESTION
from sms_service.dispatch.rendering import RunText
from sms_service.said import Said

_SAMPLED = 50  # people on whom further items of a schedule are tried


@dataclass(frozen=True, slots=True)
class TriedTexts:
    """Texts tried on people, ordered by their parts and length; `same`: all people get the same."""

    made: Sequence[tuple[Tried, Composed]]
    fault: Said | None
    same: bool

    @property
    def mean_parts(self) -> float | None:
        """Of a text; None where none can be made."""
        return statistics.fmean(text.parts for _, text in self.made) if self.made else None


def sample_tried(texts: TriedTexts, reach: Reach) -> Sequence[Tried]:
    """Some people for the other items that ask the same of them, those with the shortest and the longest text among
    these: a hundred texts are not tried on a thousand people.
    """
    people = [tried for tried, _ in texts.made] or reach.tried
    if len(people) <= _SAMPLED:
        return people if texts.fault is None else reach.tried
    return [people[number * (len(people) - 1) // (_SAMPLED - 1)] for number in range(_SAMPLED)]


def try_content_texts(session: Session, content: Content, reach: Reach, own: Sequence[str]) -> TriedTexts:
    """The texts that these people would read; `own`: the variables that each fills by what is known of them."""
    campaign, version = content.campaign, content.version
    made, fault = [], None
    try:
        text = RunText(get_compiled(version.id, version.body), content.values, campaign.signature, content.class_)
    except CannotRender as error:
        return TriedTexts([], error.said, not own)
    same = not own and not _is_drawn(content)
    for tried in reach.tried[:1] if same else _draw(session, content, reach.tried):
        try:
            values = {name: value for name, value in tried.values.items() if value is not None}
            made.append((tried, text.compose(values)))
        except CannotRender as error:
            fault = error.said
    made.sort(key=lambda one: (one[1].parts, one[1].units, one[0].person_id))
    return TriedTexts(made, fault, same)


def _is_drawn(content: Content) -> bool:
    """Whether each person is asked a question of their own."""
    return content.pool is not None and content.pool.written is None and QUESTION in content.version.variables


def _draw(session: Session, content: Content, people: Sequence[Tried]) -> Sequence[Tried]:
    """The people with what they might be asked: among them, the shortest and the longest question."""
    if not _is_drawn(content) or content.pool is None:
        return people
    asked = list_written(session, content.pool, max(len(people), 2))
    return [
        one._replace(values={**one.values, QUESTION: asked[-1 - place % len(asked)]})
        for place, one in enumerate(people)
        if asked
    ]
