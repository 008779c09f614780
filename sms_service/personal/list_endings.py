"""The end of lists for one campaign: some time after the last run of a list its guests are erased as people are on
request, and its rows are deleted.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import DateTime, cast, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList
from sms_service.audience.recipient_lists import empty_list, get_list, list_guests
from sms_service.audit import trail
from sms_service.campaigns.list_uses import find_list_use
from sms_service.db.engine import Database
from sms_service.errors import Conflict
from sms_service.personal.erasure import erase_person
from sms_service.said import say

LIST_DAYS = 30  # for which the rows are kept after the last run, where the installation says nothing else
_AT_ONCE = 5  # guests whom one tick of the clock erases
_AGAIN = timedelta(hours=1)  # where a text to a guest is on its way
_NEXT_DAY = timedelta(days=1)
_WHY = "the list is over"


def let_list_go(session: Session, actor: Actor, list_id: int) -> RecipientList:
    """Have the list emptied now: nobody needs it any more. The clock erases its guests and deletes its rows.

    Raises NotFound, Forbidden without manage_segments over the list's unit, or Conflict while something waits for it.
    """
    found = get_list(session, actor, list_id)
    path = unit_path(session, found.unit_id)
    actor.require(Permission.manage_segments, path)
    session.refresh(found, with_for_update=True)
    if find_list_use(session, list_id).waits:
        reason = "a campaign to the list {list} is submitted, approved or being sent; withdraw it, or wait for its end"
        raise Conflict(say(reason, list=found.name))
    if not found.is_over:
        found.let_go_at = found.look_at = _now(session)
        trail.record_act(session, actor.account_id, "recipient_list.let_go", "recipient_list", found.id, path)
    session.flush()
    return found


def end_lists(database: Database, days: int = LIST_DAYS) -> int:
    """Go on with the list that is due to be looked at first; returns how many guests were erased or lists emptied."""
    with database.session() as session:
        found = _take_due(session)
        if found is None or _still_needed(session, found, timedelta(days=days)):
            return 0
        list_id, guests = found.id, list_guests(session, found.id, _AT_ONCE)
        if not guests:
            empty_list(session, found, None)
            return 1
    for place, guest in enumerate(guests):
        try:
            with database.session() as session:
                erase_person(session, SYSTEM, guest, _WHY)
        except Conflict:  # a text to them is on its way, or an import is being read
            with database.session() as session:
                put_off = session.get_one(RecipientList, list_id, with_for_update=True)
                put_off.look_at = _now(session) + _AGAIN
            return place
    return len(guests)


def _take_due(session: Session) -> RecipientList | None:
    due = select(RecipientList).where(RecipientList.look_at <= func.sms_now())
    return session.scalars(due.order_by(RecipientList.look_at).limit(1).with_for_update(skip_locked=True)).first()


def _still_needed(session: Session, found: RecipientList, kept: timedelta) -> bool:
    """Whether it is; then also when to look again."""
    now = _now(session)
    use = find_list_use(session, found.id)
    if use.waits:
        found.look_at = now + _NEXT_DAY
        return True
    until = max(found.created_at, use.last_end or found.created_at) + kept
    if found.let_go_at is None and until > now:
        found.look_at = until
        return True
    return False


def _now(session: Session) -> datetime:
    return session.scalars(select(cast(func.sms_now(), DateTime(timezone=True)))).one()
