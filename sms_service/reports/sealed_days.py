"""Reading the seals: which days are sealed, and what of a unit was sealed, has been amended since, and is now."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.ledger.amendment_models import Amendment
from sms_service.ledger.models import Run
from sms_service.reports.roll_up_models import DaySeal
from sms_service.reports.seals import SEAL_DAYS


def count_amendments(session: Session, since: date, until: date) -> int | None:
    """How many amendments the days from `since` to `until` have, if all of them are sealed; None if they are not."""
    open_runs = select(Run.id).where(
        Run.day.between(since, until), Run.audience.is_not(None), Run.day.not_in(select(DaySeal.day))
    )
    amended = select(func.count()).where(Amendment.day.between(since, until)).scalar_subquery()
    row = session.execute(
        select(open_runs.exists().label("open"), func.sms_now().label("now"), amended.label("amended"))
    ).one()
    over = until < row.now.date() - timedelta(days=SEAL_DAYS)
    return None if row.open or not over else row.amended
