"""A day and time that a person chooses in a form: local to the unit, never in the past."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import request

from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Invalid
from sms_service.web.context import current_context

FURTHEST = timedelta(days=365)
WRITTEN = "%Y-%m-%dT%H:%M"  # as an <input type="datetime-local"> has it


def read_moment(field: str = "at", zone: str = CITY_ZONE) -> datetime | None:
    """The moment in the form's field, where its field `when` says *later*; None: now.

    Raises Invalid (field) where it is none, past, or more than a year ahead.
    """
    if request.form.get("when") != "later":
        return None
    return parse_moment(request.form.get(field, ""), field, zone)


def parse_moment(written: str, field: str = "at", zone: str = CITY_ZONE) -> datetime:
    """The moment that a local time means. Raises Invalid as `read_moment` does."""
    try:
        moment = datetime.strptime(written[:16], WRITTEN).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        raise Invalid(field, None, "choose the day and the time") from None
    now = current_context().clock()
    if moment <= now:
        raise Invalid(field, None, "lies in the past; choose a later time, or send it now")
    if moment > now + FURTHEST:
        raise Invalid(field, None, "lies more than a year ahead")
    return moment


def write_moment(moment: datetime | None, zone: str = CITY_ZONE) -> str:
    """The value of an <input type="datetime-local">."""
    return "" if moment is None else moment.astimezone(ZoneInfo(zone)).strftime(WRITTEN)
