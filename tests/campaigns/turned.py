"""The clock of one transaction: it is turned and does its work within a test's own session, which is rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.campaigns.models import CampaignItem
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.schedules.firing import fire_due_items

# Until the savepoint that is open is rolled back.
_TURN = """
SELECT set_config('sms.clock_offset',
    (coalesce(nullif(current_setting('sms.clock_offset', true), ''), '0')::interval + :ahead)::text, true)
"""


class OneTransaction:
    """A `Database` for what opens transactions of its own: each is a savepoint of the test's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._session.begin_nested():
            yield self._session
        self._session.expire_all()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.session() as session:
            yield session.connection()


def turn_to_next(session: Session, campaign_id: int, late: timedelta = timedelta(seconds=5)) -> None:
    """Let PostgreSQL's clock be so long after the next time at which something of the campaign is due, or after now."""
    times = [
        session.scalar(select(func.min(CampaignItem.next_at)).where(CampaignItem.campaign_id == campaign_id)),
        session.scalar(select(func.min(Run.due_at)).where(Run.campaign_id == campaign_id, Run.status == "planned")),
    ]
    now: datetime = session.scalars(select(func.sms_now())).one()
    ahead = max(min((at for at in times if at is not None), default=now), now) - now + late
    session.execute(text(_TURN), {"ahead": ahead})


def run_clock(session: Session) -> None:
    """Make the runs that are due, begin and freeze them; nothing is handed over."""
    database = cast(Database, OneTransaction(session))
    fire_due_items(database)
    freeze.begin_due_runs(database)
    for run_id in session.scalars(select(Run.id).where(Run.status == RunStatus.freezing)).all():
        freeze.freeze_run(database, run_id)
    session.expire_all()


def carried(columns: Any) -> str:
    """What is sent to whom, of a run or of what `describe_text` says of a content."""
    names = ("template_version_id", "class_", "segment_rule", "values", "signature", "route_id", "validity_s")
    return json.dumps({name: getattr(columns, name) for name in names}, sort_keys=True, ensure_ascii=False)
