"""Making an event of a campaign, while it is a draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns.changing import open_for_change
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.picks import load_picked
from sms_service.campaigns.states import CampaignKind
from sms_service.content.fields import check_kinds, fields_of
from sms_service.content.library import get_version
from sms_service.content.models import TemplateVersion
from sms_service.content.values import check_values
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.schedules.event import (
    CANCELLATION,
    INVITATION,
    MOVE_NOTICE,
    REMINDER,
    THANKS,
    begins_of,
    ends_of,
)
from sms_service.schedules.event_texts import (
    LABELS,
    PLACE,
    SUBJECT,
    TIME,
    choose_event_texts,
    find_place_name,
    find_time_name,
    write_event_time,
)
from sms_service.schedules.scheduling import NewItem, set_schedule
from sms_service.vocabulary import QuestionKind

NUMBERS = (INVITATION, REMINDER, THANKS, CANCELLATION, MOVE_NOTICE)
# Whether they come; who is reminded, or told that it is moved, answers the same question.
_ASKS: Mapping[int, Mapping[str, Any]] = {
    INVITATION: {"kind": QuestionKind.rsvp.value},
    REMINDER: {"of_item": INVITATION},
    MOVE_NOTICE: {"of_item": INVITATION},
}


def plan_event(
    session: Session,
    actor: Actor,
    campaign_id: int,
    given: Mapping[str, Any],
    texts: Mapping[int, int] | None = None,
) -> Campaign:
    """Make a draft an event: `given` is its rule (`event.read_rule`), `texts` the versions of templates that its items
    take; the others are chosen by the names of the unit's templates, or are ours. All of them share the campaign's
    subject (主题, else its name), its time (时间), which is written from `begins` and `ends`, and its place (地点).

    Raises as `set_schedule` does, Invalid (`texts`) for a text that its number does not know, NotFound or Forbidden for
    a version, and Invalid (`values.地点`) where no place is known.
    """
    campaign, _ = open_for_change(session, actor, campaign_id)
    unit = session.get_one(Unit, campaign.unit_id)
    for number, version_id in (texts or {}).items():
        if number not in NUMBERS[1:]:
            raise Invalid("texts", number, "must be of items 2 to 5; the invitation is the campaign's own text")
        get_version(session, actor, version_id)
    chosen = choose_event_texts(session, unit, campaign.values) | dict(texts or {})
    asked: dict[str, Any] = {"id": campaign_id, "outcome": "texted"}
    invited = {"campaign": {**asked, "item": INVITATION}}
    rules: dict[int, Mapping[str, Any] | None] = {
        INVITATION: None,
        REMINDER: {"all": [invited, {"not": {"campaign": {"id": campaign_id, "outcome": "declined"}}}]},
        THANKS: {
            "all": [
                {"campaign": {"id": campaign_id, "outcome": "came"}},
                {"not": {"campaign": {**asked, "item": THANKS}}},
            ]
        },
        CANCELLATION: invited,
        MOVE_NOTICE: invited,
    }
    items = [
        NewItem(
            number, LABELS[number], template_version_id=chosen.get(number), rule=rules[number], asks=_ASKS.get(number)
        )
        for number in NUMBERS
    ]
    set_schedule(session, actor, campaign_id, CampaignKind.event, given, items)
    share_values(session, campaign)
    return campaign


def share_values(session: Session, campaign: Campaign) -> None:
    """Let the values that all texts of an event share say what its schedule and its invitation say. Raises Invalid."""
    version = session.get_one(TemplateVersion, campaign.template_version_id)
    rule, values = campaign.schedule or {}, dict(campaign.values)
    ends = None if rule["ends"] is None else ends_of(rule)
    written = write_event_time(begins_of(rule), ends, session.get_one(Unit, campaign.unit_id).timezone)
    values |= dict.fromkeys({TIME, find_time_name(version) or TIME}, written)
    values.setdefault(SUBJECT, campaign.name)
    place = values.get(find_place_name(version) or PLACE) or _find_picked(session, campaign) or values.get(PLACE)
    if not place:
        raise Invalid(f"values.{PLACE}", None, "is missing: the texts of an event say where it is")
    values[PLACE] = place
    check_values(values)
    check_kinds(fields_of(version), values)
    campaign.values = values
    session.flush()


def _find_picked(session: Session, campaign: Campaign) -> str | None:
    """The row of a reference list that stands for the place: its name."""
    rows = load_picked(session, campaign.picks)
    return next((row.name for row in rows.values()), None)
