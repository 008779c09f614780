"""Event (theme day): an invitation some days before it begins, a reminder, thanks to those who came; and texts that
wait for what may happen: that it is moved, that it is called off.

Kept as `{"begins": "2026-12-05T09:00:00+08:00", "ends": null, "invitation_days": 3, "invitation_at": "09:00",
"reminder_days": 1, "reminder_at": "09:00", "thanks_days": 1, "thanks_at": "10:00"}`; days null: there is none. A text
whose time its unit does not allow (its window, quiet days) goes at the nearest time before the event that is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sms_service.campaigns.items import Item
from sms_service.campaigns.states import CALLED_OFF, CANCELLED, MOVED
from sms_service.controls.quiet_days import list_quiet_dates
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say
from sms_service.schedules.recurring import read_clock
from sms_service.vocabulary import TextClass

INVITATION, REMINDER, THANKS, CANCELLATION, MOVE_NOTICE = 1, 2, 3, CALLED_OFF, 5
DAYS = {"invitation_days": (3, 60), "reminder_days": (1, 30), "thanks_days": (1, 14)}  # usual, most
CLOCKS = {"invitation_at": "09:00", "reminder_at": "09:00", "thanks_at": "10:00"}
FURTHEST = timedelta(days=365)  # ahead
LONGEST = timedelta(days=7)  # that it lasts
_AROUND = 21  # days on either side of a time in which another one is looked for
_BEFORE_CLOSING = timedelta(minutes=30)  # so that a text that was put off does not find the window closing
_APART = timedelta(hours=12)  # between the invitation and the reminder


class Placed(NamedTuple):
    """When an item goes, None: not at all; and why that is not when its rule says, if so."""

    at: datetime | None
    note: Said | None = None


class _Hours(NamedTuple):
    """When texts of one class may leave the unit."""

    unit: Unit
    quiet: Mapping[date, str]

    def on(self, day: date, clock: time) -> datetime:
        """The time of day in the window that is nearest to this one."""
        zone = ZoneInfo(self.unit.timezone)
        opens, closes = (
            _at_minute(day, minutes, zone) for minutes in (self.unit.window_opens, self.unit.window_closes)
        )
        return min(max(datetime.combine(day, clock, zone), opens), max(closes - _BEFORE_CLOSING, opens))

    def allows(self, at: datetime) -> bool:
        """Whether texts may leave then."""
        local = at.astimezone(ZoneInfo(self.unit.timezone))
        minute = local.hour * 60 + local.minute
        return self.unit.window_opens <= minute < self.unit.window_closes and local.date() not in self.quiet

    def find_nearest(self, wanted: datetime, after: datetime, before: datetime) -> datetime | None:
        """The allowed time nearest to the one that is wanted, the earlier of two."""
        if self.allows(wanted) and after <= wanted < before:
            return wanted
        local = wanted.astimezone(ZoneInfo(self.unit.timezone))
        days = (local.date() + timedelta(days=number) for number in range(-_AROUND, _AROUND + 1))
        found = [self.on(day, local.time()) for day in days if day not in self.quiet]
        found = [at for at in found if after <= at < before]
        return min(found, key=lambda at: (abs(at - wanted), at), default=None)

    def find_first(self, now: datetime, before: datetime) -> datetime | None:
        """The first allowed time from now on."""
        if self.allows(now):
            return now if now < before else None
        first = now.astimezone(ZoneInfo(self.unit.timezone)).date()
        days = (first + timedelta(days=number) for number in range(_AROUND))
        found = (self.on(day, time.min) for day in days if day not in self.quiet)
        return next((at for at in found if now <= at < before), None)


def read_rule(given: Mapping[str, Any], unit: Unit, now: datetime) -> dict[str, Any]:
    """The rule as it is kept. `begins` and `ends` are aware times, or the same as texts. Raises Invalid."""
    begins = _read_time("begins", given.get("begins"))
    if not now < begins <= now + FURTHEST:
        reason = say("must lie ahead, at most {most} days", most=FURTHEST.days)
        raise Invalid("schedule.begins", begins.isoformat(timespec="minutes"), reason)
    ends = None if given.get("ends") is None else _read_time("ends", given["ends"])
    if ends is not None and not begins < ends <= begins + LONGEST:
        reason = say("must come after the beginning, by at most {most} days", most=LONGEST.days)
        raise Invalid("schedule.ends", ends.isoformat(timespec="minutes"), reason)
    zone = ZoneInfo(unit.timezone)
    kept: dict[str, Any] = {
        "begins": begins.astimezone(zone).isoformat(timespec="minutes"),
        "ends": None if ends is None else ends.astimezone(zone).isoformat(timespec="minutes"),
    }
    for name, (usual, most) in DAYS.items():
        days = given.get(name, usual)
        may_lack = name != "invitation_days"
        if not (days is None and may_lack) and (
            isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= most
        ):
            raise Invalid(f"schedule.{name}", days, say("must be from 0 to {most} days", most=most))
        kept[name] = days
    for name, clock in CLOCKS.items():
        kept[name] = read_clock(given.get(name) or clock, f"schedule.{name}")
    return kept


def plan_times(
    session: Session, rule: Mapping[str, Any], unit: Unit, items: Sequence[Item], now: datetime
) -> Mapping[int, datetime | None]:
    """When each item goes that did not go yet."""
    return {number: placed.at for number, placed in place_event(session, rule, unit, items, now).items()}


def find_following(rule: Mapping[str, Any], unit: Unit, fired_at: datetime) -> datetime | None:
    """Nothing of an event comes by itself a second time."""
    return None


def word_rule(rule: Mapping[str, Any]) -> Said:
    """The kept rule in words."""
    words = [say("an event that begins on {time}", time=f"{begins_of(rule):%Y-%m-%d %H:%M}")]
    words.append(say("its invitation goes {days} days before", days=rule["invitation_days"]))
    if rule["reminder_days"] is not None:
        words.append(say("a reminder {days} days before", days=rule["reminder_days"]))
    if rule["thanks_days"] is not None:
        words.append(say("thanks {days} days after", days=rule["thanks_days"]))
    return say("{words:, }", words=words)


def place_event(
    session: Session, rule: Mapping[str, Any], unit: Unit, items: Sequence[Item], now: datetime
) -> dict[int, Placed]:
    """When each item goes, with a note where its time had to be another one. One that went does not go again."""
    begins, over = begins_of(rule), ends_of(rule)
    quiet: dict[str, Mapping[date, str]] = {}
    found: dict[int, Placed] = {}
    invited = next((one.fired_at for one in items if one.number == INVITATION), None)
    for item in sorted(items, key=lambda one: one.number):
        placed = Placed(None)
        if item.fired_at is None and _is_called_for(item.number, rule):
            class_ = item.class_ or TextClass.invitation
            if class_ not in quiet:
                quiet[class_] = list_quiet_dates(session, unit.path, class_)
            hours = _Hours(unit, quiet[class_])
            match item.number:
                case 1:
                    placed = _place_before(rule, "invitation", hours, now, begins, at_once=True)
                    invited = placed.at
                case 2:
                    placed = _place_before(rule, "reminder", hours, now, begins, at_once=False)
                    if placed.at and invited and placed.at < invited + _APART:
                        placed = Placed(None, as_said("it would follow the invitation at once; there is none"))
                case 3:
                    placed = _place_thanks(rule, hours, now, over)
                case _:
                    at = hours.find_first(now, begins)
                    placed = Placed(at, None if at else _NO_TIME)
        found[item.number] = placed
    return found


def begins_of(rule: Mapping[str, Any]) -> datetime:
    """When the event begins."""
    return datetime.fromisoformat(rule["begins"])


def ends_of(rule: Mapping[str, Any]) -> datetime:
    """When it is over; one without an end: when it begins."""
    return datetime.fromisoformat(rule["ends"] or rule["begins"])


_NO_TIME = as_said("no text may leave any more before the event begins")


def _is_called_for(number: int, rule: Mapping[str, Any]) -> bool:
    if rule.get(CANCELLED):
        return number == CANCELLATION
    if number == REMINDER:
        return rule["reminder_days"] is not None
    if number == THANKS:
        return rule["thanks_days"] is not None
    return number == INVITATION or (number == MOVE_NOTICE and bool(rule.get(MOVED)))


def _place_before(
    rule: Mapping[str, Any], name: str, hours: _Hours, now: datetime, begins: datetime, *, at_once: bool
) -> Placed:
    wanted = _find_wanted(rule, name, begins, hours.unit)
    if wanted < now or wanted >= begins:
        if not at_once:
            return Placed(None, as_said("its time is over; there is none"))
        at = hours.find_first(now, begins)
        return Placed(at, as_said("its time is over; it goes as soon as it may") if at else _NO_TIME)
    at = hours.find_nearest(wanted, now, begins)
    return Placed(at, _say_why(wanted, at, hours))


def _place_thanks(rule: Mapping[str, Any], hours: _Hours, now: datetime, over: datetime) -> Placed:
    zone = ZoneInfo(hours.unit.timezone)
    day = over.astimezone(zone).date() + timedelta(days=rule["thanks_days"])
    wanted = datetime.combine(day, time.fromisoformat(rule["thanks_at"]), zone)
    until = max(wanted, now, over) + timedelta(days=_AROUND)
    if wanted < now or wanted < over:
        return Placed(hours.find_first(max(now, over), until))
    at = hours.find_nearest(wanted, max(now, over), until)
    return Placed(at, _say_why(wanted, at, hours))


def _find_wanted(rule: Mapping[str, Any], name: str, begins: datetime, unit: Unit) -> datetime:
    zone = ZoneInfo(unit.timezone)
    day = begins.astimezone(zone).date() - timedelta(days=rule[f"{name}_days"])
    return datetime.combine(day, time.fromisoformat(rule[f"{name}_at"]), zone)


def _say_why(wanted: datetime, at: datetime | None, hours: _Hours) -> Said | None:
    if at is None:
        return _NO_TIME
    if at == wanted:
        return None
    day, when = wanted.date(), f"{wanted:%Y-%m-%d %H:%M}"
    if day in hours.quiet:
        return say("{time} lies on a quiet day ({name}); it goes at another time", time=when, name=hours.quiet[day])
    return say("{time} lies outside the hours in which texts leave; it goes at another time", time=when)


def _at_minute(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone) + timedelta(minutes=minutes)


def _read_time(name: str, given: object) -> datetime:
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        reason = "must be a time with its offset, such as 2026-12-01T09:00:00+08:00"
        raise Invalid(f"schedule.{name}", None if given is None else str(given), reason)
    return moment
